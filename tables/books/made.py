"""EDGE: what summaries say was made, and how long lines stood still, since some moment."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from msgspec import Struct, field
from sqlalchemy import Connection, and_, case, func, or_, select

from streams.contract.topics import SUMMARY_AVAILABILITY, SUMMARY_PRODUCTION
from streams.values.instant import SECOND
from tables.books import amounts
from tables.books.last_operations import finished
from tables.books.newest import of_line
from tables.books.plants import Plants, seen
from tables.books.remembered import LINES_MIN, remembered
from tables.books.schema import LINES, SUMS

QUARTER: Final = 900 * SECOND

RECENT: Final = 2 * QUARTER
"""An order is on a line now if something was made for it so recently."""

MEASURES: Final = ("good", "scrap", "rework")

STILL: Final = ("down", "planned_down")

Place = tuple[str, str]


class Made(Struct):
    """Billionths by unit and measure, and of seconds by measure; orders by their last quarter."""

    units: dict[str | None, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, int] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)

    def add(self, uom: str | None, measure: str, amount: int) -> None:
        """Add an amount in billionths."""
        if measure in MEASURES:
            of = self.units.setdefault(uom, dict.fromkeys(MEASURES, 0))
            of[measure] += amount

    def items(self) -> list[dict[str, Any]]:
        """Return what was made, by unit."""
        return [
            {"uom": uom, **{name: amounts.text(0, amount) for name, amount in sums.items()}}
            for uom, sums in sorted(self.units.items(), key=lambda each: each[0] or "")
        ]

    def still(self, measure: str) -> str:
        """Return seconds as text."""
        return amounts.text(0, self.seconds.get(measure, 0))


NOTHING: Final = Made()


class Since(NamedTuple):
    """From when on the lines of a plant are added up."""

    plant: str
    at: int
    lines: frozenset[str] | None
    """None: all of the plant."""


def made_since(
    connection: Connection, plants: Plants, since: list[Since], now: int, lines: int
) -> dict[Place, Made]:
    """Return what was made on each line since the quarter of an hour of an instant.

    `lines` is how many they are. Of very many, what was made before the last quarters is read once
    a minute: what corrects it later shows so much later.
    """
    if not since:
        return {}
    if lines < LINES_MIN:
        return _read(connection, plants, since, None, None)
    border = now // QUARTER * QUARTER - QUARTER
    minute = now // (60 * SECOND)
    key = "made", str(connection.engine.url), plants, tuple(since), border, minute
    before = remembered(key, lambda: _read(connection, plants, since, None, border))
    recent = _read(connection, plants, since, border, None)
    return {
        place: _both(before.get(place, NOTHING), recent.get(place, NOTHING))
        for place in {*before, *recent}
    }


def _both(one: Made, other: Made) -> Made:
    made = Made(seconds=dict(one.seconds), orders={**one.orders, **other.orders})
    for each in (one, other):
        for uom, sums in each.units.items():
            for measure, amount in sums.items():
                made.add(uom, measure, amount)
    for measure, amount in other.seconds.items():
        made.seconds[measure] = made.seconds.get(measure, 0) + amount
    return made


def _read(
    connection: Connection,
    plants: Plants,
    since: list[Since],
    begin: int | None,
    end: int | None,
) -> dict[Place, Made]:
    """Return what was made since these instants, of it what lies within [begin, end)."""
    quarter = SUMS.c.quarter
    stretches = []
    for each in since:
        within = and_(SUMS.c.plant == each.plant, quarter >= each.at - each.at % QUARTER)
        if each.lines is not None:
            within = and_(within, SUMS.c.line.in_(sorted(each.lines)))
        stretches.append(within)
    earliest = min(each.at for each in since)
    of_lines = LINES.join(SUMS, of_line(SUMS))
    source, is_last = finished(of_lines, "line")
    columns = (
        SUMS.c.plant, SUMS.c.line, SUMS.c.order_id, SUMS.c.uom, SUMS.c.measure,
        case((is_last, 1), else_=0),
    )  # fmt: skip
    wanted = (
        select(*columns, func.sum(SUMS.c.whole), func.sum(SUMS.c.nano), func.max(quarter))
        .select_from(source)
        .where(
            seen(LINES.c.plant, plants),
            LINES.c.plant.in_(sorted({each.plant for each in since})),
            SUMS.c.type.in_((SUMMARY_PRODUCTION, SUMMARY_AVAILABILITY)),
            quarter >= max(earliest - earliest % QUARTER, begin or 0),
            SUMS.c.measure.in_((*MEASURES, *STILL)),
            or_(*stretches),
        )
        .group_by(*columns)
    )
    if end is not None:
        wanted = wanted.where(quarter < end)
    found: dict[Place, Made] = {}
    for plant, line, order, uom, measure, counts, whole, nano, last in connection.execute(
        wanted
    ).all():
        made = found.setdefault((plant, line), Made())
        amount = amounts.billionths(whole, nano)
        if measure in STILL:
            made.seconds[measure] = made.seconds.get(measure, 0) + amount
            continue
        made.add(uom, measure, amount if counts else 0)
        if order is not None and amount:
            made.orders[order] = max(last, made.orders.get(order, last))
    return found


def orders_now(made: Mapping[str, int], at: int) -> list[str]:
    """Return the orders for which something was made lately, the last first."""
    recent = [order for order, quarter in made.items() if quarter >= at - RECENT]
    return sorted(recent, key=lambda order: (-made[order], order))
