"""How the functions that read the books are called: with what their signatures ask for."""

import inspect
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from agents.desk.asked import Asked
from agents.desk.route import Read
from tables.books.fresh import fresh


def reading(find: Callable[..., Any]) -> Read:
    """Return a question to `find(connection, plants, query, now)`.

    It is given `rules` and `zones` by name, too, if it takes them.
    """
    takes = inspect.signature(find).parameters

    def read(connection: Connection, asked: Asked, query: Any) -> Any:
        more: dict[str, Any] = {"rules": asked.rules, "zones": asked.zones}
        given = {name: value for name, value in more.items() if name in takes}
        return find(connection, asked.plants, query, asked.now, **given)

    return read


def freshly(find: Callable[..., Any]) -> Read:
    """Return the same question, whose answer gets the member `fresh`."""
    ask = reading(find)

    def read(connection: Connection, asked: Asked, query: Any) -> Any:
        return {"fresh": fresh(connection), **ask(connection, asked, query)}

    return read
