"""Records of an input partition, read: each an event as its bytes have it, a tick, or refused.

Compiled, nearly all are read by `scan` of `scanning.pyx`, without an object; what isn't ordinary is
read by `streams.codec.decode`, and put in the same place. Uncompiled, all are.
"""

from collections.abc import Sequence
from typing import Any, Final

from streams.codec.decode import Decoded, Original, decode
from streams.contract.events import TYPES, Tick
from streams.contract.members import members
from streams.contract.reference import Reference
from streams.log.record import Record
from streams.log.tracing import traceparent
from streams.values.spans import Span

REFUSED: Final = -1
TICK: Final = -2
REFERENCE: Final = -3
"""Kinds of what is no event."""

NO_TIMESTAMP: Final = -(2**63)

TOPICS: Final = [struct.TOPIC for struct in TYPES.values()]
_NUMBERS: Final[dict[type, int]] = {struct: number for number, struct in enumerate(TYPES.values())}
_MEMBERS: Final = [members(struct.__annotations__["data"]) for struct in TYPES.values()]


class Event:
    """An event: `kind` is its number among `streams.contract.events.TYPES`, or one of the
    three above.

    `fields` are in the order of the members of its `data`; times in microseconds.
    """

    def __init__(self, kind: int, time: int = 0) -> None:
        self.kind = kind
        self.time = time
        self.source: Span = None
        self.id: Span = None
        self.plant: Span = None
        self.line: Span = None
        self.fields: list[Any] = []


class Events:
    """The records of a batch: `decoded` has, by number, what the full codec has made of them."""

    def __init__(self) -> None:
        self.count = 0
        self.decoded: dict[int, Decoded] = {}
        self.records: Sequence[Record] = ()
        self.each: list[Event] = []

    def read(
        self,
        records: Sequence[Record],
        seen: int,
        topic: str,
        known: Sequence[Decoded | None] | None = None,
    ) -> None:
        """Read records; those up to the offset `seen` are passed over.

        `known` is what they are, None where they haven't been decoded yet.
        """
        if records and records[0].offset <= seen:
            records = [record for record in records if record.offset > seen]
        self.records, self.count, self.decoded, self.each = records, len(records), {}, []
        for number, record in enumerate(records):
            decoded = None if known is None else known[number]
            if decoded is None:
                decoded = decode(record.value, record.headers, topic)
            self.decoded[number] = decoded
            self.each.append(_event_of(decoded))

    def offset_at(self, number: int) -> int:
        """Return the offset of a record."""
        return self.records[number].offset

    def record_at(self, number: int) -> Record:
        """Return a record."""
        return self.records[number]

    def decoded_at(self, number: int) -> Any:
        """Return what a record is, as `streams.codec.decode.decode` does; no JSON values."""
        return self.decoded[number]

    def trace_at(self, number: int) -> bytes | None:
        """Return the traceparent of a record, None where it has none that is well formed."""
        record = self.records[number]
        return traceparent(record.value, record.headers)


def placed_by(line: bytes) -> bytes | None:  # noqa: ARG001  # compiled: what it can
    """Return where an event of a log belongs without decoding it; None: that can't be said.

    It's b"1" for a MES event or b"0" for a machine's, then plant, slash and line.
    """
    return None


def event_at(events: Events, number: int) -> Event:
    """Return an event; it's valid until the next batch is read."""
    return events.each[number]


def key_at(events: Events, number: int) -> Span:
    """Return a record's key."""
    return events.records[number].key


def timestamp_at(events: Events, number: int) -> int:
    """Return a record's timestamp in microseconds, NO_TIMESTAMP where it has none."""
    timestamp = events.records[number].timestamp
    return NO_TIMESTAMP if timestamp is None else timestamp


def event_of_original(events: Events, original: Original) -> Event:  # noqa: ARG001  # compiled: keeps it
    """Return the original of a reversal as an event; it's valid until the next one."""
    event = Event(_NUMBERS[TYPES[original.type]], original.time)
    event.fields = _fields_of(event.kind, original.data)
    return event


def event_of_decoded(events: Events, decoded: Decoded) -> Event:  # noqa: ARG001  # compiled: keeps it
    """Return an event that the full codec has read; it's valid until the next one."""
    return _event_of(decoded)


def has(event: Event, index: int) -> bool:
    """Return whether a member is there."""
    return event.fields[index] is not None


def span_at(event: Event, index: int) -> Span:
    """Return a text."""
    text: bytes = event.fields[index]
    return text


def number_at(event: Event, index: int) -> int:
    """Return a measure in billionths."""
    number: int = event.fields[index]
    return number


def flag_at(event: Event, index: int) -> bool:
    """Return a flag."""
    flag: bool = event.fields[index]
    return flag


def _event_of(decoded: Decoded) -> Event:
    number = _NUMBERS.get(decoded.__class__)
    if number is None:
        if isinstance(decoded, Tick):
            return Event(TICK, decoded.time)
        return Event(REFERENCE if isinstance(decoded, Reference) else REFUSED)
    given: Any = decoded
    event = Event(number, given.time)
    event.source, event.id = given.source.encode(), given.id.encode()
    event.plant, event.line = given.plant.encode(), given.line.encode()
    event.fields = _fields_of(number, given.data)
    return event


def _fields_of(number: int, data: object) -> list[Any]:
    values = [getattr(data, member.name) for member in _MEMBERS[number]]
    return [value.encode() if isinstance(value, str) else value for value in values]
