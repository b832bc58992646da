"""EDGE: the newest rows of many lines first, found by the index of a line.

The indexes begin with the plant and the line. So lines are walked through for a short stretch of
time, and for a longer one before it as long as rows are missing: little is sorted that isn't shown.
"""

from collections.abc import Sequence
from typing import Any, Final

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
from tables.books.plants import Plants, seen
from tables.books.schema import LINES

FIRST: Final = 60 * SECOND
"""The first stretch: of 1,000 busy lines it has some thousand rows."""

LONGER: Final = 8
"""So much longer is each stretch than the one behind it: a year is reached with the eighth."""

ALL: Final = 100 * 366 * DAY
"""A stretch this long is the last one: everything before it."""

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


def rows_of(connection: Connection, sought: Sought) -> list[RowMapping]:
    """Return at most `limit` rows, the newest first."""
    return _direct(connection, sought) if sought.narrow else _walked(connection, sought)


def _direct(connection: Connection, sought: Sought) -> list[RowMapping]:
    table = sought.table
    query = select(*sought.columns).where(
        *sought.narrow,
        *sought.conditions,
        seen(table.c.plant, sought.plants),
        table.c.happened_at >= (sought.begin or 0),
        table.c.happened_at < sought.end,
    )
    if sought.plant is not None:
        query = query.where(table.c.plant == sought.plant)
    if sought.line is not None:
        query = query.where(table.c.line == sought.line)
    return list(connection.execute(_ordered(query, sought, sought.limit)).mappings())


def _ordered(query: Select[Any], sought: Sought, limit: int) -> Select[Any]:
    if sought.after is not None:
        query = query.where(cursors.smaller(sought.order, sought.after))
    return query.order_by(*(each.desc() for each in sought.order)).limit(limit)


def _walked(connection: Connection, sought: Sought) -> list[RowMapping]:
    table, begin, limit = sought.table, sought.begin or 0, sought.limit
    found: list[RowMapping] = []
    top = sought.end if sought.after is None else min(sought.end, int(sought.after[0]) + 1)
    top = min(top, _last(connection, sought, top) + 1)
    stretch = FIRST
    while len(found) < limit:
        low = max(begin, top - stretch) if stretch < ALL else begin
        query = (
            select(*sought.columns)
            .select_from(LINES.join(table, _of_line(table)))
            .where(
                *_lines(sought),
                table.c.happened_at >= low,
                table.c.happened_at < top,
                *sought.conditions,
            )
        )
        found += connection.execute(_ordered(query, sought, limit - len(found))).mappings().all()
        if low <= begin:
            break
        top, stretch = low, stretch * LONGER
    return found


def _last(connection: Connection, sought: Sought, before: int) -> int:
    """Return the greatest time of a row before an instant: each line is asked for its own."""
    table = sought.table
    newest_of_line = (
        select(func.max(table.c.happened_at))
        .where(_of_line(table), table.c.happened_at < before)
        .correlate(LINES)
        .scalar_subquery()
    )
    of_lines = select(newest_of_line.label("at")).where(*_lines(sought)).subquery()
    return int(connection.execute(select(func.max(of_lines.c.at))).scalar() or 0)


def _of_line(table: Table) -> ColumnElement[bool]:
    return and_(table.c.plant == LINES.c.plant, table.c.line == LINES.c.line)


def _lines(sought: Sought) -> list[ColumnElement[bool]]:
    conditions = [seen(LINES.c.plant, sought.plants)]
    if sought.plant is not None:
        conditions.append(LINES.c.plant == sought.plant)
    if sought.line is not None:
        conditions.append(LINES.c.line == sought.line)
    return conditions
