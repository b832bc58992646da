"""Transaction keys seen: identities, fingerprints, and what a ledger entry says."""

from typing import Final

import msgspec
from msgspec import Struct
from xxhash import xxh3_128_digest

from streams.codec import Original, read_original
from streams.events import NAMES, AnyEvent, Data, TransactionReversed

REVERSED: Final = b"\x01"
NOT_REVERSED: Final = b"\x00"

_TIME_OFFSET: Final = 2**63
"""Makes an instant unsigned, so that its bytes sort as it does."""

_encode = msgspec.msgpack.Encoder().encode


class Entry(Struct, frozen=True, gc=False):
    """An accepted event as the ledger knows it: 16 bytes of key stand for its identity."""

    time: int
    fingerprint: bytes
    reversed: bool = False


def identity(plant_line: str, source: str, id: str) -> bytes:
    """Return the ledger key of (plant, line, source, id): 16 bytes.

    A zero byte separates the parts, since none of them can contain a control character.
    """
    return xxh3_128_digest(f"{plant_line}\0{source}\0{id}".encode())


def fingerprint(event: AnyEvent) -> bytes:
    """Return 16 bytes that are equal for equal `type`, `time` and `data` after decoding.

    Measures are integers, an absent member isn't written, unknown ones aren't there: so 0.75 equals
    "0.750". A reversal's `original` is compared decoded, too.
    """
    if isinstance(event, TransactionReversed):
        original = read_original(event.data.original)
        told = (
            # Unreadable, so it was never accepted: equal to nothing in the ledger.
            (event.data.reverses, original, repr(event.data.original))
            if isinstance(original, str)
            else (event.data.reverses, original_fingerprint(original))
        )
        return xxh3_128_digest(_encode((NAMES[event.__class__], event.time, told)))
    return _digest(NAMES[event.__class__], event.time, event.data)


def original_fingerprint(original: Original) -> bytes:
    """Return the fingerprint that the ledger has of this event, if it was accepted."""
    return _digest(original.type, original.time, original.data)


def _digest(kind: str, time: int, data: Data) -> bytes:
    try:
        return xxh3_128_digest(_encode((kind, time, data)))
    except OverflowError:
        # A measure past 64 bits of billionths (18 thousand million units): its decimal text does.
        return xxh3_128_digest(repr((kind, time, data)).encode())


def entry_bytes(entry: Entry) -> bytes:
    """Return an entry as the store holds it: time, fingerprint, whether it was reversed."""
    return (
        (entry.time + _TIME_OFFSET).to_bytes(8, "big")
        + entry.fingerprint
        + (REVERSED if entry.reversed else NOT_REVERSED)
    )


def read_entry(stored: bytes) -> Entry:
    """Return the entry in `stored`, as `entry_bytes` made it."""
    return Entry(
        int.from_bytes(stored[:8], "big") - _TIME_OFFSET, stored[8:24], stored[24:] == REVERSED
    )
