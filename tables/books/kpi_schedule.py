"""EDGE: how orders go: attainment of what was planned, ageing of what is open, throughput."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select

from streams.contract.topics import SUMMARY_PRODUCTION
from streams.values import instant, quantity
from streams.values.instant import DAY
from tables.books.amounts import billionths
from tables.books.kpi_asked import ScheduleAsked
from tables.books.kpi_clocks import clocks_of
from tables.books.kpi_orders import orders_of
from tables.books.plants import Plants
from tables.books.schema import SUMS
from tables.kpi.local_time import QUARTER
from tables.kpi.orders import FINISHED, OPEN, Order, age_of, ages, attained, done
from tables.kpi.ratios import of_billionths, of_counts, plain

OLDEST_MAX: Final = 50
"""Open orders that are listed, the oldest first."""

PERIODS: Final[Mapping[str, int]] = {"1d": DAY, "7d": 7 * DAY}


def schedule(
    connection: Connection,
    plants: Plants,
    query: ScheduleAsked,
    now: int,
    *,
    zones: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return `attainment`, `progress`, `ageing` and `throughput`, each by plant, and by unit."""
    answer: dict[str, Any] = {
        name: [] for name in ("attainment", "progress", "ageing", "throughput")
    }
    for plant, clock in clocks_of(connection, plants, query.plant, zones or {}, now).items():
        orders = orders_of(connection, plant, clock.now)
        finished = [each for each in orders if each.status in FINISHED]
        unfinished = [each for each in orders if each.status in OPEN]
        answer["attainment"] += _attainment(plant, finished)
        answer["progress"] += _attainment(plant, unfinished)
        answer["ageing"].append(_ageing(plant, orders, clock.now))
        answer["throughput"].append(_throughput(connection, plant, orders, clock.now))
    return answer


def _attainment(plant: str, orders: Iterable[Order]) -> list[dict[str, Any]]:
    return [
        {
            "plant": plant,
            "uom": uom,
            **plain(of_billionths(made, planned)),
            "orders": count,
            "orders_in_full": plain(of_counts(full, count)),
        }
        for uom, (made, planned, full, count) in sorted(
            attained(orders).items(), key=lambda each: each[0] or ""
        )
    ]


def _ageing(plant: str, orders: Iterable[Order], now: int) -> dict[str, Any]:
    """Return how old the open orders are on which something was made."""
    unfinished = [each for each in orders if each.status is None or each.status in OPEN]
    aged = [(age, each) for each in unfinished if (age := age_of(each, now)) is not None]
    aged.sort(key=lambda one: (-one[0], one[1].name))
    return {
        "plant": plant,
        "open": len(unfinished),
        "not_started": len(unfinished) - len(aged),
        "buckets": ages(age for age, _ in aged),
        "oldest": [
            {
                "order": order.name,
                "status": order.status,
                "item": order.item,
                "first_at": instant.text(now - age),
                "age_seconds": age // instant.SECOND,
                "uom": order.uom,
                "done": quantity.text(done(order)),
                "progress": None
                if order.quantity is None
                else plain(of_billionths(done(order), order.quantity)),
            }
            for age, order in aged[:OLDEST_MAX]
        ],
    }


def _throughput(
    connection: Connection, plant: str, orders: Iterable[Order], now: int
) -> dict[str, Any]:
    """Return orders finished, and what their last operations made, in the last day and week."""
    known = list(orders)
    made: dict[str | None, dict[str, int]] = {}
    for name, lasts in PERIODS.items():
        since = -(-(now - lasts) // QUARTER) * QUARTER
        for uom, amount in _finally_made(connection, plant, known, since).items():
            made.setdefault(uom, dict.fromkeys(PERIODS, 0))[name] = amount
    return {
        "plant": plant,
        "orders": {
            name: sum(
                each.status in FINISHED and each.said_at is not None and each.said_at >= now - lasts
                for each in known
            )
            for name, lasts in PERIODS.items()
        },
        "made": [
            {"uom": uom, **{name: quantity.text(amount) for name, amount in amounts.items()}}
            for uom, amounts in sorted(made.items(), key=lambda each: each[0] or "")
        ],
    }


def _finally_made(
    connection: Connection, plant: str, orders: Iterable[Order], since: int
) -> dict[str | None, int]:
    """Return the good pieces of last operations since a quarter of an hour, by unit."""
    last = {each.name: max(work.operation for work in each.work) for each in orders if each.work}
    row = SUMS.c.order_id, SUMS.c.operation, SUMS.c.uom
    query = (
        select(*row, func.sum(SUMS.c.whole), func.sum(SUMS.c.nano))
        .where(
            SUMS.c.plant == plant,
            SUMS.c.type == SUMMARY_PRODUCTION,
            SUMS.c.measure == "good",
            SUMS.c.quarter >= since,
        )
        .group_by(*row)
    )
    found: dict[str | None, int] = {}
    for order, operation, uom, units, nanos in connection.execute(query):
        if last.get(order) == (operation or ""):
            found[uom] = found.get(uom, 0) + billionths(units, nanos)
    return found
