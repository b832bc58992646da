"""EDGE: the tables of the books, the same on SQLite and PostgreSQL.

Instants are whole microseconds since 1970-01-01T00:00:00Z. A decimal is two whole numbers of one
sign: `whole`, and `nano` in billionths, so that sums are exact in both databases. Ids are those of
the topics, so that a record that is read again changes nothing.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

METADATA: Final = MetaData()


def _text(name: str, *, needed: bool = False) -> Column[str]:
    return Column(name, Text, nullable=not needed)


def _some(name: str, *columns: str) -> Index:
    """Return an index of the rows whose first column is something: most rows have no serial.

    So it is small, and its statistics say of a value what they'd otherwise say of nothing: a
    planner that takes all rows to be equal reads them all.
    """
    there = text(f"{columns[0]} IS NOT NULL")
    return Index(name, *columns, sqlite_where=there, postgresql_where=there)


def _whole(name: str, *, needed: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=not needed)


OFFSETS: Final = Table(
    "offsets",
    METADATA,
    _text("topic", needed=True),
    Column("number", Integer, nullable=False),
    _whole("next_offset", needed=True),
    _whole("noted_at", needed=True),
    PrimaryKeyConstraint("topic", "number"),
)
"""Per partition of a topic: all records before `next_offset` are in the books."""

PROCESSED: Final = Table(
    "processed",
    METADATA,
    _text("topic", needed=True),
    Column("number", Integer, nullable=False),
    _whole("next_offset", needed=True),
    _whole("end_offset", needed=True),
    _whole("noted_at", needed=True),
    PrimaryKeyConstraint("topic", "number"),
)
"""Per partition of an input: how far the job has processed it, and where it ends."""

INPUTS: Final = Table(
    "inputs",
    METADATA,
    _text("topic", needed=True),
    Column("number", Integer, nullable=False),
    _whole("position", needed=True),
    _whole("day", needed=True),
    _whole("arrived_at"),
    _text("outcome", needed=True),
    _text("type"),
    _text("plant"),
    _text("line"),
    _text("source"),
    _text("event_id"),
    _whole("happened_at"),
    _text("order_id"),
    _text("operation"),
    _text("item"),
    _text("lot"),
    _text("serial"),
    _text("work_unit"),
    _text("subject"),
    _text("trace"),
    _text("resent_from"),
    Column("value", LargeBinary, nullable=True),
    PrimaryKeyConstraint("topic", "number", "position", "day"),
    Index("inputs_event", "event_id", "source"),
    _some("inputs_order", "order_id", "happened_at"),
    _some("inputs_lot", "lot"),
    _some("inputs_serial", "serial"),
    _some("inputs_item", "item", "happened_at"),
    _some("inputs_subject", "subject"),
    _some("inputs_trace", "trace"),
    Index("inputs_line", "plant", "line", "happened_at"),
    Index(
        "inputs_resent_from",
        "resent_from",
        sqlite_where=text("resent_from IS NOT NULL"),
        postgresql_where=text("resent_from IS NOT NULL"),
    ),
    postgresql_partition_by="RANGE (day)",
)
"""Each record of an input but ticks, reference records and telemetry.

