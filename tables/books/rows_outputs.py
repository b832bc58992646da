"""Records of `erp.transactions.v1` and of summary topics as rows; what isn't one is passed over."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from streams.contract.policy import Policy
from streams.contract.transactions import REVERSAL
from streams.log.headers import TRACE
from streams.log.record import Record
from streams.log.tracing import trace_id, well_formed
from streams.values import instant
from tables.books import texts
from tables.books.added import Added, quarter_of
from tables.books.amounts import of_billionths, sum_billionths
from tables.books.packed import pack

Row = tuple[Any, ...]

ROW_MEMBERS: Final = (
    "order", "operation", "item", "lot", "storage", "uom", "reason", "kind", "planned",
    "work_unit", "state",
)  # fmt: skip
"""Members of a summary's row that have a column each in `sums`."""


class Outputs(Struct):
    """What the records of a batch lead to: rows by id, so that each is there once."""

    rows: dict[str, Row] = field(default_factory=dict)
    reads: dict[str, Any] = field(default_factory=dict)
    """What was read of each, by id: what is added up once it is known which are new."""
    unread: int = 0
    """Records that aren't lineside's."""


class _Data(Struct):
    order: str | None = None
    operation: str | None = None
    item: str | None = None
    lot: str | None = None
    serial: str | None = None
    work_unit: str | None = None
    hold: str | None = None
    episode: str | None = None
    nonconformance: str | None = None
    inspection: str | None = None
    quantity: str | None = None
    seconds: str | None = None
    uom: str | None = None
    window_start: str | None = None
    window_end: str | None = None
    revision: int | None = None
    posting_date: str = ""
    reverses: str | None = None
    reversed_type: str | None = None


class _Transaction(Struct):
    type: str
    id: str
    time: str
    plant: str
    line: str
    data: _Data


class _Summary(Struct):
    type: str
    id: str
    plant: str
    line: str
    data: dict[str, Any]


_transaction = msgspec.json.Decoder(_Transaction).decode
_summary = msgspec.json.Decoder(_Summary).decode


def transactions_of(records: Sequence[Record]) -> Outputs:
    """Return the rows of transactions, in the order of the table's columns."""
    made = Outputs()
    for record in records:
        value = record.value
        try:
            if value is None or _needs_care(value):
                raise ValueError("no record of lineside's")
            read = _transaction(value)
            row, measured = _transaction_row(record, value, read)
        except ValueError:  # msgspec's are, too
            made.unread += 1
            continue
        made.rows.setdefault(row[0], row)
        made.reads.setdefault(row[0], (read, *measured))
    return made


def _transaction_row(
    record: Record, value: bytes, read: _Transaction
) -> tuple[Row, tuple[str, int]]:
    data, at = read.data, instant.parse(read.time)
    given = data.quantity if data.quantity is not None else data.seconds
    amount = 0 if given is None else sum_billionths(given)
    measure = "" if given is None else "quantity" if data.quantity is not None else "seconds"
    whole, nano = (None, None) if given is None else of_billionths(amount)
    trace = next((found for name, found in record.headers if name == TRACE), None)
    trace = None if trace is None else well_formed(trace)
    return (
        texts.fitted(read.id),
        at // instant.DAY,
        read.type,
        read.plant,
        read.line,
        at,
        at if record.timestamp is None else record.timestamp,
        _instant(data.window_start),
        _instant(data.window_end),
        data.revision,
        data.posting_date,
        data.order,
        data.operation,
        data.item,
        data.lot,
        data.serial,
        data.work_unit,
        data.hold or data.episode or data.nonconformance or data.inspection,
        None if data.reverses is None else texts.fitted(data.reverses),
        measure or None,
        data.uom,
        whole,
        nano,
        None if trace is None else trace_id(trace),
        pack(value),
    ), (measure, amount)


def add_transactions(added: Added, made: Outputs, new: Sequence[str]) -> None:
    """Add up the new ones."""
    for id in new:
        read, measure, amount = made.reads[id]
        data = read.data
        back = read.type == REVERSAL and data.reversed_type is not None
        kind, sign = (data.reversed_type, -1) if back else (read.type, 1)
        key = read.plant, read.line, data.posting_date, kind, measure, data.uom or ""
        added.post(key, sign, sign * amount)


def measures_of(policy: Policy) -> dict[str, tuple[str, ...]]:
    """Return the measures of each summary."""
    return {name: entry.measures for name, entry in policy.summaries.items()}


def summaries_of(topic: str, records: Sequence[Record]) -> Outputs:
    """Return the rows of a summary topic, in the order of the table's columns."""
    made = Outputs()
    for record in records:
        value = record.value
        try:
            if value is None or _needs_care(value):
                raise ValueError("no record of lineside's")
            read = _summary(value)
            if read.type != topic:
                raise ValueError("another type's")
            data = read.data
            start, end = instant.parse(data["window_start"]), _instant(data["window_end"])
            members = [data.get(name) for name in ROW_MEMBERS]
            if not all(one is None or isinstance(one, str | bool) for one in members):
                raise ValueError("no row of lineside's")
            revision = msgspec.convert(data["revision"], int)
        except (ValueError, KeyError):
            made.unread += 1
            continue
        id = texts.fitted(read.id)
        if id in made.rows:
            continue
        made.rows[id] = (
            id,
            start // instant.DAY,
            read.type,
            read.plant,
            read.line,
            start,
            start if end is None else end,
            revision,
            start if record.timestamp is None else record.timestamp,
            data.get("order"),
            data.get("item"),
            data.get("work_unit"),
            pack(value),
        )
        made.reads[id] = read, start, end, tuple(members)
    return made


def add_summaries(
    added: Added, made: Outputs, new: Sequence[str], measures: Mapping[str, tuple[str, ...]]
) -> None:
    """Add up the new ones, all revisions of a row together."""
    for id in new:
        read, start, end, members = made.reads[id]
        added.line(read.plant, read.line, 3, end)
        quarter, row = quarter_of(start), _row_part(read.id)
        for measure in (*measures.get(read.type, ()), "count"):
            given = read.data.get(measure)
            try:
                amount = 0 if given is None else sum_billionths(given)
            except ValueError:
                continue
            if amount:
                key = read.plant, read.line, read.type, quarter, row, measure
                added.sum(key, members, amount)


def _row_part(id: str) -> str:
    """Return the row of a posting key: `short:place:start:row:revision`."""
    parts = id.split(":", 3)
    return texts.fitted(parts[3].rpartition(":")[0] if len(parts) == 4 else id)


def _instant(text: str | None) -> int | None:
    """Return an instant; None of one that lies past the years that are read, as ends may."""
    if text is None:
        return None
    try:
        return instant.parse(text)
    except ValueError:
        return None


def _needs_care(value: bytes) -> bool:
    """Return whether a value has a NUL, or half a character, which lineside never writes."""
    return b"\\u0000" in value or b"\\ud" in value or b"\\uD" in value
