"""EDGE: how fresh the books are: when they last took something, and what they don't have yet."""

from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from streams.values import instant
from tables.books.asked import OneAsked
from tables.books.plants import Plants, seen
from tables.books.schema import ACTS, EXCEPTIONS, OFFSETS, PROCESSED

OPEN = ("open", "asked", "resent")
"""The statuses of an exception with which nothing is settled."""


class PulseAsked(OneAsked, frozen=True):
    """Whether the books have changed."""


def told(at: int | None) -> str | None:
    """Return an instant as RFC 3339, None for none."""
    return None if at is None else instant.text(int(at))


def fresh(connection: Connection) -> dict[str, Any]:
    """Return `books_at`, and how many records are `behind`: processed or written, and not here."""
    at = connection.execute(select(func.max(OFFSETS.c.noted_at))).scalar()
    return {"books_at": told(at), "behind": behind(connection)}


def behind(connection: Connection) -> int:
    """Return how many records the job has processed or written that the books don't have."""
    ahead = PROCESSED.c.next_offset - func.coalesce(OFFSETS.c.next_offset, 0)
    query = select(func.sum(case((ahead > 0, ahead), else_=0))).select_from(
        PROCESSED.outerjoin(
            OFFSETS,
            and_(OFFSETS.c.topic == PROCESSED.c.topic, OFFSETS.c.number == PROCESSED.c.number),
        )
    )
    return int(connection.execute(query).scalar() or 0)


def pulse(connection: Connection, plants: Plants, _query: PulseAsked, now: int) -> dict[str, Any]:
    """Return what tells that something changed: `mark` is another one whenever the books grew."""
    offsets = connection.execute(
        select(func.max(OFFSETS.c.noted_at), func.sum(OFFSETS.c.next_offset))
    ).one()
    last_act = connection.execute(select(func.max(ACTS.c.at))).scalar()
    count = (
        select(func.count())
        .select_from(EXCEPTIONS)
        .where(EXCEPTIONS.c.status.in_(OPEN), seen(EXCEPTIONS.c.plant, plants))
    )
    return {
        "at": told(now),
        "books_at": told(offsets[0]),
        "behind": behind(connection),
        "exceptions_open": int(connection.execute(count).scalar() or 0),
        "mark": f"{offsets[0]}/{offsets[1]}/{last_act}",
    }
