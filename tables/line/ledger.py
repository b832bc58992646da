"""Transaction keys seen: identities, fingerprints, and what a ledger entry says."""

from typing import Any, Final

import msgspec
from xxhash import xxh3_128_digest

from streams.codec import scanning
from streams.codec.decode import Original, read_original
from streams.contract.events import NAMES, AnyEvent, TransactionReversed
from streams.contract.structs import Data
from streams.values import hashing, spans, writer
from tables.line.plans import MEASURE, NO_FIELD, TEXT, Plan

PREFIX: Final = "l"
"""Every ledger key begins with it, so that a store can hold other things too."""

REVERSED, PARKED, FREED, SILENT = 1, 2, 4, 8
"""Flags of an entry: it was taken back; it is parked, or was; it has sent nothing to the ERP."""
_PARKED, _FREED = PARKED, FREED
_FLAGS = [bytes([flags]) for flags in range(16)]

_encode = msgspec.msgpack.Encoder().encode
_to = writer.Writer()
_TEXT, _MEASURE, _NO_FIELD = TEXT, MEASURE, NO_FIELD


def identity(plant: str, line: str, source: str, id: str) -> bytes:
    """Return the ledger key of (plant, line, source, id): the identity itself.

    A zero byte separates the parts, since none of them can contain a control character. Sources
    count their ids up, so that neighbours in time are neighbours in the store: cheaper to write and
    half as large as hashes.
    """
    return f"{PREFIX}{plant}/{line}\0{source}\0{id}".encode()


def identity_of(event: scanning.Event) -> bytes:
    """Return the ledger key of an event: see `identity`."""
    to = _to
    writer.begin(to)
    writer.put(to, b"l")
    spans.put_span(to, event.plant)
    writer.put(to, b"/")
    spans.put_span(to, event.line)
    writer.put(to, b"\0")
    spans.put_span(to, event.source)
    writer.put(to, b"\0")
    spans.put_span(to, event.id)
    return writer.taken(to)


def fingerprint_of(plan: Plan, event: scanning.Event) -> bytes:
    """Return 16 bytes that are equal for equal `type`, `time` and `data`, but of a reversal.

    They are those of `fingerprint`. Raises `OverflowError` for a measure past 64 bits of
    billionths.
    """
    to = _to
    writer.begin(to)
    writer.put(to, plan.packed)
    writer.pack_number(to, event.time)
    usual = plan.usual_field != _NO_FIELD and spans.is_same(
        scanning.span_at(event, plan.usual_field), plan.usual
    )
    count = -1 if usual else 0
    for index in plan.print_fields:
        count += scanning.has(event, index)
    writer.pack_map(to, count)
    for index in plan.print_fields:
        if not scanning.has(event, index) or (usual and index == plan.usual_field):
            continue
        writer.put(to, plan.field_names[index])
        kind = plan.field_kinds[index]
        if kind == _TEXT:
            spans.pack_span(to, scanning.span_at(event, index))
        elif kind == _MEASURE:
            writer.pack_wide(to, scanning.number_at(event, index))
        else:
            writer.pack_constant(to, bool(scanning.flag_at(event, index)))
    return hashing.digest_written(to)


def fingerprint(event: AnyEvent) -> bytes:
    """Return 16 bytes that are equal for equal `type`, `time` and `data` after decoding.

    Measures are integers, an absent member isn't written, unknown ones aren't there: so 0.75 equals
    "0.750". A reversal's `original` is compared decoded, too.
    """
    if event.__class__ is TransactionReversed:
        return _reversal_fingerprint(event)
    return _digest(NAMES[event.__class__], event.time, event.data)


def _reversal_fingerprint(event: TransactionReversed) -> bytes:
    original = read_original(event.data.original)
    # One that can't be read was never accepted: without it, it equals nothing in the ledger.
    told = None if isinstance(original, str) else original_fingerprint(original)
    return xxh3_128_digest(_encode((NAMES[event.__class__], event.time, event.data.reverses, told)))


def original_fingerprint(original: Original) -> bytes:
    """Return the fingerprint that the ledger has of this event, if it was accepted."""
    return _digest(original.type, original.time, original.data)


def _digest(kind: str, time: int, data: Data) -> bytes:
    told = _told(data) if data.ORDER or data.ABSENT else data
    try:
        return xxh3_128_digest(_encode((kind, time, told)))
    except OverflowError:
        # A measure past 64 bits of billionths (18 thousand million units): its decimal text does.
        return xxh3_128_digest(repr((kind, time, told)).encode())


def _told(data: Data) -> dict[str, Any]:
    """Return the members of `data` that tell one event from another, in their order."""
    told = {name: getattr(data, name) for name in data.ORDER or data.__struct_fields__}
    return {
        name: value
        for name, value in told.items()
        if value is not None and value != data.ABSENT.get(name)
    }


def entry_bytes(time: int, fingerprint: bytes, flags: int = 0, more: int = 0) -> bytes:
    """Return a ledger entry: 8 bytes of time, 16 of fingerprint, then what isn't ordinary.

    That is a byte of `flags`; and where it's PARKED 8 bytes of its number, or where it's FREED 8 of
    the instant from which on it counts.
    """
    to = _to
    writer.begin(to)
    writer.put_big(to, time)
    writer.put(to, fingerprint)
    if flags:
        writer.put(to, _FLAGS[flags])
        if flags & (_PARKED | _FREED):
            writer.put_big(to, more)
    return writer.taken(to)


def entry_time(entry: bytes) -> int:
    """Return the time of the event that the entry stands for, in microseconds."""
    return writer.big_at(entry)


def entry_fingerprint(entry: bytes) -> bytes:
    """Return its fingerprint."""
    return entry[8:24]


def is_of(entry: bytes, fingerprint: bytes) -> bool:
    """Return whether an entry has this fingerprint."""
    return writer.holds(entry, 8, fingerprint)


def entry_flags(entry: bytes) -> int:
    """Return what isn't ordinary of it."""
    return entry[24] if len(entry) > 24 else 0


def entry_more(entry: bytes) -> int:
    """Return the number of a parked event, or the instant from which on a freed one counts."""
    return writer.big_at(entry[25:33])


def counts(entry: bytes, oldest: int) -> bool:
    """Return whether an entry still counts, with a ledger that reaches back to `oldest`.

    That of a parked event counts while it is parked, and then as if it were of the moment in which
    it was freed, or taken out.
    """
    if len(entry) > 25:
        return bool(entry[24] & _PARKED) or writer.big_at(entry[25:33]) >= oldest
    return writer.big_at(entry) >= oldest
