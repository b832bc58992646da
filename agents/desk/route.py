"""One thing that can be asked of the desk: routing and the OpenAPI document are made from it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct
from sqlalchemy import Connection

from agents.desk.asked import Asked, Nothing
from agents.desk.people import Scope

if TYPE_CHECKING:
    from agents.desk.desk import Desk

BASE: Final = "/api/v1"

Method = Literal["GET", "POST"]

Read = Callable[[Connection, Asked, Any], Any]
"""Finds something in the books, in a thread; takes the members of the query."""

Do = Callable[["Desk", Asked, Any], Awaitable[Any]]
"""Does something else in the event loop; takes the members of the query, or of the body."""


Act = Callable[["Desk", Asked, bytes], Awaitable[Any]]
"""Changes something; takes the body as it came."""


class Route(Struct, frozen=True, kw_only=True):
    """A method and a path, who may ask, what with, and what is answered."""

    path: str
    """Below `BASE`; `{name}` is a member of the query, too."""
    says: str
    """A sentence: what it is for."""
    answer: Any
    """The type of the answer."""
    method: Method = "GET"
    scope: Scope = "read"
    query: type[Struct] = Nothing
    body: type[Struct] | None = None
    read: Read | None = None
    do: Do | None = None
    act: Act | None = None
    whole: bool = False
    """What isn't of a plant: only for those whose scope holds in all plants."""

    table: Callable[[Any], bytes] | None = None
    """Makes CSV of an answer that is no list."""

    @property
    def pattern(self) -> str:
        """The path as aiohttp takes it: a member is what is between two slashes."""
        return f"{BASE}{self.path}".replace("}", ":[^/]+}")

    @property
    def formats(self) -> tuple[str, ...]:
        """In which the answer can be had, the usual one first."""
        listed = self.method == "GET" and self.item is not None
        return ("json", "csv") if listed or self.table is not None else ("json",)

    @property
    def item(self) -> type[Struct] | None:
        """The type of a list's items, None if the answer is no list."""
        form = self.answer.__annotations__.get("items") if isinstance(self.answer, type) else None
        found = getattr(form, "__args__", (None,))[0]
        return found if isinstance(found, type) and issubclass(found, Struct) else None
