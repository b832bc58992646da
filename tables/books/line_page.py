"""EDGE: one line: what it does now, over some hours, and what is open on it."""

from typing import Any, Final

from msgspec import field
from sqlalchemy import Connection, select

from streams.values.instant import DAY, text
from tables.books import lines_now, shown, timeline
from tables.books.asked import Moment, OneAsked, Text, period
from tables.books.fresh import OPEN, fresh, told
from tables.books.holds_list import HoldsAsked, holds
from tables.books.known_now import zone_of
from tables.books.open_windows import open_windows
from tables.books.overview import item_of, shown_of
from tables.books.plants import Plants, sees
from tables.books.schema import EXCEPTIONS
from tables.books.waiting import lines_of
from tables.line.rules import Rules

PERIOD_MAX: Final = 31 * DAY
"""A timeline is of so much at most."""

EXCEPTIONS_MAX: Final = 10

HOLDS_MAX: Final = 100


class LineAsked(OneAsked, frozen=True, kw_only=True):
    """Which line, and from when to when; without a word the shift, or the day, until now."""

    plant: Text
    line: Text
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None


def line_page(
    connection: Connection, plants: Plants, query: LineAsked, now: int, rules: Rules
) -> dict[str, Any] | None:
    """Return a line, None if no accepted event of it is in the books."""
    if not sees(query.plant, plants):
        return None
    plants = frozenset({query.plant})
    place = query.plant, query.line
    lines = lines_now.lines_of(connection, plants, query.plant, query.line, now)
    if place not in lines:
        return None
    line = lines[place]
    begin, end = period(query.from_, query.to, zone_of(connection, query.plant, rules, now))
    of = shown_of(connection, plants, query.plant, lines, now, rules)
    if end is None:
        end = lines_now.present(line, now)
    if begin is None:
        begin = min(of.shifts[place].from_, end)
    begin = max(begin, end - PERIOD_MAX)
    span = timeline.Span(query.plant, query.line, begin, end)
    far = lines_of(connection, [query.plant])[place]
    active = holds(
        connection,
        plants,
        HoldsAsked(plant=query.plant, active=True, limit=HOLDS_MAX),
        now,
        rules,
    )
    return item_of(line, of) | {
        "fresh": fresh(connection),
        "from": text(begin),
        "to": text(end),
        "units": [
            {
                "work_unit": unit.work_unit,
                "state": unit.state,
                "since": told(unit.since),
                "reason": unit.reason,
            }
            for unit in line.units
        ],
        "timeline": timeline.pieces(connection, span),
        "pareto": timeline.pareto(connection, span),
        "rates": timeline.rates(connection, span),
        "open_windows": open_windows(connection, *place, far, rules, now),
        "exceptions": _exceptions(connection, query, now),
        "holds": active["items"],
    }


def _exceptions(connection: Connection, query: LineAsked, now: int) -> list[dict[str, Any]]:
    column = EXCEPTIONS.c
    wanted = (
        select(*shown.EXCEPTION_COLUMNS)
        .where(column.plant == query.plant, column.line == query.line, column.status.in_(OPEN))
        .order_by(column.raised_at.desc(), column.id.desc())
    )
    rows = connection.execute(wanted.limit(EXCEPTIONS_MAX)).mappings()
    return [shown.exception(row, now) for row in rows]
