"""EDGE: one exception: its bytes and what they are read as, its neighbours, what became of it."""

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, select

from streams.codec.document import read_envelope
from streams.contract.checks import remedies
from tables.books import event_traces, shown
from tables.books.acts_list import acts_of
from tables.books.asked import OneAsked
from tables.books.besides import seen_besides
from tables.books.fresh import fresh, told
from tables.books.plants import Plants
from tables.books.schema import EXCEPTIONS, INPUTS
from tables.books.stored import opened
from tables.line.rules import Rules

NEIGHBOURS: Final = 5
"""Records on either side."""

ACTS_MAX: Final = 200
LATER_MAX: Final = 50

ATTRIBUTES: Final = ("type", "plant", "line", "source", "id", "time", "data")
"""What of an event is shown as read."""

OTHERWISE: Final = "The reason says what is wrong. Send the event again when it is mended."

_REMEDIES: Final = remedies()

_read_headers = msgspec.json.Decoder(list[dict[str, str | None]]).decode


class ExceptionAsked(OneAsked, frozen=True, kw_only=True):
    """Which exception."""

    id: str


def exception(
    connection: Connection, plants: Plants, query: ExceptionAsked, now: int, rules: Rules
) -> dict[str, Any] | None:
    """Return an exception, whole."""
    wanted = select(EXCEPTIONS).where(EXCEPTIONS.c.id == query.id)
    wanted = wanted.where(seen_besides(EXCEPTIONS.c.plant, plants))
    row = connection.execute(wanted).mappings().first()
    if row is None:
        return None
    headers, value = _headers(row["headers"]), opened(row["value"])
    return shown.exception(row, now) | {
        "fresh": fresh(connection),
        "topic": row["topic"],
        "partition": row["number"],
        "offset": row["position"],
        "key": row["key"],
        "headers": headers,
        "value": base64.b64encode(value).decode(),
        "text": _text(value),
        "read_as": read_as(value, headers),
        "what_to_do": _REMEDIES.get(row["code"], OTHERWISE),
        "neighbours": _neighbours(connection, plants, row),
        "acts": [shown.act(each) for each in acts_of(connection, query.id, ACTS_MAX)],
        "later": _later(connection, plants, query.id, now),
        "became": _became(connection, plants, row, now, rules),
    }


def read_as(value: bytes, headers: Sequence[dict[str, str | None]]) -> dict[str, Any] | None:
    """Return the members of an event that could be read, None where the value is no JSON object."""
    given = [(str(each["name"]), _bytes(each)) for each in headers]
    try:
        envelope = read_envelope(value, given)
    except RecursionError:
        return None
    if isinstance(envelope, str):
        return None
    return {name: _plain(envelope.get(name)) for name in ATTRIBUTES}


def _plain(value: Any) -> Any:
    """Return JSON as it can be written again: bytes of a header that is no text as text."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _bytes(header: dict[str, str | None]) -> bytes | None:
    encoded = header.get("value_base64")
    if encoded is not None:
        return base64.b64decode(encoded)
    value = header.get("value")
    return None if value is None else value.encode("utf-8", "surrogatepass")


def _headers(stored: bytes | None) -> list[dict[str, str | None]]:
    try:
        read = _read_headers(opened(stored))
    except msgspec.DecodeError:
        return []
    return [
        {name: value for name, value in each.items() if name != "value_base64" or value is not None}
        for each in read
    ]


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _neighbours(connection: Connection, plants: Plants, row: RowMapping) -> list[dict[str, Any]]:
    """Return the records before and behind on the partition, of what is seen."""
    column = INPUTS.c

    def beside(where: ColumnElement[bool], order: ColumnElement[Any]) -> Sequence[RowMapping]:
        wanted = select(
            column.position, column.outcome, column.type, column.event_id, column.happened_at
        ).where(
            column.topic == row["topic"],
            column.number == row["number"],
            where,
            seen_besides(column.plant, plants),
        )
        return connection.execute(wanted.order_by(order).limit(NEIGHBOURS)).mappings().all()

    before = beside(column.position < row["position"], column.position.desc())
    behind = beside(column.position > row["position"], column.position.asc())
    return [
        {
            "offset": each["position"],
            "outcome": each["outcome"],
            "type": each["type"],
            "id": each["event_id"],
            "time": told(each["happened_at"]),
        }
        for each in (*reversed(before), *behind)
    ]


def _later(connection: Connection, plants: Plants, id: str, now: int) -> list[dict[str, Any]]:
    """Return the exceptions of what was sent again for this one."""
    column = EXCEPTIONS.c
    wanted = select(*shown.EXCEPTION_COLUMNS).where(
        column.resent_from == id, seen_besides(column.plant, plants)
    )
    rows = connection.execute(wanted.order_by(column.raised_at, column.id).limit(LATER_MAX))
    return [shown.exception(each, now) for each in rows.mappings()]


def _became(
    connection: Connection, plants: Plants, row: RowMapping, now: int, rules: Rules
) -> dict[str, Any] | None:
    """Return the accepted event that was sent again for an exception, or that has its identity."""
    if row["event_id"] is None:
        return None
    column = INPUTS.c
    wanted = select(*shown.EVENT_COLUMNS).where(
        column.event_id == row["event_id"],
        column.source == row["source"],
        column.outcome == "accepted",
        seen_besides(column.plant, plants),
    )
    rows = connection.execute(wanted.order_by(column.position.desc()).limit(LATER_MAX)).mappings()
    found = [
        each
        for each in rows
        if each["resent_from"] == row["id"]
        or (each["plant"], each["line"]) == (row["plant"], row["line"])
    ]
    found.sort(key=lambda each: each["resent_from"] != row["id"])
    if not found:
        return None
    return event_traces.traces(connection, plants, found[:1], rules, now)[0]