`position` is the offset, `day` the day of `arrived_at` in whole days since 1970 (0: the record has
no timestamp). `outcome` is `accepted`, `duplicate` or `refused`. `subject` is the hold, the
episode, the nonconformance, the inspection, or the event that is reversed. `trace` is the 32 hex
digits of the trace id. `resent_from` is the id of the exception that the event was sent again for.
`value` is as it came, compressed by zlib, in binary mode the whole event.
"""

DOUBLES: Final = Table(
    "doubles",
    METADATA,
    _text("source", needed=True),
    _text("event_id", needed=True),
    _text("plant", needed=True),
    _text("line", needed=True),
    _whole("noted_at", needed=True),
    PrimaryKeyConstraint("source", "event_id", "plant", "line"),
    Index("doubles_noted", "noted_at"),
)
"""Accepted events of the MES whose source and id were accepted on another line or plant, too: each
place has a row. `noted_at` is when that of the place arrived, else its time."""

TRANSACTIONS: Final = Table(
    "transactions",
    METADATA,
    _text("id", needed=True),
    _whole("day", needed=True),
    _text("type", needed=True),
    _text("plant", needed=True),
    _text("line", needed=True),
    _whole("happened_at", needed=True),
    _whole("written_at", needed=True),
    _whole("window_start"),
    _whole("window_end"),
    Column("revision", Integer, nullable=True),
    _text("posting_date", needed=True),
    _text("order_id"),
    _text("operation"),
    _text("item"),
    _text("lot"),
    _text("serial"),
    _text("work_unit"),
    _text("subject"),
    _text("reverses"),
    _text("measure"),
    _text("uom"),
    _whole("whole"),
    _whole("nano"),
    _text("trace"),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("id", "day"),
    _some("transactions_order", "order_id", "happened_at"),
    _some("transactions_lot", "lot"),
    _some("transactions_serial", "serial"),
    _some("transactions_item", "item", "happened_at"),
    _some("transactions_reverses", "reverses"),
    _some("transactions_trace", "trace"),
    Index("transactions_line", "plant", "line", "happened_at"),
    postgresql_partition_by="RANGE (day)",
)
"""Each record of `erp.transactions.v1`, once by its posting key.

`day` is that of `happened_at` (the CloudEvent's `time`): a record that comes twice has it twice.
`measure` is `quantity` or `seconds`, where there is one. `value` is the event, compressed by zlib.
"""

SUMMARIES: Final = Table(
    "summaries",
    METADATA,
    _text("id", needed=True),
    _whole("day", needed=True),
    _text("type", needed=True),
    _text("plant", needed=True),
    _text("line", needed=True),
    _whole("window_start", needed=True),
    _whole("window_end", needed=True),
    Column("revision", Integer, nullable=False),
    _whole("written_at", needed=True),
    _text("order_id"),
    _text("item"),
    _text("work_unit"),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("id", "day"),
    Index("summaries_line", "plant", "line", "type", "window_start"),
    _some("summaries_order", "order_id", "type"),
    postgresql_partition_by="RANGE (day)",
)
"""Each record of a summary topic, once by its id; `day` is that of `window_start`."""

SUMS: Final = Table(
    "sums",
    METADATA,
    _text("plant", needed=True),
    _text("line", needed=True),
    _text("type", needed=True),
    _whole("quarter", needed=True),
    _text("row", needed=True),
    _text("measure", needed=True),
    _text("order_id"),
    _text("operation"),
    _text("item"),
    _text("lot"),
    _text("storage"),
    _text("uom"),
    _text("reason"),
    _text("kind"),
    Column("planned", Boolean, nullable=True),
    _text("work_unit"),
    _text("state"),
    _whole("whole", needed=True),
    _whole("nano", needed=True),
    PrimaryKeyConstraint("plant", "line", "type", "quarter", "row", "measure"),
    Index("sums_quarter", "type", "quarter"),
    _some("sums_order", "order_id", "type"),
)
"""Summaries added up, all revisions, by quarter of an hour of their windows' starts (`quarter`: its
start). `row` is the row of the posting key, `measure` one of the summary's measures, or `count`."""

OPERATIONS: Final = Table(
    "operations",
    METADATA,
    _text("plant", needed=True),
    _text("line", needed=True),
    _text("order_id", needed=True),
    _text("operation", needed=True),
    _whole("quarter", needed=True),
    PrimaryKeyConstraint("plant", "line", "order_id"),
    Index("operations_order", "order_id"),
)
"""The last operation of an order on a line: that with the greatest name, since operations count
upwards. A piece is finished there; on the ones before it is the same piece. `quarter` is the latest
in which something was made for the order."""

