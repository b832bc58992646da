"""EDGE: what was made for orders, by operation, and what they consumed: of summaries."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final

from msgspec import Struct, field
from sqlalchemy import Connection, func, select

from streams.contract.topics import SUMMARY_CONSUMPTION, SUMMARY_PRODUCTION
from tables.books import amounts
from tables.books.made import MEASURES, Made
from tables.books.plants import Plants, seen
from tables.books.schema import SUMS

ITEMS_MAX: Final = 1_000
"""Items that an order consumes, by unit."""

Order = tuple[str, str]
"""(plant, order)."""


class OfOrder(Struct):
    """What was made for an order on its operations, and on which lines."""

    operations: dict[str, Made] = field(default_factory=dict)
    lines: set[str] = field(default_factory=set)

    def made(self) -> Made:
        """Return what was made: good are those of the last operation, scrap those of all.

        The last is that with the greatest name: operations count upwards.
        """
        whole = Made()
        last = max(self.operations, default=None)
        for name, each in self.operations.items():
            for uom, sums in each.units.items():
                for measure, amount in sums.items():
                    if measure != "good" or name == last:
                        whole.add(uom, measure, amount)
        return whole


def made_for(
    connection: Connection, plants: Plants, orders: Collection[str]
) -> dict[Order, OfOrder]:
    """Return what was made for orders, as far as windows have closed."""
    found: defaultdict[Order, OfOrder] = defaultdict(OfOrder)
    if not orders:
        return found
    column = SUMS.c
    columns = (column.plant, column.line, column.order_id, column.operation, column.uom)
    wanted = (
        select(*columns, column.measure, func.sum(column.whole), func.sum(column.nano))
        .where(
            column.order_id.in_(sorted(orders)),
            column.type == SUMMARY_PRODUCTION,
            column.measure.in_(MEASURES),
            seen(column.plant, plants),
        )
        .group_by(*columns, column.measure)
    )
    for plant, line, order, operation, uom, measure, whole, nano in connection.execute(wanted):
        of = found[plant, order]
        of.lines.add(line)
        made = of.operations.setdefault(operation or "", Made())
        made.add(uom, measure, amounts.billionths(whole, nano))
    return found


def consumed_for(connection: Connection, plant: str, order: str) -> list[dict[str, Any]]:
    """Return what an order has consumed, by item and unit, as far as windows have closed."""
    column = SUMS.c
    wanted = (
        select(column.item, column.uom, func.sum(column.whole), func.sum(column.nano))
        .where(
            column.order_id == order,
            column.type == SUMMARY_CONSUMPTION,
            column.measure == "quantity",
            column.plant == plant,
        )
        .group_by(column.item, column.uom)
        .order_by(column.item, column.uom)
    )
    return [
        {"item": item, "uom": uom, "quantity": amounts.text(whole, nano)}
        for item, uom, whole, nano in connection.execute(wanted.limit(ITEMS_MAX))
    ]
