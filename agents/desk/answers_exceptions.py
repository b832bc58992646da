"""Answers of the desk about exceptions: lists, one of them, and what was done."""

from typing import Any, Literal

from msgspec import Struct, field

from agents.desk.answers_trace import Act, EventTrace, ExceptionRow, Fresh


class Exceptions(Struct, frozen=True):
    """A list of exceptions; `total` counts to 10,000, and then is text: "10000+"."""

    items: list[ExceptionRow]
    next: str | None
    total: int | str


class Reason(Struct, frozen=True):
    """Exceptions whose reasons are the same but for the values in them."""

    code: str
    reason: str
    count: int
    oldest: str | None


class Reasons(Struct, frozen=True):
    """The most frequent reasons."""

    items: list[Reason]


class Header(Struct, frozen=True):
    """A header of a record."""

    name: str
    value: str | None


class Neighbour(Struct, frozen=True):
    """A record beside the refused one in the log."""

    offset: int
    outcome: str
    type: str | None
    id: str | None
    time: str | None


class ExceptionPage(ExceptionRow, frozen=True):
    """A refused event: its bytes in base64, what they are read as, and what was done about it."""

    fresh: Fresh
    topic: str
    partition: int
    offset: int
    key: str | None
    headers: list[Header]
    value: str | None
    text: str | None
    read_as: dict[str, Any] | None
    what_to_do: str
    neighbours: list[Neighbour]
    acts: list[Act]
    later: list[ExceptionRow]
    became: EventTrace | None


class Ages(Struct, frozen=True):
    """The open exceptions of a class by age; the buckets are "1h", "8h", "1d", "7d", "older"."""

    class_: str = field(name="class")
    open: int
    overdue: int
    oldest: str | None
    buckets: dict[str, int]


class Ageing(Struct, frozen=True):
    """How old what is open is, by class."""

    items: list[Ages]


class Acted(Struct, frozen=True):
    """What an act did, or would do, to one exception."""

    id: str
    result: Literal[
        "done",
        "would_be_accepted",
        "would_be_duplicate",
        "would_be_refused",
        "needs_approval",
        "conflict",
        "gone",
        "already",
        "refused",
    ]
    reason: str | None
    code: str | None
    version: int | None


class ActAnswer(Struct, frozen=True):
    """What an act did, or would do if it weren't dry."""

    dry_run: bool
    batch: str
    done: int
    items: list[Acted]
