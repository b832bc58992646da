"""EDGE: the tables of the books, the same on SQLite and PostgreSQL.

Instants are whole microseconds since 1970-01-01T00:00:00Z. A decimal is two whole numbers of one
sign: `whole`, and `nano` in billionths, so that sums are exact in both databases. Ids are those of
the topics, so that a record that is read again changes nothing.
"""

from typing import Final

from sqlalchemy import Column, Integer, PrimaryKeyConstraint, Table

from tables.books.columns import METADATA as METADATA
from tables.books.columns import whole, words
from tables.books.schema_records import COPIES as COPIES
from tables.books.schema_records import DOUBLES as DOUBLES
from tables.books.schema_records import INPUTS as INPUTS
from tables.books.schema_records import REFERENCES as REFERENCES
from tables.books.schema_records import SUMMARIES as SUMMARIES
from tables.books.schema_records import TRANSACTIONS as TRANSACTIONS
from tables.books.schema_sums import ACCEPTED as ACCEPTED
from tables.books.schema_sums import FLOWS as FLOWS
from tables.books.schema_sums import LINES as LINES
from tables.books.schema_sums import OPERATIONS as OPERATIONS
from tables.books.schema_sums import POSTED as POSTED
from tables.books.schema_sums import STOPS as STOPS
from tables.books.schema_sums import SUMS as SUMS
from tables.books.schema_sums import UNITS as UNITS
from tables.books.schema_work import ACTS as ACTS
from tables.books.schema_work import CLAIMS as CLAIMS
from tables.books.schema_work import EXCEPTIONS as EXCEPTIONS

OFFSETS: Final = Table(
    "offsets",
    METADATA,
    words("topic", needed=True),
    Column("number", Integer, nullable=False),
    whole("next_offset", needed=True),
    whole("noted_at", needed=True),
    PrimaryKeyConstraint("topic", "number"),
)
"""Per partition of a topic: all records before `next_offset` are in the books."""

PROCESSED: Final = Table(
    "processed",
    METADATA,
    words("topic", needed=True),
    Column("number", Integer, nullable=False),
    whole("next_offset", needed=True),
    whole("end_offset", needed=True),
    whole("noted_at", needed=True),
    PrimaryKeyConstraint("topic", "number"),
)
"""Per partition of an input: how far the job has processed it, and where it ends."""
