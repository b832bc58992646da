"""EDGE: records that left for the ERP: the list, the newest first, and one with what caused it."""

from collections.abc import Collection
from typing import Any, Final

from msgspec import field
from sqlalchemy import Connection, RowMapping, select

from tables.books import cursors, newest, shown
from tables.books.asked import ListAsked, Moment, OneAsked, Text, period
from tables.books.besides import seen_besides
from tables.books.causes import events_of
from tables.books.known_now import zone_of
from tables.books.like import contains
from tables.books.plants import Plants
from tables.books.schema import TRANSACTIONS
from tables.books.stored import document
from tables.line.rules import Rules

ORDER: Final = (TRANSACTIONS.c.happened_at, TRANSACTIONS.c.id)

NAMED: Final = {
    "order": TRANSACTIONS.c.order_id,
    "item": TRANSACTIONS.c.item,
    "lot": TRANSACTIONS.c.lot,
    "serial": TRANSACTIONS.c.serial,
}
"""The members whose columns have an index of their own."""


class TransactionsAsked(ListAsked, frozen=True, kw_only=True):
    """Which records; `text` is a part of a posting key."""

    plant: Text | None = None
    line: Text | None = None
    type: Text | None = None
    order: Text | None = None
    item: Text | None = None
    lot: Text | None = None
    serial: Text | None = None
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None
    text: Text | None = None


class TransactionAsked(OneAsked, frozen=True, kw_only=True):
    """Which record: by its posting key."""

    id: str


def transactions(
    connection: Connection, plants: Plants, query: TransactionsAsked, now: int, rules: Rules
) -> dict[str, Any]:
    """Return the records that are asked for, the newest first."""
    begin, end = period(query.from_, query.to, zone_of(connection, query.plant, rules, now))
    conditions = []
    if query.type is not None:
        conditions.append(TRANSACTIONS.c.type == query.type)
    if query.text is not None:
        conditions.append(contains(TRANSACTIONS.c.id, query.text))
    found = newest.rows_of(
        connection,
        newest.Sought(
            table=TRANSACTIONS,
            columns=shown.TRANSACTION_COLUMNS,
            order=ORDER,
            plants=plants,
            plant=query.plant,
            line=query.line,
            begin=begin,
            end=newest.FAR if end is None else end,
            after=cursors.read(query.cursor, (int, str)),
            limit=query.limit + 1,
            narrow=newest.narrowed(query, NAMED),
            conditions=conditions,
        ),
    )
    page, following = cursors.page(
        found.rows,
        query.limit,
        lambda row: (row["happened_at"], row["id"]),
        None if found.looked_to is None else (found.looked_to, ""),
    )
    return {"items": shown_with_reversals(connection, page), "next": following}


def transaction(
    connection: Connection, plants: Plants, query: TransactionAsked, _now: int, rules: Rules
) -> dict[str, Any] | None:
    """Return a record by its posting key, whole, with the events that caused it."""
    row = (
        connection.execute(
            select(*shown.TRANSACTION_COLUMNS).where(
                TRANSACTIONS.c.id == query.id, seen_besides(TRANSACTIONS.c.plant, plants)
            )
        )
        .mappings()
        .first()
    )
    if row is None:
        return None
    (item,) = shown_with_reversals(connection, [row])
    events = [shown.event(each) for each in events_of(connection, row, rules)]
    return item | {"record": document(row["value"]), "events": events}


def shown_with_reversals(
    connection: Connection, rows: Collection[RowMapping]
) -> list[dict[str, Any]]:
    """Return records as items, each with the id of what has taken it back."""
    taken = reversals(connection, [row["id"] for row in rows])
    return [shown.transaction(row, taken.get(row["id"])) for row in rows]


def reversals(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Return the ids of what has taken records back, by theirs."""
    if not ids:
        return {}
    found = connection.execute(
        select(TRANSACTIONS.c.reverses, TRANSACTIONS.c.id).where(TRANSACTIONS.c.reverses.in_(ids))
    )
    return {row.reverses: row.id for row in found}
