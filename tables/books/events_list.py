"""EDGE: events that came in, the newest first."""

from typing import Any, Final

from msgspec import field
from sqlalchemy import Connection

from tables.books import cursors, newest, shown
from tables.books.asked import ListAsked, Moment, Text, choices, period
from tables.books.known_now import zone_of
from tables.books.plants import Plants
from tables.books.schema import INPUTS
from tables.line.rules import Rules

OUTCOMES: Final = ("accepted", "duplicate", "refused")

ORDER: Final = (INPUTS.c.happened_at, INPUTS.c.topic, INPUTS.c.number, INPUTS.c.position)

NAMED: Final = {
    "order": INPUTS.c.order_id,
    "item": INPUTS.c.item,
    "lot": INPUTS.c.lot,
    "serial": INPUTS.c.serial,
    "id": INPUTS.c.event_id,
}
"""The members whose columns have an index of their own."""


class EventsAsked(ListAsked, frozen=True, kw_only=True):
    """Which events, of lines that have had one that was accepted, with a time that can be read.

    What else was refused is among the exceptions, and found by its order, lot, item, serial or id.
    """

    plant: Text | None = None
    line: Text | None = None
    type: Text | None = None
    source: Text | None = None
    id: Text | None = None
    order: Text | None = None
    item: Text | None = None
    lot: Text | None = None
    serial: Text | None = None
    outcome: Text | None = None
    """One or more of `OUTCOMES`, a comma between them."""
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None


def events(
    connection: Connection, plants: Plants, query: EventsAsked, now: int, rules: Rules
) -> dict[str, Any]:
    """Return the events that are asked for, the newest first."""
    zone = zone_of(connection, query.plant, rules, now)
    begin, end = period(query.from_, query.to, zone)
    conditions = []
    if query.type is not None:
        conditions.append(INPUTS.c.type == query.type)
    if query.source is not None:
        conditions.append(INPUTS.c.source == query.source)
    outcomes = choices("outcome", query.outcome, OUTCOMES)
    if outcomes:
        conditions.append(INPUTS.c.outcome.in_(outcomes))
    found = newest.rows_of(
        connection,
        newest.Sought(
            table=INPUTS,
            columns=shown.EVENT_COLUMNS,
            order=ORDER,
            plants=plants,
            plant=query.plant,
            line=query.line,
            begin=begin,
            end=newest.FAR if end is None else end,
            after=cursors.read(query.cursor, (int, str, int, int)),
            limit=query.limit + 1,
            narrow=newest.narrowed(query, NAMED),
            conditions=conditions,
        ),
    )
    to = found.looked_to
    page, following = cursors.page(
        found.rows,
        query.limit,
        lambda row: (row["happened_at"], row["topic"], row["number"], row["position"]),
        None if to is None else (to, "", 0, 0),
    )
    return {"items": [shown.event(row) for row in page], "next": following}
