"""EDGE: the books emptied, and how far they are filled again."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, case, func, select

from tables.books.schema import CLAIMS, METADATA, OFFSETS, PROCESSED

KEPT: Final = (PROCESSED, CLAIMS)
"""How far the job is stays known; acts that are on their way have still to arrive."""


LOCK_MS: Final = 400
"""Less than PostgreSQL takes to look for a deadlock: who reads the books goes on, and this is tried
again."""


BUSY: Final = ("55P03", "40P01")
"""PostgreSQL's states where somebody else has a table locked."""


class Filled(NamedTuple):
    """How many records of the topics are in the books, and how many aren't yet."""

    there: int
    left: int


def empty(connection: Connection) -> None:
    """Delete all that topics say: it's read from them anew, by whoever keeps the books.

    Offsets go in the same transaction: what is being written at the moment finds that it can't be.
    """
    tables = [table for table in METADATA.sorted_tables if table not in KEPT]
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout TO {LOCK_MS}")
        connection.exec_driver_sql("LOCK TABLE offsets")  # who writes begins with it
        names = ", ".join(f'"{table.name}"' for table in tables)
        connection.exec_driver_sql(f"TRUNCATE {names}")
        return
    for table in tables:
        connection.execute(table.delete())


def filled(connection: Connection) -> Filled:
    """Return how far the books are, by what was noted of the topics last."""
    there = func.coalesce(OFFSETS.c.next_offset, 0)
    ahead = case((PROCESSED.c.next_offset > there, PROCESSED.c.next_offset - there), else_=0)
    query = select(func.sum(there), func.sum(ahead)).select_from(
        PROCESSED.outerjoin(
            OFFSETS,
            and_(OFFSETS.c.topic == PROCESSED.c.topic, OFFSETS.c.number == PROCESSED.c.number),
        )
    )
    found, left = connection.execute(query).one()
    return Filled(int(found or 0), int(left or 0))
