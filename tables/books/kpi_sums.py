"""EDGE: measures of summaries added up over stretches of time, exactly.

Whole quarters of an hour are in `sums`; what is left at the edges is read of single summaries.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, true

from tables.books.amounts import billionths as billionths_of
from tables.books.kpi_minutes import MEMBERS, billionths, minutes
from tables.books.kpi_stretches import Numbered, in_chunks, quarters_and_edges, table_of
from tables.books.last_operations import GOOD, Finished, finished, is_finished
from tables.books.schema import SUMS

Key = tuple[Any, ...]
"""The stretch's number, the values of the columns that were asked for, and the measure."""

Wanted = Mapping[str, str]
"""Values that columns of `sums` must have."""


def summed(
    connection: Connection,
    plant: str,
    lines: Sequence[str],
    type_: str,
    stretches: Iterable[Numbered],
    by: Sequence[str],
    measures: Sequence[str],
    wanted: Wanted | None = None,
    where: Finished | None = None,
) -> dict[Key, int]:
    """Return measures in billionths, by stretch, columns of `sums` and measure.

    `where` counts good pieces where they are finished only; None: on each operation.
    """
    whole, edges = quarters_and_edges(stretches)
    found: dict[Key, int] = {}
    if not lines:
        return found
    given = wanted or {}
    for chunk in in_chunks(whole):
        within = table_of(chunk)
        columns = [within.c.number, *(SUMS.c[name] for name in by), SUMS.c.measure]
        source, is_last = finished(SUMS, where) if where else (SUMS, true())
        query = (
            select(*columns, func.sum(SUMS.c.whole), func.sum(SUMS.c.nano))
            .select_from(source)
            .where(is_last)
            .join(within, (SUMS.c.quarter >= within.c.begin) & (SUMS.c.quarter < within.c.end))
            .where(
                SUMS.c.plant == plant,
                SUMS.c.line.in_(lines),
                SUMS.c.type == type_,
                SUMS.c.measure.in_(measures),
                *(SUMS.c[name] == value for name, value in given.items()),
            )
            .group_by(*columns)
        )
        for *key, units, nanos in connection.execute(query):
            place = tuple(key)
            found[place] = found.get(place, 0) + billionths_of(units, nanos)
    counts = is_finished(connection, plant, where) if where else None
    for number, line, data in minutes(connection, plant, lines, type_, edges):
        if any(data.get(MEMBERS.get(name, name)) != value for name, value in given.items()):
            continue
        row = [line if name == "line" else data.get(MEMBERS.get(name, name)) for name in by]
        for measure in measures:
            added = billionths(data.get(measure))
            if measure == GOOD and counts is not None and not counts(line, data):
                continue
            if added:
                place = (number, *row, measure)
                found[place] = found.get(place, 0) + added
    return found