EXCEPTIONS: Final = Table(
    "exceptions",
    METADATA,
    _text("id", needed=True),
    _text("class", needed=True),
    _text("code", needed=True),
    _text("reason", needed=True),
    _whole("raised_at", needed=True),
    _text("plant"),
    _text("line"),
    _text("topic", needed=True),
    Column("number", Integer, nullable=False),
    _whole("position", needed=True),
    _text("type"),
    _text("source"),
    _text("event_id"),
    _whole("happened_at"),
    _text("order_id"),
    _text("item"),
    _text("lot"),
    _text("serial"),
    _text("trace"),
    _text("resent_from"),
    _text("status", needed=True),
    _text("assigned_to"),
    _text("fixed"),
    Column("version", Integer, nullable=False),
    _text("changed_by"),
    _whole("changed_at"),
    _text("key"),
    Column("headers", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=True),
    Column("cut", Boolean, nullable=True),
    PrimaryKeyConstraint("id"),
    Index("exceptions_status", "status", "raised_at"),
    Index("exceptions_place", "status", "plant", "line"),
    Index("exceptions_raised", "raised_at"),
    Index("exceptions_class", "class", "raised_at"),
    Index("exceptions_line", "plant", "line", "raised_at"),
    Index("exceptions_event", "event_id", "source"),
    _some("exceptions_order", "order_id"),
    _some("exceptions_lot", "lot"),
    _some("exceptions_serial", "serial"),
    _some("exceptions_trace", "trace"),
    Index("exceptions_position", "topic", "number", "position"),
    _some("exceptions_resent_from", "resent_from"),
)
"""Each record of `exceptions.v1`, once by its id, and what was done about it.

`raised_at` is the timestamp of the refused record, else when the exception was written. `status`:

- `open`: somebody has to look, or (`unknown_master`) master data are waited for;
- `asked`: a fix or resend that a second person has to approve;
- `resent`: on its way back into the log;
- `resolved`: what was sent again was accepted, or is a duplicate of what was;
- `refused_again`: it was refused; the newer exception, whose `resent_from` is this id, is open;
- `dismissed`: somebody said that nothing has to be done.

`version` counts the acts: whoever acts names the version that they saw. `fixed` is the value that
was sent in place of the original, if it was edited. `headers` is JSON, `value` the original's
bytes, both compressed by zlib. `cut`: a part of the original isn't there, so that it can't be sent
again.
"""

CLAIMS: Final = Table(
    "claims",
    METADATA,
    _text("subject", needed=True),
    _text("id", needed=True),
    _text("sender", needed=True),
    _whole("at", needed=True),
    Column("act", LargeBinary, nullable=False),
    _text("topic"),
    Column("number", Integer, nullable=True),
    Column("key", LargeBinary, nullable=True),
    Column("headers", LargeBinary, nullable=True),
    Column("value", LargeBinary, nullable=True),
    PrimaryKeyConstraint("subject"),
    Index("claims_id", "id"),
    Index("claims_sender", "sender"),
)
"""Acts that were decided and aren't known to be on `audit.v1` yet: one for an exception at a time.

The row of the exception has moved on already. `sender` is who writes the act, `at` since when.
`act` is its record; the rest is what is sent again with it, no `topic` if nothing is. `number` is
the partition, none where the key says it; `headers` is msgpack; `act`, `headers` and `value` are
compressed by zlib.
"""

ACTS: Final = Table(
    "acts",
    METADATA,
    _text("id", needed=True),
    _whole("at", needed=True),
    _text("who", needed=True),
    _text("act", needed=True),
    _text("subject", needed=True),
    _text("plant"),
    _text("line"),
    _text("why"),
    _text("batch"),
    Column("before", LargeBinary, nullable=True),
    Column("after", LargeBinary, nullable=True),
    PrimaryKeyConstraint("id"),
    Index("acts_subject", "subject", "at"),
    Index("acts_at", "at"),
    Index("acts_who", "who", "at"),
)
"""Each record of `audit.v1`: who did what to which exception (`subject`), when and why.

`batch` is one for all acts of one bulk action. `before` and `after` are JSON, compressed by zlib.
"""

REFERENCES: Final = Table(
    "references",
    METADATA,
    _text("key", needed=True),
    _text("kind", needed=True),
    _text("plant", needed=True),
    _text("name", needed=True),
    Column("deleted", Boolean, nullable=False),
    _text("source"),
    _whole("said_at"),
    _whole("position", needed=True),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("key"),
    Index("references_kind", "kind", "plant", "name"),
)
"""The last record of each key of `reference.v1`; `name` is its id, the parts joined by `/`."""

