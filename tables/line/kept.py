"""Events that are accepted and wait: a final one for its window, a held one to be freed."""

from msgspec import Struct

from streams.codec import scanning
from streams.codec.decode import decode
from streams.contract.events import AnyEvent, Tick
from streams.contract.reference import Reference
from streams.contract.rejection import Rejection
from streams.contract.topics import MES_EVENTS
from streams.log.record import Record
from streams.log.tracing import traceparent


class Kept(Struct, gc=False):
    """An accepted event as its record had it, to be read again when it goes on.

    `carrier` is the start of the window that carries a late final, None for one that isn't late.
    """

    value: bytes
    headers: tuple[tuple[str, bytes | None], ...] = ()
    carrier: int | None = None


def kept(record: Record) -> Kept:
    """Return what is kept of an event's record; of its headers those of a CloudEvent."""
    headers = tuple((name, value) for name, value in record.headers if _is_told(name))
    return Kept(record.value or b"", headers)


def _is_told(name: str) -> bool:
    return name.startswith("ce_") or name in ("content-type", "traceparent")


_reader = scanning.Events()


def event_of(waiting: Kept) -> scanning.Event:
    """Return the event again; it's valid until the next one."""
    return scanning.event_of_decoded(_reader, decoded_of(waiting))


def trace_of(waiting: Kept) -> bytes | None:
    """Return the event's traceparent, None where it has none that is well formed."""
    return traceparent(waiting.value, waiting.headers)


def decoded_of(waiting: Kept) -> AnyEvent:
    """Return the event again, as the full codec reads it."""
    decoded = decode(waiting.value, waiting.headers, MES_EVENTS)
    if isinstance(decoded, Tick | Reference | Rejection):
        raise RuntimeError(f"an event was accepted, and can't be read again: {decoded}")
    return decoded
