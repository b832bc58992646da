"""EDGE: tables of what is added up, and of what lines do now."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    text,
)

from tables.books.columns import METADATA, some, whole, words

SUMS: Final = Table(
    "sums",
    METADATA,
    words("plant", needed=True),
    words("line", needed=True),
    words("type", needed=True),
    whole("quarter", needed=True),
    words("row", needed=True),
    words("measure", needed=True),
    words("order_id"),
    words("operation"),
    words("item"),
    words("lot"),
    words("storage"),
    words("uom"),
    words("reason"),
    words("kind"),
    Column("planned", Boolean, nullable=True),
    words("work_unit"),
    words("state"),
    whole("whole", needed=True),
    whole("nano", needed=True),
    PrimaryKeyConstraint("plant", "line", "type", "quarter", "row", "measure"),
    Index("sums_quarter", "type", "quarter"),
    some("sums_order", "order_id", "type"),
)
"""Summaries added up, all revisions, by quarter of an hour of their windows' starts (`quarter`: its
start). `row` is the row of the posting key, `measure` one of the summary's measures, or `count`."""

OPERATIONS: Final = Table(
    "operations",
    METADATA,
    words("plant", needed=True),
    words("line", needed=True),
    words("order_id", needed=True),
    words("operation", needed=True),
    whole("quarter", needed=True),
    PrimaryKeyConstraint("plant", "line", "order_id"),
    Index("operations_order", "order_id"),
)
"""The last operation of an order on a line: that with the greatest name, since operations count
upwards. A piece is finished there; on the ones before it is the same piece. `quarter` is the latest
in which something was made for the order."""

LINES: Final = Table(
    "lines",
    METADATA,
    words("plant", needed=True),
    words("line", needed=True),
    whole("mes_at"),
    whole("machine_at"),
    whole("arrived_at"),
    whole("closed_to"),
    PrimaryKeyConstraint("plant", "line"),
)
"""Per line: its greatest event times on each input, when its last event arrived, and the greatest
end of a summary window that has left: summaries are complete up to there, late events aside."""

UNITS: Final = Table(
    "units",
    METADATA,
    words("plant", needed=True),
    words("line", needed=True),
    words("work_unit", needed=True),
    words("state", needed=True),
    whole("since", needed=True),
    words("reason"),
    words("order_id"),
    words("item"),
    PrimaryKeyConstraint("plant", "line", "work_unit"),
)
"""The last machine state of each work unit."""

_NO_END: Final = text("ended_at IS NULL")

STOPS: Final = Table(
    "stops",
    METADATA,
    words("plant", needed=True),
    words("line", needed=True),
    words("episode", needed=True),
    words("work_unit"),
    words("reason"),
    Column("planned", Boolean, nullable=True),
    whole("started_at"),
    whole("ended_at"),
    PrimaryKeyConstraint("plant", "line", "episode"),
    Index("stops_line", "plant", "line", "started_at"),
    Index("stops_open", "plant", "line", sqlite_where=_NO_END, postgresql_where=_NO_END),
)
"""Downtime episodes: start and end, reason and whether planned as told last."""

FLOWS: Final = Table(
    "flows",
    METADATA,
    whole("quarter", needed=True),
    words("topic", needed=True),
    words("plant", needed=True),
    words("line", needed=True),
    words("source", needed=True),
    words("outcome", needed=True),
    whole("records", needed=True),
    whole("lag", needed=True),
    whole("lag_max", needed=True),
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
    words("plant", needed=True),
    words("line", needed=True),
    words("posting_date", needed=True),
    words("type", needed=True),
    words("measure", needed=True),
    words("uom", needed=True),
    whole("records", needed=True),
    whole("whole", needed=True),
    whole("nano", needed=True),
    PrimaryKeyConstraint("plant", "line", "posting_date", "type", "measure", "uom"),
)
"""Transactions added up; a reversal counts under the type that it takes back, with the opposite
sign. `measure` and `uom` are empty text where there are none."""

ACCEPTED: Final = Table(
    "accepted",
    METADATA,
    words("plant", needed=True),
    words("line", needed=True),
    whole("quarter", needed=True),
    words("type", needed=True),
    words("measure", needed=True),
    words("uom", needed=True),
    whole("records", needed=True),
    whole("whole", needed=True),
    whole("nano", needed=True),
    PrimaryKeyConstraint("plant", "line", "quarter", "type", "measure", "uom"),
)
"""Accepted events added up by quarter of an hour of their time; a reversal counts under the type
that it takes back, with the opposite sign."""
