"""Records of `exceptions.v1` as rows; what isn't one is passed over."""

from base64 import b64decode
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from streams.codec.decode import decode
from streams.codec.document import VALUE_BYTES_MAX
from streams.contract.refused import ExceptionHeader
from streams.contract.topics import INPUTS
from streams.log.lineage import RESENT_FROM
from streams.log.record import Record
from streams.log.tracing import trace_id, traceparent
from streams.values import instant
from tables.books import texts
from tables.books.packed import pack
from tables.books.rows_event import NOTHING, told_anyway

Row = tuple[Any, ...]

ID_CHARACTERS_MAX: Final = 300
"""Of an exception: a topic's name has 249 at most, and two numbers follow."""

OPEN: Final = "open"

_OFFSETS: Final = range(2**63)
_NUMBERS: Final = range(2**31)


class Exceptions(Struct):
    """What the records of a batch lead to."""

    rows: dict[str, Row] = field(default_factory=dict)
    """By id, in the order of the table's columns."""
    resent: dict[str, int | None] = field(default_factory=dict)
    """By id of one whose event was sent again and refused again: when."""
    unread: int = 0
    """Records that aren't lineside's."""


class _Data(Struct):
    class_: str = field(name="class")
    code: str
    topic: str
    partition: int
    offset: int
    value: str
    reason: str = ""
    key: str | None = None
    headers: list[ExceptionHeader] = []
    key_bytes: int | None = None
    value_bytes: int | None = None
    headers_count: int | None = None

    @property
    def cut(self) -> bool:
        """Whether a part of the record isn't there."""
        there = self.key_bytes, self.value_bytes, self.headers_count
        return there != (None, None, None)


class _Raised(Struct):
    id: str
    data: _Data
    time: Any = None
    plant: Any = None
    line: Any = None


_read = msgspec.json.Decoder(_Raised).decode


def exceptions_of(records: Sequence[Record]) -> Exceptions:
    """Return the rows of exceptions."""
    made = Exceptions()
    for record in records:
        try:
            row, resent_from = _row(record, _read(record.value or b""))
        except ValueError:  # msgspec's and base64's are, too
            made.unread += 1
            continue
        if row[0] in made.rows:
            continue
        made.rows[row[0]] = row
        if resent_from is not None and resent_from != row[0]:
            made.resent[resent_from] = record.timestamp
    return made


def _row(record: Record, read: _Raised) -> tuple[Row, str | None]:
    data = read.data
    if not read.id or len(read.id) > ID_CHARACTERS_MAX:
        raise ValueError("no id of lineside's")
    if data.offset not in _OFFSETS or data.partition not in _NUMBERS:
        raise ValueError("no place in a log")
    value, headers = b64decode(data.value), [header.read() for header in data.headers]
    input_ = data.topic if data.topic in INPUTS else None
    told = NOTHING
    if len(value) <= VALUE_BYTES_MAX:
        decoded = None if input_ is None else decode(value, headers, input_)
        told = told_anyway(value, headers, decoded)
    order, _, item, lot, serial, _, _ = told.named
    trace = traceparent(value, headers)
    sent = next((given for name, given in headers if name == RESENT_FROM and given), None)
    resent_from = None if sent is None else texts.name(sent.decode("utf-8", "replace"))
    return (
        texts.clean(read.id),
        texts.clean(data.class_),
        texts.clean(data.code),
        texts.clean(data.reason),
        _raised_at(record, read.time),
        texts.name(read.plant),
        texts.name(read.line),
        texts.clean(data.topic),
        data.partition,
        data.offset,
        told.type,
        told.source,
        told.id,
        told.time,
        order,
        item,
        lot,
        serial,
        None if trace is None else trace_id(trace),
        resent_from,
        OPEN,
        None,
        None,
        0,
        None,
        None,
        None if data.key is None else texts.clean(data.key),
        pack(msgspec.json.encode(data.headers)),
        pack(value),
        data.cut,
    ), resent_from


def _raised_at(record: Record, time: Any) -> int:
    """Return the timestamp of the refused record, else when the exception was written."""
    try:
        return instant.parse(time)
    except ValueError:
        return record.timestamp or 0
