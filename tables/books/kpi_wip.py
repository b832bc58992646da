"""EDGE: work in process: what lies between two operations of the orders that are open."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from streams.values import quantity
from tables.books.kpi_asked import WipAsked
from tables.books.kpi_clocks import clocks_of
from tables.books.kpi_orders import orders_of
from tables.books.plants import Plants
from tables.kpi.orders import OPEN, waiting_of

ROWS_MAX: Final = 1_000
"""Of an answer: the largest ones of each unit come first."""


Key = tuple[str, str | None, str | None, str | None, str | None]
"""Plant, order, operation, line and unit."""


def wip(
    connection: Connection,
    plants: Plants,
    query: WipAsked,
    now: int,
    *,
    zones: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return `items` by order, operation or line, each of one unit of measure."""
    sums: dict[Key, int] = {}
    for plant, clock in clocks_of(connection, plants, query.plant, zones or {}, now).items():
        for order in orders_of(connection, plant, clock.now):
            if order.status is not None and order.status not in OPEN:
                continue
            for each in waiting_of(order):
                key = (
                    plant,
                    order.name if query.by == "order" else None,
                    each.operation if query.by == "operation" else None,
                    each.line if query.by == "line" else None,
                    each.uom,
                )
                sums[key] = sums.get(key, 0) + each.quantity
    ordered = sorted(
        sums.items(), key=lambda one: (one[0][0], one[0][4] or "", -one[1], str(one[0]))
    )
    items = [
        {
            "plant": plant,
            "order": order,
            "operation": operation,
            "line": line,
            "uom": uom,
            "quantity": quantity.text(value),
        }
        for (plant, order, operation, line, uom), value in ordered
    ]
    return {"by": query.by, "items": items[:ROWS_MAX]}


def _largest_first(each: tuple[Key, int]) -> tuple[str, str, int, str]:
    (plant, order, operation, line, uom), amount = each
    return plant, uom or "", -amount, order or operation or line or ""
