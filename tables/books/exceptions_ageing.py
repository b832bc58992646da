"""EDGE: how old open exceptions are, by class, and which are past the time they are given."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, func, select

from streams.values.instant import SECOND
from tables.books.asked import OneAsked, Text
from tables.books.fresh import OPEN, told
from tables.books.plants import Plants, seen
from tables.books.schema import EXCEPTIONS
from tables.books.shown import SERVICE_SECONDS

BUCKETS: Final = (("1h", 3_600), ("8h", 8 * 3_600), ("1d", 86_400), ("7d", 7 * 86_400))
"""Names of ages, and the seconds up to which one is of that age; what is older is "older"."""


class AgeingAsked(OneAsked, frozen=True, kw_only=True):
    """Of which plant."""

    plant: Text | None = None


def ageing(connection: Connection, plants: Plants, query: AgeingAsked, now: int) -> dict[str, Any]:
    """Return the open exceptions by class and age; a class without any is there, too."""
    column = EXCEPTIONS.c
    ages: list[ColumnElement[Any]] = [func.count()]
    borders = [now - seconds * SECOND for _, seconds in BUCKETS]
    for newer, older in zip([None, *borders], [*borders, None], strict=True):
        within = [] if newer is None else [column.raised_at < newer]
        if older is not None:
            within.append(column.raised_at >= older)
        ages.append(func.sum(case((within[0] if len(within) == 1 else within[0] & within[1], 1))))
    kind = column["class"]
    overdue = case(
        *(
            ((kind == name) & (column.raised_at < now - seconds * SECOND), 1)
            for name, seconds in SERVICE_SECONDS.items()
        )
    )
    wanted = (
        select(kind, func.min(column.raised_at), func.sum(overdue), *ages)
        .where(column.status.in_(OPEN), seen(column.plant, plants))
        .group_by(kind)
    )
    if query.plant is not None:
        wanted = wanted.where(column.plant == query.plant)
    found = {row[0]: row for row in connection.execute(wanted)}
    names = [*(name for name, _ in BUCKETS), "older"]
    items = []
    for name in SERVICE_SECONDS:
        row: Any = found.get(name) or (name, None, 0, 0, *(0 for _ in names))
        items.append(
            {
                "class": name,
                "open": int(row[3] or 0),
                "overdue": int(row[2] or 0),
                "oldest": told(row[1]),
                "buckets": {
                    each: int(count or 0) for each, count in zip(names, row[4:], strict=True)
                },
            }
        )
    return {"items": items}
