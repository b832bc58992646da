"""EDGE: tables of records: what went in, what left, master data."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    text,
)

from tables.books.columns import METADATA, some, whole, words

INPUTS: Final = Table(
    "inputs",
    METADATA,
    words("topic", needed=True),
    Column("number", Integer, nullable=False),
    whole("position", needed=True),
    whole("day", needed=True),
    whole("arrived_at"),
    words("outcome", needed=True),
    words("type"),
    words("plant"),
    words("line"),
    words("source"),
    words("event_id"),
    whole("happened_at"),
    words("order_id"),
    words("operation"),
    words("item"),
    words("lot"),
    words("serial"),
    words("work_unit"),
    words("subject"),
    words("trace"),
    words("resent_from"),
    Column("value", LargeBinary, nullable=True),
    PrimaryKeyConstraint("topic", "number", "position", "day"),
    Index("inputs_event", "event_id", "source"),
    some("inputs_order", "order_id", "happened_at"),
    some("inputs_lot", "lot"),
    some("inputs_serial", "serial"),
    some("inputs_item", "item", "happened_at"),
    some("inputs_subject", "subject"),
    some("inputs_trace", "trace"),
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
    words("source", needed=True),
    words("event_id", needed=True),
    words("plant", needed=True),
    words("line", needed=True),
    whole("noted_at", needed=True),
    PrimaryKeyConstraint("source", "event_id", "plant", "line"),
    Index("doubles_noted", "noted_at"),
)
"""Accepted events of the MES whose source and id were accepted on another line or plant, too: each
place has a row. `noted_at` is when that of the place arrived, else its time."""

TRANSACTIONS: Final = Table(
    "transactions",
    METADATA,
    words("id", needed=True),
    whole("day", needed=True),
    words("type", needed=True),
    words("plant", needed=True),
    words("line", needed=True),
    whole("happened_at", needed=True),
    whole("written_at", needed=True),
    whole("window_start"),
    whole("window_end"),
    Column("revision", Integer, nullable=True),
    words("posting_date", needed=True),
    words("order_id"),
    words("operation"),
    words("item"),
    words("lot"),
    words("serial"),
    words("work_unit"),
    words("subject"),
    words("reverses"),
    words("measure"),
    words("uom"),
    whole("whole"),
    whole("nano"),
    words("trace"),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("id", "day"),
    some("transactions_order", "order_id", "happened_at"),
    some("transactions_lot", "lot"),
    some("transactions_serial", "serial"),
    some("transactions_item", "item", "happened_at"),
    some("transactions_reverses", "reverses"),
    some("transactions_trace", "trace"),
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
    words("id", needed=True),
    whole("day", needed=True),
    words("type", needed=True),
    words("plant", needed=True),
    words("line", needed=True),
    whole("window_start", needed=True),
    whole("window_end", needed=True),
    Column("revision", Integer, nullable=False),
    whole("written_at", needed=True),
    words("order_id"),
    words("item"),
    words("work_unit"),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("id", "day"),
    Index("summaries_line", "plant", "line", "type", "window_start"),
    some("summaries_order", "order_id", "type"),
    postgresql_partition_by="RANGE (day)",
)
"""Each record of a summary topic, once by its id; `day` is that of `window_start`."""

REFERENCES: Final = Table(
    "references",
    METADATA,
    words("key", needed=True),
    words("kind", needed=True),
    words("plant", needed=True),
    words("name", needed=True),
    Column("deleted", Boolean, nullable=False),
    words("source"),
    whole("said_at"),
    whole("position", needed=True),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("key"),
    Index("references_kind", "kind", "plant", "name"),
)
"""The last record of each key of `reference.v1`; `name` is its id, the parts joined by `/`."""

COPIES: Final = Table(
    "copies",
    METADATA,
    Column("number", Integer, nullable=False),
    whole("position", needed=True),
    words("kind", needed=True),
    words("plant", needed=True),
    words("name", needed=True),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("number", "position"),
    Index("copies_name", "kind", "plant", "name"),
)
"""From where on a hold or its release is in force on a partition of `mes.events.v1`."""
