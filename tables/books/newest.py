"""EDGE: the newest rows of many lines first, found by the index of a line.

The indexes begin with the plant and the line. So lines are walked through for a short stretch of
time, and for a longer one before it as long as rows are missing: little is sorted that isn't shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Table,
    and_,
    func,
    select,
)

from streams.values.instant import DAY, SECOND
from tables.books import cursors
from tables.books.besides import besides
from tables.books.plants import Plants, seen
from tables.books.schema import LINES

FIRST: Final = 60 * SECOND
"""The first stretch: of 1,000 busy lines it has some thousand rows."""

LONGER: Final = 8
"""So much longer is each stretch than the one behind it: a year is reached with the eighth."""

ALL: Final = 100 * 366 * DAY
"""A stretch this long is the last one: everything before it."""

LOOKED_AT_MAX: Final = 50_000
"""Rows that are looked at for one page, where most may not fit: some tenths of a second. The page
then ends early, and its cursor goes on from there."""

FAR: Final = 2**62
"""An instant behind all others."""


class Sought(Struct, frozen=True, kw_only=True):
    """Which rows of a table are looked for.

    `order` are columns that tell rows apart, `happened_at` the first of them; `after` are their
    values in the row behind which to go on. `begin` None: as far back as there are rows.
    """

    table: Table
    columns: Sequence[Any]
    order: Sequence[ColumnElement[Any]]
    plants: Plants
    plant: str | None = None
    line: str | None = None
    begin: int | None = None
    end: int = FAR
    after: Sequence[Any] | None = None
    limit: int = 50
    narrow: Sequence[ColumnElement[bool]] = ()
    """Conditions that an index answers: with one of them no line is walked through."""
    conditions: Sequence[ColumnElement[bool]] = ()


def narrowed(query: Any, named: Mapping[str, ColumnElement[Any]]) -> list[ColumnElement[bool]]:
    """Return the conditions on columns with an index of their own, by the members of a query."""
    asked = ((column, getattr(query, name)) for name, column in named.items())
    return [column == value for column, value in asked if value is not None]


class Found(NamedTuple):
    """Rows, the newest first; `looked_to`: what is before that instant wasn't looked at."""

    rows: list[RowMapping]
    looked_to: int | None = None


def rows_of(connection: Connection, sought: Sought) -> Found:
    """Return at most `limit` rows; fewer where most of what is looked at doesn't fit."""
    begin, limit = sought.begin or 0, sought.limit
    found: list[RowMapping] = []
    top = sought.end if sought.after is None else min(sought.end, int(sought.after[0]) + 1)
    top = min(top, _last(connection, sought, top) + 1)
    stretch, looked_at = FIRST, 0
    while len(found) < limit:
        low = max(begin, top - stretch) if stretch < ALL else begin
        if sought.conditions:
            count = _count(connection, sought, low, top)
            if count > LOOKED_AT_MAX // LONGER and stretch > FIRST:
                stretch //= LONGER
                continue
            if looked_at > LOOKED_AT_MAX:
                return Found(found, top)
            looked_at += count
        query = _within(sought, sought.columns, low, top).where(*sought.conditions)
        if sought.after is not None:
            query = query.where(cursors.smaller(sought.order, sought.after))
        ordered = query.order_by(*(each.desc() for each in sought.order))
        found += connection.execute(ordered.limit(limit - len(found))).mappings().all()
        if low <= begin:
            break
        top, stretch = low, stretch * LONGER
    return Found(found)


def _within(sought: Sought, columns: Sequence[Any], low: int, top: int) -> Select[Any]:
    """Return the query of what is looked at of [low, top)."""
    table = sought.table
    query = select(*columns)
    if sought.narrow:
        query = query.where(*sought.narrow, *_seen_of(table.c, sought))
    else:
        query = query.select_from(LINES.join(table, of_line(table)))
        query = query.where(*_seen_of(LINES.c, sought))
    return query.where(table.c.happened_at >= low, table.c.happened_at < top)


def _count(connection: Connection, sought: Sought, low: int, top: int) -> int:
    """Return how many rows there are to look at, as far as it matters."""
    within = _within(sought, [sought.table.c.happened_at], low, top)
    few = within.limit(LOOKED_AT_MAX // LONGER + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(few)).scalar() or 0)


def _last(connection: Connection, sought: Sought, before: int) -> int:
    """Return the greatest time of a row before an instant: each line is asked for its own."""
    table = sought.table
    newest = select(func.max(table.c.happened_at)).where(table.c.happened_at < before)
    if sought.narrow:
        whole = newest.where(*sought.narrow, *_seen_of(table.c, sought))
        return int(connection.execute(whole).scalar() or 0)
    of_each = newest.where(of_line(table)).correlate(LINES).scalar_subquery()
    of_lines = select(of_each.label("at")).select_from(LINES)
    of_lines = of_lines.where(*_seen_of(LINES.c, sought))
    greatest = select(func.max(of_lines.subquery().c.at))
    return int(connection.execute(greatest).scalar() or 0)


def of_line(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row is of a line, which says: look it up in the rows' index.

    Without statistics SQLite would look up the lines of all rows. It can't by an expression.
    """
    return and_(
        table.c.plant == func.coalesce(LINES.c.plant, ""),
        table.c.line == func.coalesce(LINES.c.line, ""),
    )


def _seen_of(columns: Any, sought: Sought) -> list[ColumnElement[bool]]:
    plant, line = columns.plant, columns.line
    if sought.narrow:
        plant, line = besides(plant), besides(line)
    conditions = [seen(plant, sought.plants)]
    if sought.plant is not None:
        conditions.append(plant == sought.plant)
    if sought.line is not None:
        conditions.append(line == sought.line)
    return conditions
