"""EDGE: summaries of single windows, for the edges of a period that aren't quarters of an hour."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, select

from streams.values import quantity
from tables.books.asked import AskedError
from tables.books.kpi_stretches import Numbered, in_chunks, table_of
from tables.books.schema import SUMMARIES
from tables.books.stored import data_of
from tables.kpi.local_time import MINUTE

WINDOWS_MAX: Final = 200_000
"""So many summaries are read for one answer at most: some seconds of reading."""

MEMBERS: Final = {"order_id": "order"}
"""The name of a column of `sums` in a summary, where it is another."""


def minutes(
    connection: Connection,
    plant: str,
    lines: Sequence[str],
    type_: str,
    stretches: Sequence[Numbered],
    work_unit: str | None = None,
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield the number of the stretch, the line and the `data` of each summary that begins in one.

    Raises `AskedError` where there are too many of them.
    """
    read = 0
    for chunk in in_chunks(stretches):
        within = table_of(chunk)
        query = (
            select(within.c.number, SUMMARIES.c.line, SUMMARIES.c.value)
            .join(
                within,
                (SUMMARIES.c.window_start >= within.c.begin)
                & (SUMMARIES.c.window_start < within.c.end),
            )
            .where(
                SUMMARIES.c.plant == plant,
                SUMMARIES.c.line.in_(lines),
                SUMMARIES.c.type == type_,
            )
        )
        if work_unit is not None:
            query = query.where(SUMMARIES.c.work_unit == work_unit)
        for number, line, value in connection.execute(query.limit(WINDOWS_MAX + 1)):
            read += 1
            if read > WINDOWS_MAX:
                raise AskedError(
                    "from",
                    f"from and to, or shifts that begin off the quarter of an hour, need more than "
                    f"{WINDOWS_MAX:,} summaries of single minutes: ask for less time, or one line",
                )
            yield number, line, data_of(value)


def billionths(given: Any) -> int:
    """Return a measure of a summary, or its count, in billionths; 0 of what is none."""
    if given is None:
        return 0
    try:
        return quantity.parse(given)
    except ValueError:
        return 0


def first_window(connection: Connection, plant: str | None = None) -> int | None:
    """Return the earliest start of a window that the books have, as a full minute."""
    query = select(func.min(SUMMARIES.c.window_start))
    if plant is not None:
        query = query.where(SUMMARIES.c.plant == plant)
    first = connection.execute(query).scalar()
    return None if first is None else int(first) // MINUTE * MINUTE
