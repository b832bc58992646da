"""Records of an input as rows, once it is known which were refused and which came before."""

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, field

from streams.codec.decode import Decoded, decode, read_original
from streams.codec.document import VALUE_BYTES_MAX, read_envelope
from streams.contract.events import (
    NAMES,
    DowntimeClassified,
    DowntimeEnded,
    DowntimeStarted,
    HoldPlaced,
    HoldReleased,
    MachineState,
    MachineTelemetry,
    TransactionReversed,
)
from streams.contract.reference import Reference
from streams.contract.reference_key import parts_of
from streams.contract.rejection import Rejection
from streams.contract.topics import MACHINE_EVENTS
from streams.log.headers import is_binary
from streams.log.lineage import RESENT_FROM
from streams.log.record import Record
from streams.log.tracing import trace_id, traceparent
from streams.values import instant
from tables.books import texts
from tables.books.added import Added, Stop
from tables.books.packed import pack
from tables.books.rows_event import NOTHING, told_anyway, told_of

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
REFUSED: Final = "refused"

Row = tuple[Any, ...]

Identity = tuple[str, str, str, str, int]
"""(plant, line, source, id, time) of an accepted event: another with the same is a duplicate."""


class Refusal(NamedTuple):
    """What the books have of the exception of a record."""

    code: str
    plant: str | None
    line: str | None


class Read(NamedTuple):
    """A record of an input, and what it is."""

    record: Record
    decoded: Decoded


class Copy(NamedTuple):
    """A hold, its release, or an order's record on a partition; `matters`: it has to be kept.

    An order's that doesn't hold matters only where one before it held.
    """

    position: int
    kind: str
    plant: str
    name: str
    value: bytes
    matters: bool


class Inputs(Struct):
    """What the records of a batch lead to."""

    rows: list[Row] = field(default_factory=list)
    """Of `inputs`, in the order of its columns."""
    copies: list[Copy] = field(default_factory=list)
    resent: dict[str, tuple[bool, int | None]] = field(default_factory=dict)
    """By the id of an exception whose event was sent again: whether it was accepted, and when."""
    added: Added = field(default_factory=Added)


def read_inputs(topic: str, records: Sequence[Record]) -> list[Read]:
    """Return what records are."""
    return [Read(one, decode(one.value, one.headers, topic)) for one in records]


def candidates(read: Sequence[Read], refused: Container[int]) -> dict[Identity, int]:
    """Return the identities of the events that weren't refused, and the first offset of each."""
    found: dict[Identity, int] = {}
    for record, decoded in read:
        kind: Any = decoded.__class__
        if kind in NAMES and kind is not MachineTelemetry and record.offset not in refused:
            found.setdefault(identity_of(decoded), record.offset)
    return found


def identity_of(event: Any) -> Identity:
    """Return what no other accepted event of a topic has, while the ledger reaches back to it."""
    return event.plant, event.line, event.source, event.id, event.time


def rows_of(
    topic: str,
    number: int,
    read: Sequence[Read],
    refused: Mapping[int, Refusal],
    known: set[Identity],
) -> Inputs:
    """Return what the records lead to: `known` are identities accepted before, and grows."""
    made = Inputs()
    added = made.added
    for record, decoded in read:
        kind: Any = decoded.__class__
        refusal = refused.get(record.offset)
        if refusal is None and isinstance(decoded, Rejection):  # its exception isn't kept any more
            refusal = Refusal(decoded.code, decoded.plant, decoded.line)
        if refusal is not None:
            _refused(made, topic, number, record, decoded, refusal)
        elif kind is MachineTelemetry:
            event: Any = decoded
            where = topic, event.plant, event.line, event.source
            added.flow(record.timestamp, where, "telemetry", _lag(record, event))
            _clock(added, topic, record, event)
        elif kind in NAMES:
            identity = identity_of(decoded)
            outcome = DUPLICATE if identity in known else ACCEPTED
            known.add(identity)
            _taken(made, topic, number, record, decoded, outcome)
        else:
            added.flow(record.timestamp, (topic, "", "", ""), "tick", 0)
            if kind is Reference:
                copy = _copy(record, decoded)
                if copy is not None:
                    made.copies.append(copy)
    return made


def _taken(made: Inputs, topic: str, number: int, record: Record, event: Any, outcome: str) -> None:
    told, added = told_of(event), made.added
    row = _row(topic, number, record, outcome, told)
    made.rows.append(row)
    where = topic, event.plant, event.line, event.source
    added.flow(record.timestamp, where, outcome, _lag(record, event))
    resent = row[_RESENT_FROM]
    if resent is not None:
        made.resent[resent] = True, record.timestamp
    _clock(added, topic, record, event)
    if outcome == ACCEPTED:
        _add(made, record, event, str(told.type))


