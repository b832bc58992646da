"""EDGE: one order: its operations, what it consumed, its events, records and exceptions."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, RowMapping, select

from streams.contract.events import ProductionConfirmed
from tables.books import known_now, shown, tracing
from tables.books.asked import OneAsked, Text
from tables.books.besides import besides
from tables.books.finding import condition
from tables.books.fresh import fresh, told
from tables.books.made import Made
from tables.books.order_sums import OfOrder, consumed_for
from tables.books.orders import item_of, shown_of
from tables.books.plants import Plants, sees
from tables.books.schema import INPUTS
from tables.books.stored import event_of
from tables.books.transactions_list import shown_with_reversals
from tables.line.rules import Rules

MARKS_MAX: Final = 1_000
"""Starts and ends of operations, and confirmations, of an order that are looked at, each: the
newest ones."""

STARTED: Final = "operation.started.v1"
COMPLETED: Final = "operation.completed.v1"
CONFIRMED: Final = "production.confirmed.v1"


class OrderAsked(OneAsked, frozen=True, kw_only=True):
    """Which order."""

    plant: Text
    order: Text


class Marks(Struct):
    """When an operation was first started, last completed, and finally confirmed."""

    started_at: int | None = None
    completed_at: int | None = None
    final_at: int | None = None


def order_page(
    connection: Connection, plants: Plants, query: OrderAsked, now: int, rules: Rules
) -> dict[str, Any] | None:
    """Return an order, None if neither master data nor any record name it."""
    if not sees(query.plant, plants):
        return None
    plants = frozenset({query.plant})
    order = query.plant, query.order
    of = shown_of(connection, plants, [order], rules)
    rows = tracing.rows_of(connection, plants, "order", query.order, None, rules)
    if order not in of.masters and not (rows.inputs or rows.transactions or rows.exceptions):
        return None
    made = of.sums.get(order, OfOrder()).operations
    marks = _marks(connection, query)
    return item_of(connection, order, of) | {
        "fresh": fresh(connection),
        "operations": [
            {
                "operation": name,
                "made": made.get(name, Made()).items(),
                "started_at": told(marks.get(name, Marks()).started_at),
                "completed_at": told(marks.get(name, Marks()).completed_at),
                "final_at": told(marks.get(name, Marks()).final_at),
            }
            for name in sorted({*made, *marks})
        ],
        "consumption": consumed_for(connection, query.plant, query.order),
        "transactions": shown_with_reversals(connection, _first(rows.transactions)),
        "events": [shown.event(row) for row in _first(rows.inputs)],
        "exceptions": [shown.exception(row, now) for row in _first(rows.exceptions)],
        "reference": known_now.facts(connection, "order", plants, {query.order}).get(order),
    }


def _first(rows: Sequence[RowMapping]) -> Sequence[RowMapping]:
    return rows[: tracing.SHOWN_MAX]


def _marks(connection: Connection, query: OrderAsked) -> dict[str, Marks]:
    column = INPUTS.c
    found: dict[str, Marks] = {}
    for types in ((STARTED, COMPLETED), (CONFIRMED,)):
        wanted = (
            select(column.type, column.operation, column.happened_at, column.value)
            .where(
                condition("order", query.order),
                besides(column.plant) == query.plant,
                column.outcome == "accepted",
                column.type.in_(types),
            )
            .order_by(column.happened_at.desc())
            .limit(MARKS_MAX)
        )
        for row in connection.execute(wanted):
            marks = found.setdefault(row.operation or "", Marks())
            at = row.happened_at
            if row.type == STARTED:
                marks.started_at = at  # the newest come first
            elif row.type == COMPLETED:
                marks.completed_at = marks.completed_at or at
            elif marks.final_at is None:
                event = event_of(row.value)
                if isinstance(event, ProductionConfirmed) and event.data.final:
                    marks.final_at = at
    return found
