"""Refused records as the books have them, for tests of what people do about them."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Engine, insert, select

from streams.contract.acts import Act, Standing
from tables.books.opening import writing
from tables.books.packed import pack
from tables.books.schema import ACTS, CLAIMS, EXCEPTIONS

NOW = 1_795_240_800_000_000
"""2026-11-21T06:00:00Z in microseconds."""


def event(**other: Any) -> dict[str, Any]:
    """Return an event; members of `data` are given by name, attributes as `attributes`."""
    attributes: dict[str, Any] = other.pop("attributes", {})
    data = {
        "order": "1000123",
        "operation": "0010",
        "item": "M-100",
        "quantity": "12.5",
        "uom": "kg",
    }
    return {
        "specversion": "1.0", "type": "material.consumed.v1", "source": "/DE01/mes", "id": "c1",
        "time": "2026-11-21T05:59:10Z", "plant": "DE01", "line": "L3", "data": data | other,
    } | attributes  # fmt: skip


def encoded(event: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(event)


def add_exception(books: Engine, offset: int = 0, **other: Any) -> str:
    """Add a refused event to the books, its columns as `other` says; return its id."""
    topic, number = other.pop("topic", "mes.events.v1"), other.pop("number", 0)
    value, headers = other.pop("value", encoded(event())), other.pop("headers", [])
    row = {
        "id": f"{topic}/{number}/{offset}", "class": "data", "code": "key_mismatch",
        "reason": "key is 'DE01/L9', not 'DE01/L3'", "raised_at": NOW, "plant": "DE01", "line": "L3",
        "topic": topic, "number": number, "position": offset, "status": "open", "version": 0,
        "key": "DE01/L3", "headers": pack(msgspec.json.encode(headers)), "value": pack(value),
        "cut": False,
    } | other  # fmt: skip
    with writing(books) as connection:
        connection.execute(insert(EXCEPTIONS).values(row))
    return str(row["id"])


def act(id: str, subject: str, after: Standing, **other: Any) -> Act:
    """Return an act of anna's."""
    before = Standing("open", after.version - 1)
    told: dict[str, Any] = {
        "who": "anna",
        "act": "comment",
        "at": NOW,
        "plant": "DE01",
        "line": "L3",
    }
    told |= other
    return Act(id=id, subject=subject, before=before, after=after, **told)


def row_of(books: Engine, id: str) -> Any:
    """Return the row of an exception."""
    with books.connect() as connection:
        return connection.execute(select(EXCEPTIONS).where(EXCEPTIONS.c.id == id)).one()


def acts_in(books: Engine) -> list[Any]:
    with books.connect() as connection:
        return list(connection.execute(select(ACTS).order_by(ACTS.c.at, ACTS.c.id)))


def claims_in(books: Engine) -> list[Any]:
    with books.connect() as connection:
        return list(connection.execute(select(CLAIMS)))