COPIES: Final = Table(
    "copies",
    METADATA,
    Column("number", Integer, nullable=False),
    _whole("position", needed=True),
    _text("kind", needed=True),
    _text("plant", needed=True),
    _text("name", needed=True),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("number", "position"),
    Index("copies_name", "kind", "plant", "name"),
)
"""From where on a hold or its release is in force on a partition of `mes.events.v1`."""

LINES: Final = Table(
    "lines",
    METADATA,
    _text("plant", needed=True),
    _text("line", needed=True),
    _whole("mes_at"),
    _whole("machine_at"),
    _whole("arrived_at"),
    _whole("closed_to"),
    PrimaryKeyConstraint("plant", "line"),
)
"""Per line: its greatest event times on each input, when its last event arrived, and the greatest
end of a summary window that has left: summaries are complete up to there, late events aside."""

UNITS: Final = Table(
    "units",
    METADATA,
    _text("plant", needed=True),
    _text("line", needed=True),
    _text("work_unit", needed=True),
    _text("state", needed=True),
    _whole("since", needed=True),
    _text("reason"),
    _text("order_id"),
    _text("item"),
    PrimaryKeyConstraint("plant", "line", "work_unit"),
)
"""The last machine state of each work unit."""

_NO_END: Final = text("ended_at IS NULL")

STOPS: Final = Table(
    "stops",
    METADATA,
    _text("plant", needed=True),
    _text("line", needed=True),
    _text("episode", needed=True),
    _text("work_unit"),
    _text("reason"),
    Column("planned", Boolean, nullable=True),
    _whole("started_at"),
    _whole("ended_at"),
    PrimaryKeyConstraint("plant", "line", "episode"),
    Index("stops_line", "plant", "line", "started_at"),
    Index("stops_open", "plant", "line", sqlite_where=_NO_END, postgresql_where=_NO_END),
)
"""Downtime episodes: start and end, reason and whether planned as told last."""

FLOWS: Final = Table(
    "flows",
    METADATA,
    _whole("quarter", needed=True),
    _text("topic", needed=True),
    _text("plant", needed=True),
    _text("line", needed=True),
    _text("source", needed=True),
    _text("outcome", needed=True),
    _whole("records", needed=True),
    _whole("lag", needed=True),
    _whole("lag_max", needed=True),
    PrimaryKeyConstraint("quarter", "topic", "plant", "line", "source", "outcome"),
)
"""Records that came in, by quarter of an hour of their arrival.

`outcome` is `accepted`, `duplicate`, a code of an exception, `tick` (reference records too) or
`telemetry`. What couldn't be read is empty text. `lag` is the sum of arrival less event time in
microseconds, `lag_max` the greatest.
"""

POSTED: Final = Table(
    "posted",
    METADATA,
    _text("plant", needed=True),
    _text("line", needed=True),
    _text("posting_date", needed=True),
    _text("type", needed=True),
    _text("measure", needed=True),
    _text("uom", needed=True),
    _whole("records", needed=True),
    _whole("whole", needed=True),
    _whole("nano", needed=True),
    PrimaryKeyConstraint("plant", "line", "posting_date", "type", "measure", "uom"),
)
"""Transactions added up; a reversal counts under the type that it takes back, with the opposite
sign. `measure` and `uom` are empty text where there are none."""

ACCEPTED: Final = Table(
    "accepted",
    METADATA,
    _text("plant", needed=True),
    _text("line", needed=True),
    _whole("quarter", needed=True),
    _text("type", needed=True),
    _text("measure", needed=True),
    _text("uom", needed=True),
    _whole("records", needed=True),
    _whole("whole", needed=True),
    _whole("nano", needed=True),
    PrimaryKeyConstraint("plant", "line", "quarter", "type", "measure", "uom"),
)
"""Accepted events added up by quarter of an hour of their time; a reversal counts under the type
that it takes back, with the opposite sign."""
