"""EDGE: the orders of a plant: what the ERP said of them, and what was made for them."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, func, select

from streams.contract.topics import SUMMARY_PRODUCTION
from streams.values import quantity
from streams.values.instant import DAY
from tables.books.amounts import billionths
from tables.books.schema import INPUTS, REFERENCES, SUMS
from tables.books.stored import data_of
from tables.kpi.orders import Order, Work

ORDERS_MAX: Final = 5_000
"""Of a plant: those that were worked on last, and those that the ERP spoke of last."""

WORKED: Final = 7 * DAY
"""An order of which the ERP says nothing isn't looked at when nothing was made for so long."""

CHUNK: Final = 500
"""Orders in one statement."""

STARTED: Final = "operation.started.v1"


def orders_of(connection: Connection, plant: str, now: int) -> list[Order]:
    """Return the orders of a plant that matter now, by name."""
    found = {order.name: order for order in _said(connection, plant)}
    worked = (
        select(SUMS.c.order_id, func.max(SUMS.c.quarter))
        .where(
            SUMS.c.plant == plant,
            SUMS.c.type == SUMMARY_PRODUCTION,
            SUMS.c.quarter >= now - WORKED,
            SUMS.c.order_id.is_not(None),
        )
        .group_by(SUMS.c.order_id)
        .order_by(func.max(SUMS.c.quarter).desc())
        .limit(ORDERS_MAX)
    )
    names = list(connection.execute(worked).scalars())
    unknown = sorted(name for name in names if name not in found)
    for first in range(0, len(unknown), CHUNK):
        chunk = unknown[first : first + CHUNK]
        found |= {name: Order(plant, name) for name in chunk}
        found |= {each.name: each for each in _said(connection, plant, chunk)}
    _add_work(connection, plant, found)
    return [found[name] for name in sorted(found)]


def _said(
    connection: Connection, plant: str, names: Sequence[str] | None = None
) -> Iterator[Order]:
    query = (
        select(REFERENCES.c.name, REFERENCES.c.said_at, REFERENCES.c.value)
        .where(REFERENCES.c.kind == "order", REFERENCES.c.plant == plant, ~REFERENCES.c.deleted)
        .order_by(REFERENCES.c.position.desc())
        .limit(ORDERS_MAX)
    )
    if names is not None:
        query = query.where(REFERENCES.c.name.in_(names))
    for name, said_at, value in connection.execute(query):
        yield _order(plant, name, said_at, value)


def _order(plant: str, name: str, said_at: int | None, value: bytes) -> Order:
    data = data_of(value)
    try:
        planned = None if data.get("quantity") is None else quantity.parse(data["quantity"])
    except ValueError:
        planned = None
    texts = {each: data.get(each) for each in ("status", "uom", "item")}
    status, uom, item = (given if isinstance(given, str) else None for given in texts.values())
    return Order(plant, name, status, planned, uom, item, said_at)


def _add_work(connection: Connection, plant: str, orders: dict[str, Order]) -> None:
    names = sorted(orders)
    for first in range(0, len(names), CHUNK):
        _add_made(connection, plant, names[first : first + CHUNK], orders)
        _add_started(connection, plant, names[first : first + CHUNK], orders)


def _add_made(
    connection: Connection, plant: str, names: Sequence[str], orders: dict[str, Order]
) -> None:
    row = SUMS.c.order_id, SUMS.c.operation, SUMS.c.line, SUMS.c.uom
    query = (
        select(
            *row,
            SUMS.c.measure,
            func.sum(SUMS.c.whole).label("units"),
            func.sum(SUMS.c.nano).label("nanos"),
            func.min(SUMS.c.quarter).label("first"),
            func.max(SUMS.c.quarter).label("last"),
        )
        .where(
            SUMS.c.order_id.in_(names),
            SUMS.c.type == SUMMARY_PRODUCTION,
            SUMS.c.plant == plant,
            SUMS.c.measure.in_(("good", "scrap")),
        )
        .group_by(*row, SUMS.c.measure)
    )
    found: dict[tuple[str, str, str, str | None], Work] = {}
    for each in connection.execute(query):
        key = each.order_id, each.operation or "", each.line, each.uom
        work = found.get(key)
        if work is None:
            work = found[key] = Work(each.operation or "", each.line, each.uom)
            orders[each.order_id].work.append(work)
        amount = billionths(each.units, each.nanos)
        if each.measure == "good":
            work.good += amount
        else:
            work.scrap += amount
        work.first = each.first if work.first is None else min(work.first, each.first)
        work.last = each.last if work.last is None else max(work.last, each.last)


def _add_started(
    connection: Connection, plant: str, names: Sequence[str], orders: dict[str, Order]
) -> None:
    query = (
        select(INPUTS.c.order_id, INPUTS.c.operation, INPUTS.c.line)
        .where(
            INPUTS.c.order_id.in_(names),
            INPUTS.c.type == STARTED,
            INPUTS.c.plant == plant,
            INPUTS.c.outcome == "accepted",
            INPUTS.c.operation.is_not(None),
        )
        .order_by(INPUTS.c.happened_at)
    )
    for order, operation, line in connection.execute(query):
        orders[order].started[operation] = line