def _refused(
    made: Inputs, topic: str, number: int, record: Record, decoded: Decoded, refusal: Refusal
) -> None:
    value = record.value
    there = value is not None and len(value) <= VALUE_BYTES_MAX
    told = told_anyway(value, record.headers, decoded) if there else NOTHING
    told = told._replace(plant=refusal.plant or told.plant, line=refusal.line or told.line)
    row = _row(topic, number, record, REFUSED, told)
    made.rows.append(row)
    where = topic, told.plant or "", told.line or "", told.source or ""
    made.added.flow(record.timestamp, where, refusal.code, 0)
    resent = row[_RESENT_FROM]
    if resent is not None:
        made.resent.setdefault(resent, (False, record.timestamp))


def _row(topic: str, number: int, record: Record, outcome: str, told: Any) -> Row:
    at, value, headers = record.timestamp, record.value, record.headers
    trace = traceparent(value, headers)
    return (
        topic,
        number,
        record.offset,
        0 if at is None else at // instant.DAY,
        at,
        outcome,
        told.type,
        told.plant,
        told.line,
        told.source,
        told.id,
        told.time,
        *told.named,
        None if trace is None else trace_id(trace),
        _resent_from(headers),
        _kept(value, headers),
    )


_RESENT_FROM: Final = -2


def _resent_from(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    for name, value in headers:
        if name == RESENT_FROM and value:
            return texts.name(value.decode("utf-8", "replace"))
    return None


def _kept(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bytes | None:
    """Return the value compressed: of an event in binary mode the whole event, in JSON."""
    if value is None or len(value) > VALUE_BYTES_MAX:
        return None  # of a larger one the exception has what there is
    if headers and is_binary(headers):
        envelope = read_envelope(value, headers)
        if not isinstance(envelope, str):
            attributes = {
                name: given
                for name, given in envelope.items()
                if name != "data" and isinstance(given, str)
            }
            return pack(msgspec.json.encode({**attributes, "data": msgspec.Raw(value)}))
    return pack(value)


def _lag(record: Record, event: Any) -> int:
    return 0 if record.timestamp is None else int(record.timestamp - event.time)


def _clock(added: Added, topic: str, record: Record, event: Any) -> None:
    plant, line = event.plant, event.line
    added.line(plant, line, 1 if topic == MACHINE_EVENTS else 0, event.time)
    added.line(plant, line, 2, record.timestamp)


def _add(made: Inputs, record: Record, event: Any, kind: str) -> None:
    """Add an accepted event to what is kept of its line."""
    added, data, struct = made.added, event.data, event.__class__
    if struct is TransactionReversed:
        original = read_original(data.original)
        if not isinstance(original, str):  # it was accepted, so it is none
            place = event.plant, event.line
            added.event(original.type, place, original.data, original.time, -1)
        return
    added.event(kind, (event.plant, event.line), data, event.time)
    if struct is MachineState:
        states = added.units.setdefault((event.plant, event.line, data.work_unit), [])
        states.append((data.state, event.time, data.reason, data.order, data.item))
    elif struct in (DowntimeStarted, DowntimeEnded, DowntimeClassified):
        _stop(added, event, struct)
    elif struct in (HoldPlaced, HoldReleased):
        name = "hold" if struct is HoldPlaced else "hold_release"
        value = _kept(record.value, record.headers) or b""
        made.copies.append(Copy(record.offset, name, event.plant, data.hold, value, True))


def _stop(added: Added, event: Any, struct: Any) -> None:
    data = event.data
    stop = added.stops.setdefault((event.plant, event.line, data.episode), Stop())
    stop.work_unit = stop.work_unit or data.work_unit
    if struct is DowntimeStarted:
        stop.started_at = event.time
        if not stop.told:
            stop.reason, stop.planned = data.reason, data.planned
    elif struct is DowntimeEnded:
        stop.ended_at = event.time
    else:
        stop.reason, stop.planned, stop.told = data.reason, data.planned, True


def _copy(record: Record, reference: Any) -> Copy | None:
    kind = reference.kind
    if kind not in ("hold", "hold_release", "order"):
        return None
    name = texts.fitted("/".join(parts_of(kind, reference.id)))
    held = kind != "order" or getattr(reference.data, "status", None) == "held"
    return Copy(record.offset, kind, reference.plant, name, pack(record.value or b""), held)
