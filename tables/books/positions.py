"""EDGE: how far the books are, and how far the job is."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, or_, select

from streams.log.record import TP
from tables.books.inserting import inserting
from tables.books.schema import OFFSETS, PROCESSED


class Known(NamedTuple):
    """What is known of a partition: how far the job has processed it, and where it ends."""

    processed: int
    end: int


def positions(connection: Connection) -> dict[TP, int]:
    """Return how far the books are: all before that offset is in them."""
    rows = connection.execute(select(OFFSETS.c.topic, OFFSETS.c.number, OFFSETS.c.next_offset))
    return {(topic, number): offset for topic, number, offset in rows}


def noted(connection: Connection, at: TP) -> int | None:
    """Return how far the job was with a partition when it was noted last."""
    columns = PROCESSED.c
    query = select(columns.next_offset).where(columns.topic == at[0], columns.number == at[1])
    found: int | None = connection.execute(query).scalar()
    return found


def move(connection: Connection, at: TP, expected: int | None, next_offset: int, now: int) -> bool:
    """Move a partition on; return whether the books were at `expected` (None: had nothing of it).

    Nobody else can move it before this transaction ends.
    """
    topic, number = at
    if expected is None:
        adding = inserting(connection, OFFSETS).values(
            topic=topic, number=number, next_offset=next_offset, noted_at=now
        )
        made = connection.execute(adding.on_conflict_do_nothing().returning(OFFSETS.c.number))
        return made.first() is not None
    moving = OFFSETS.update().where(
        OFFSETS.c.topic == topic, OFFSETS.c.number == number, OFFSETS.c.next_offset == expected
    )
    done = connection.execute(moving.values(next_offset=next_offset, noted_at=now))
    return bool(done.rowcount == 1)


def note(connection: Connection, known: Mapping[TP, Known], now: int) -> None:
    """Note how far the job is."""
    if not known:
        return
    adding = inserting(connection, PROCESSED)
    new = adding.excluded
    changed = or_(
        PROCESSED.c.next_offset != new.next_offset, PROCESSED.c.end_offset != new.end_offset
    )
    connection.execute(
        adding.on_conflict_do_update(
            index_elements=["topic", "number"],
            set_={
                "next_offset": new.next_offset,
                "end_offset": new.end_offset,
                "noted_at": new.noted_at,
            },
            where=changed,
        ),
        [
            {
                "topic": topic,
                "number": number,
                "next_offset": one.processed,
                "end_offset": one.end,
                "noted_at": now,
            }
            for (topic, number), one in sorted(known.items())
        ],
    )
