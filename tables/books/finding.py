"""EDGE: what a text may be the name of: an order, a lot, an event, a posting key, and so on."""

import re
from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, func, select

from tables.books.besides import seen_besides
from tables.books.plants import Plants, seen
from tables.books.schema import EXCEPTIONS, INPUTS, REFERENCES, SUMMARIES, TRANSACTIONS

Kind = Literal["posting_key", "exception", "trace", "event", "order", "lot", "serial", "item"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""Those that name one thing come first: it is what is meant, if there's such a one."""

NAME_CHARACTERS_MAX: Final = 1_200
"""A posting key has a row with several names of 256 characters."""

COUNT_MAX: Final = 1_000
"""Rows are counted as far as this."""

TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

POSITION: Final = re.compile(r"([a-z.]+\.v[0-9]+)/([0-9]{1,9})/([0-9]{1,18})")
"""What an exception is called by: where its record lies."""

_OF_INPUTS: Final = {
    "event": INPUTS.c.event_id,
    "order": INPUTS.c.order_id,
    "lot": INPUTS.c.lot,
    "serial": INPUTS.c.serial,
    "item": INPUTS.c.item,
    "trace": INPUTS.c.trace,
}


class Found(Struct, frozen=True):
    """What a text may be in a plant, and how many rows have it."""

    kind: Kind
    label: str
    plant: str | None
    line: str | None
    count: int


def trace_of(text: str) -> str:
    """Return the trace id in a traceparent; any other text as it is."""
    match = TRACEPARENT.fullmatch(text.lower())
    return match[1] if match else text


def condition(kind: Kind, text: str) -> ColumnElement[bool]:
    """Return the condition that an event of the inputs is called so."""
    if kind == "trace":
        return INPUTS.c.trace == trace_of(text).lower()
    return _OF_INPUTS[kind] == text


def find(
    connection: Connection, plants: Plants, text: str, kinds: Sequence[Kind] = KINDS
) -> list[Found]:
    """Return what a text may be, by kind and plant, in the order of `KINDS`."""
    found: list[Found] = []
    for kind in kinds:
        if kind == "posting_key":
            for table in (TRANSACTIONS, SUMMARIES):
                found += _counted(connection, plants, kind, text, table, table.c.id == text)
        elif kind == "exception":
            matched = EXCEPTIONS.c.id == text
            there = _counted(connection, plants, kind, text, EXCEPTIONS, matched)
            found += there or _of_position(connection, plants, text)
        else:
            there = _counted(connection, plants, kind, text, INPUTS, condition(kind, text))
            if not there and kind == "event":  # refused master data are no events of the inputs
                matched = EXCEPTIONS.c.event_id == text
                there = _counted(connection, plants, kind, text, EXCEPTIONS, matched)
            if not there and kind == "order":
                there = _order_only(connection, plants, text)
            found += there
    return found


def place_of(text: str) -> tuple[str, int, int] | None:
    """Return the topic, the partition and the offset in an exception's id, None if it's none."""
    match = POSITION.fullmatch(text)
    return (match[1], int(match[2]), int(match[3])) if match else None


def at_place(place: tuple[str, int, int]) -> ColumnElement[bool]:
    """Return the condition that a record of the inputs lies there."""
    topic, number, position = place
    return (INPUTS.c.topic == topic) & (INPUTS.c.number == number) & (INPUTS.c.position == position)


def _of_position(connection: Connection, plants: Plants, text: str) -> list[Found]:
    place = place_of(text)
    if place is None or place[1] >= 2**31:
        return []
    return _counted(connection, plants, "exception", text, INPUTS, at_place(place))


def _order_only(connection: Connection, plants: Plants, text: str) -> list[Found]:
    """Return the plants in which an order is known of which nothing has come."""
    wanted = select(REFERENCES.c.plant).where(
        REFERENCES.c.kind == "order",
        REFERENCES.c.name == text,
        REFERENCES.c.deleted.is_(False),
        seen(REFERENCES.c.plant, plants),
    )
    rows = connection.execute(wanted.order_by(REFERENCES.c.plant).limit(COUNT_MAX))
    return [Found("order", text, plant, None, 0) for plant in rows.scalars()]


def _counted(
    connection: Connection,
    plants: Plants,
    kind: Kind,
    text: str,
    table: Table,
    matched: ColumnElement[bool],
) -> list[Found]:
    column: Any = table.c
    within = (
        select(column.plant, column.line)
        .where(matched, seen_besides(column.plant, plants))
        .limit(COUNT_MAX)
        .subquery()
    )
    wanted = select(
        within.c.plant, func.min(within.c.line), func.max(within.c.line), func.count()
    ).group_by(within.c.plant)
    return [
        Found(kind, text, plant, first if first == last else None, count)
        for plant, first, last, count in connection.execute(wanted.order_by(within.c.plant))
    ]
