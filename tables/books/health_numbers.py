"""EDGE: how the books are: their database, and how far each topic is read."""

from typing import Any

from sqlalchemy import Connection, select, text

from tables.books.asked import OneAsked
from tables.books.plants import Plants
from tables.books.schema import OFFSETS, PROCESSED


class HealthAsked(OneAsked, frozen=True):
    """How the books are."""


def health_numbers(
    connection: Connection, _plants: Plants, _query: HealthAsked, _now: int
) -> dict[str, Any]:
    """Return `database` and `topics`; `end` and `processed` are those of inputs only."""
    next_offsets = {
        (row.topic, row.number): row.next_offset for row in connection.execute(select(OFFSETS))
    }
    processed = {(row.topic, row.number): row for row in connection.execute(select(PROCESSED))}
    topics = []
    for at in sorted({*next_offsets, *processed}):
        done = processed.get(at)
        here = next_offsets.get(at, 0)
        topics.append(
            {
                "topic": at[0],
                "partition": at[1],
                "next_offset": here,
                "end": None if done is None else done.end_offset,
                "processed": None if done is None else done.next_offset,
                "behind": 0 if done is None else max(0, done.next_offset - here),
            }
        )
    return {"database": database(connection), "topics": topics}


def database(connection: Connection) -> dict[str, Any]:
    """Return which database it is, and how many bytes it takes."""
    kind = connection.dialect.name
    if kind == "sqlite":
        version = connection.execute(text("SELECT sqlite_version()")).scalar()
        pages = connection.execute(text("PRAGMA page_count")).scalar() or 0
        size = connection.execute(text("PRAGMA page_size")).scalar() or 0
        taken: Any = int(pages) * int(size)
    else:
        version = connection.execute(text("SHOW server_version")).scalar()
        taken = connection.execute(text("SELECT pg_database_size(current_database())")).scalar()
    return {"kind": kind, "version": str(version), "bytes": int(taken or 0), "reachable": True}
