"""EDGE: summaries row by row, their revisions added up, in the order of plant, line and window."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, select

from streams.contract.policy import Summary
from tables.books.kpi_minutes import billionths
from tables.books.schema import SUMMARIES
from tables.books.stored import data_of

FETCHED: Final = 2_000
"""Records that are fetched at a time: what is in memory of the books."""


class SummaryRow(Struct):
    """A row of a window, all revisions added up."""

    plant: str
    line: str
    window_start: int
    window_end: int
    members: dict[str, Any]
    """Its row, by the members' names."""
    measures: dict[str, int]
    """In billionths."""
    count: int
    """Events, a reversal counting -1; 0 of types that have no count."""
    revisions: int
    """Records that were added up."""


def summary_rows(
    connection: Connection,
    plant: str,
    line: str,
    type_: str,
    summary: Summary,
    begin: int | None,
    end: int | None,
) -> Iterator[SummaryRow]:
    """Yield the rows of the windows that begin in [begin, end), the earliest first."""
    query = (
        select(
            SUMMARIES.c.window_start,
            SUMMARIES.c.window_end,
            SUMMARIES.c.value,
        )
        .where(
            SUMMARIES.c.plant == plant,
            SUMMARIES.c.line == line,
            SUMMARIES.c.type == type_,
        )
        .order_by(SUMMARIES.c.window_start)
    )
    if begin is not None:
        query = query.where(SUMMARIES.c.window_start >= begin)
    if end is not None:
        query = query.where(SUMMARIES.c.window_start < end)
    window: dict[tuple[Any, ...], SummaryRow] = {}
    at: int | None = None
    with connection.execution_options(yield_per=FETCHED).execute(query) as found:
        for window_start, window_end, value in found:
            if window_start != at:
                yield from _in_order(window)
                window, at = {}, window_start
            data = data_of(value)
            key = tuple(data.get(name) for name in summary.row)
            row = window.get(key)
            if row is None:
                members = dict(zip(summary.row, key, strict=True))
                measures = dict.fromkeys(summary.measures, 0)
                row = SummaryRow(plant, line, window_start, window_end, members, measures, 0, 0)
                window[key] = row
            for name in summary.measures:
                row.measures[name] += billionths(data.get(name))
            count = data.get("count")
            row.count += count if isinstance(count, int) else 0
            row.revisions += 1
    yield from _in_order(window)


def _in_order(window: dict[tuple[Any, ...], SummaryRow]) -> Iterator[SummaryRow]:
    for key in sorted(window, key=lambda each: tuple(map(str, each))):
        yield window[key]
