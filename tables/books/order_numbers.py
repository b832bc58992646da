"""EDGE: which orders there are, the greatest number first, without reading what they have."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from tables.books import cursors
from tables.books.cursors import Key
from tables.books.like import contains
from tables.books.order_sums import Order
from tables.books.plants import Plants, seen
from tables.books.schema import REFERENCES, SUMS


class Numbers(NamedTuple):
    """Orders, the greatest number first; `behind` is where to go on, None if that is all."""

    orders: list[Order]
    behind: Key | None


def before(
    connection: Connection, plants: Plants, after: Key | None, text: str | None, limit: int
) -> Numbers:
    """Return orders of master data and of sums behind (number, plant): of so many numbers each.

    With a `text` those that have it in their number.
    """
    known, known_to = _of_masters(connection, plants, after, text, limit)
    made, made_to = _of_sums(connection, plants, after, text, limit)
    borders = [each for each in (known_to, made_to) if each is not None]
    found = {*known, *made}
    if not borders:
        return Numbers(_sorted(found), None)
    border = max(borders)
    return Numbers(_sorted({each for each in found if each[1] >= border}), (border, ""))


def _sorted(orders: set[Order]) -> list[Order]:
    return sorted(orders, key=lambda each: (each[1], each[0]), reverse=True)


def _of_masters(
    connection: Connection, plants: Plants, after: Key | None, text: str | None, limit: int
) -> tuple[set[Order], str | None]:
    """Return the next orders of each plant, by the index of its records, and how far they go."""
    column = REFERENCES.c
    wanted = select(column.plant).where(column.kind == "order", seen(column.plant, plants))
    found: set[Order] = set()
    borders: list[str] = []
    for plant in connection.execute(wanted.distinct()).scalars().all():
        of_plant = select(column.name).where(
            column.kind == "order", column.plant == plant, column.deleted.is_(False)
        )
        if text is not None:
            of_plant = of_plant.where(contains(column.name, text))
        if after is not None:
            number, same_too = column.name, plant < after[1]
            of_plant = of_plant.where(number <= after[0] if same_too else number < after[0])
        ordered = of_plant.order_by(column.name.desc()).limit(limit)
        numbers = connection.execute(ordered).scalars().all()
        found |= {(plant, number) for number in numbers}
        if len(numbers) == limit:
            borders.append(numbers[-1])
    return found, max(borders, default=None)


def _of_sums(
    connection: Connection, plants: Plants, after: Key | None, text: str | None, limit: int
) -> tuple[set[Order], str | None]:
    """Return the next orders of summaries, leaping from number to number in the index."""
    first = select(func.max(SUMS.c.order_id).label("number")).where(SUMS.c.order_id.is_not(None))
    if after is not None:
        first = first.where(SUMS.c.order_id < after[0])
    leaps = first.cte("leaps", recursive=True)
    next_one = (
        select(func.max(SUMS.c.order_id))
        .where(SUMS.c.order_id < leaps.c.number)
        .correlate(leaps)
        .scalar_subquery()
    )
    leaps = leaps.union_all(select(next_one).where(leaps.c.number.is_not(None)))
    leapt = connection.execute(select(leaps.c.number).limit(limit)).scalars().all()
    numbers = [each for each in leapt if each is not None]
    border = numbers[-1] if len(numbers) == limit else None
    if after is not None:
        numbers.append(after[0])  # it may be one of a plant behind the cursor's
    if text is not None:
        numbers = [each for each in numbers if text.casefold() in each.casefold()]
    if not numbers:
        return set(), border
    column = SUMS.c
    of_numbers = select(column.plant, column.order_id).where(
        column.order_id.in_(numbers), seen(column.plant, plants)
    )
    if after is not None:
        key = (column.order_id, column.plant)
        of_numbers = of_numbers.where(cursors.smaller(key, after))
    rows = connection.execute(of_numbers.distinct()).all()
    return {(plant, number) for plant, number in rows}, border
