"""EDGE: orders: those that master data know, and those of which something was made."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, func, select

from streams.contract.reference_values import CHOICES
from streams.values import quantity
from tables.books import amounts, cursors, known_now, order_numbers
from tables.books.asked import ListAsked, Text, choices
from tables.books.besides import besides
from tables.books.fresh import OPEN, told
from tables.books.order_sums import OfOrder, Order, made_for
from tables.books.parked import parked_events
from tables.books.plants import Plants, seen
from tables.books.schema import EXCEPTIONS, INPUTS
from tables.line.rules import Rules

STATUSES: Final = CHOICES["status"]

BATCH: Final = 500
"""Orders that are looked at together, where not all are shown."""

LOOKED_AT_MAX: Final = 5_000
"""Orders that are looked at for one page: those of some months."""

LINES_MAX: Final = 50
"""Lines that are named of an order."""


class OrdersAsked(ListAsked, frozen=True, kw_only=True):
    """Which orders; `status` is one or more, a comma between them, `text` a part of the number."""

    plant: Text | None = None
    line: Text | None = None
    status: Text | None = None
    text: Text | None = None


class Shown(Struct):
    """What is needed to show orders."""

    sums: Mapping[Order, OfOrder]
    masters: Mapping[tuple[str, str], Mapping[str, Any]]
    exceptions: Mapping[Order, int]
    parked: Mapping[Order, int]


def orders(
    connection: Connection, plants: Plants, query: OrdersAsked, _now: int, rules: Rules
) -> dict[str, Any]:
    """Return orders, the greatest number first.

    A page may have fewer items than `limit` though others follow: what is looked at is bounded.
    """
    statuses = choices("status", query.status, STATUSES)
    if query.plant is not None:
        plants = frozenset({query.plant} if plants is None else plants & {query.plant})
    filtered = statuses or query.line is not None or query.text is not None
    batch_max = BATCH if filtered else query.limit + 1
    behind = cursors.read(query.cursor, (str, str))
    found: list[Order] = []
    looked_at = 0
    while looked_at < LOOKED_AT_MAX and len(found) <= query.limit:
        batch = order_numbers.before(connection, plants, behind, query.text, batch_max)
        found += _fitting(connection, plants, batch.orders, statuses, query)
        looked_at += batch_max
        behind = batch.behind
        if behind is None:
            break
    page, following = cursors.page(found, query.limit, lambda each: (each[1], each[0]), behind)
    shown = shown_of(connection, plants, page, rules)
    return {
        "items": [item_of(connection, each, shown) for each in page],
        "next": following,
    }


def _fitting(
    connection: Connection,
    plants: Plants,
    batch: Sequence[Order],
    statuses: Sequence[str],
    query: OrdersAsked,
) -> list[Order]:
    """Return which orders are asked for."""
    if statuses and batch:
        known = known_now.facts(connection, "order", plants, {each[1] for each in batch})
        batch = [each for each in batch if known.get(each, {}).get("status") in statuses]
    if query.line is not None and batch:
        made = made_for(connection, plants, {each[1] for each in batch})
        batch = [each for each in batch if query.line in made[each].lines]
    return list(batch)


def shown_of(
    connection: Connection, plants: Plants, page: Collection[Order], rules: Rules
) -> Shown:
    """Return what is needed to show orders."""
    numbers = {each[1] for each in page}
    if not numbers:
        return Shown({}, {}, {}, {})
    column = EXCEPTIONS.c
    refused = connection.execute(
        select(column.plant, column.order_id, func.count())
        .where(column.order_id.in_(sorted(numbers)), column.status.in_(OPEN))
        .where(seen(column.plant, plants))
        .group_by(column.plant, column.order_id)
    )
    return Shown(
        made_for(connection, plants, numbers),
        known_now.facts(connection, "order", plants, numbers),
        {(plant, order): count for plant, order, count in refused},
        Counter(
            (each.row["plant"], each.row["order_id"])
            for each in parked_events(connection, plants, rules)
        ),
    )


def item_of(connection: Connection, order: Order, shown: Shown) -> dict[str, Any]:
    """Return an order as an item."""
    plant, number = order
    of = shown.sums.get(order, OfOrder())
    master = shown.masters.get(order, {})
    made = of.made()
    wanted, uom = _quantity(master), master.get("uom")
    first, last = _times(connection, order)
    return {
        "plant": plant,
        "order": number,
        "status": master.get("status"),
        "item": master.get("item"),
        "quantity": None if wanted is None else quantity.text(wanted),
        "uom": uom,
        "made": made.items(),
        "progress": None
        if not wanted
        else {
            "numerator": amounts.text(0, made.units.get(uom, {}).get("good", 0)),
            "denominator": quantity.text(wanted),
        },
        "lines": sorted(of.lines)[:LINES_MAX],
        "first_at": told(first),
        "last_at": told(last),
        "exceptions_open": shown.exceptions.get(order, 0),
        "parked": shown.parked.get(order, 0),
    }


def _quantity(master: Mapping[str, Any]) -> int | None:
    try:
        return quantity.parse(master.get("quantity"))
    except ValueError:
        return None


def _times(connection: Connection, order: Order) -> tuple[int | None, int | None]:
    """Return the times of an order's first and last events."""
    column = INPUTS.c
    at = (
        select(column.happened_at)
        .where(
            column.order_id == order[1],
            besides(column.plant) == order[0],
            column.outcome == "accepted",
            column.happened_at.is_not(None),
        )
        .limit(1)
    )
    first = connection.execute(at.order_by(column.happened_at)).scalar()
    return first, connection.execute(at.order_by(column.happened_at.desc())).scalar()
