"""EDGE: tables of what was refused, and what people did about it."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
)

from tables.books.columns import METADATA, some, whole, words

EXCEPTIONS: Final = Table(
    "exceptions",
    METADATA,
    words("id", needed=True),
    words("class", needed=True),
    words("code", needed=True),
    words("reason", needed=True),
    whole("raised_at", needed=True),
    words("plant"),
    words("line"),
    words("topic", needed=True),
    Column("number", Integer, nullable=False),
    whole("position", needed=True),
    words("type"),
    words("source"),
    words("event_id"),
    whole("happened_at"),
    words("order_id"),
    words("item"),
    words("lot"),
    words("serial"),
    words("trace"),
    words("resent_from"),
    words("status", needed=True),
    words("assigned_to"),
    words("fixed"),
    Column("version", Integer, nullable=False),
    words("changed_by"),
    whole("changed_at"),
    words("key"),
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
    some("exceptions_order", "order_id"),
    some("exceptions_lot", "lot"),
    some("exceptions_serial", "serial"),
    some("exceptions_trace", "trace"),
    Index("exceptions_position", "topic", "number", "position"),
    some("exceptions_resent_from", "resent_from"),
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
    words("subject", needed=True),
    words("id", needed=True),
    words("sender", needed=True),
    whole("at", needed=True),
    Column("act", LargeBinary, nullable=False),
    words("topic"),
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
    words("id", needed=True),
    whole("at", needed=True),
    words("who", needed=True),
    words("act", needed=True),
    words("subject", needed=True),
    words("plant"),
    words("line"),
    words("why"),
    words("batch"),
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
