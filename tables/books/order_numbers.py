"""EDGE: which orders there are, the greatest number first, without reading what they have."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from tables.books import cursors
from tables.books.order_sums import Order
from tables.books.plants import Plants, seen
from tables.books.schema import REFERENCES, SUMS


def before(
    connection: Connection, plants: Plants, after: Sequence[Any] | None, limit: int
) -> list[Order]:
    """Return at most `limit` orders of master data and of sums, behind (number, plant)."""
    found = _of_masters(connection, plants, after, limit) | _of_sums(
        connection, plants, after, limit
    )
    return sorted(found, key=lambda each: (each[1], each[0]), reverse=True)[:limit]


def _of_masters(
    connection: Connection, plants: Plants, after: Sequence[Any] | None, limit: int
) -> set[Order]:
    """Return the next orders of each plant, by the index of its records."""
    column = REFERENCES.c
    wanted = select(column.plant).where(column.kind == "order", seen(column.plant, plants))
    found: set[Order] = set()
    for plant in connection.execute(wanted.distinct()).scalars().all():
        of_plant = select(column.name).where(
            column.kind == "order", column.plant == plant, column.deleted.is_(False)
        )
        if after is not None:
            number = column.name
            of_plant = of_plant.where(number <= after[0] if plant < after[1] else number < after[0])
        rows = connection.execute(of_plant.order_by(column.name.desc()).limit(limit))
        found |= {(plant, number) for number in rows.scalars()}
    return found


def _of_sums(
    connection: Connection, plants: Plants, after: Sequence[Any] | None, limit: int
) -> set[Order]:
    """Return the next orders of summaries, leaping from one number to the next in the index."""
    numbers: list[str] = []
    if after is not None:
        numbers.append(after[0])  # it may be one of a plant behind the cursor's
    top = select(func.max(SUMS.c.order_id).label("number"))
    if after is not None:
        top = top.where(SUMS.c.order_id < after[0])
    leaps = top.cte("leaps", recursive=True)
    next_one = (
        select(func.max(SUMS.c.order_id))
        .where(SUMS.c.order_id < leaps.c.number)
        .correlate(leaps)
        .scalar_subquery()
    )
    leaps = leaps.union_all(select(next_one).where(leaps.c.number.is_not(None)))
    wanted = select(leaps.c.number).limit(limit + 1)
    numbers += [each for each in connection.execute(wanted).scalars() if each is not None]
    if not numbers:
        return set()
    column = SUMS.c
    of_numbers = select(column.plant, column.order_id).where(
        column.order_id.in_(numbers), seen(column.plant, plants)
    )
    if after is not None:
        key = (column.order_id, column.plant)
        of_numbers = of_numbers.where(cursors.smaller(key, after))
    return {(plant, number) for plant, number in connection.execute(of_numbers.distinct())}
