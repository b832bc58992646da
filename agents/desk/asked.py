"""What somebody asks: members of the query and of the body, read and checked."""

import re
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from typing import Annotated, Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from agents.desk.errors import DeskError, invalid
from agents.desk.people import Person
from streams.contract.rejection import shown
from streams.values import instant
from tables.books.plants import Plants

VALUE_CHARACTERS_MAX: Final = 2_000
"""Of a member of a query: a cursor may have so many, no name has."""

MEMBERS_MAX: Final = 50
"""Of a query: more than any path has."""

Text = Annotated[str, Meta(min_length=1, max_length=256)]
"""A name, or a word to look for."""

Moment = Annotated[
    str,
    Meta(
        min_length=10,
        max_length=40,
        description="RFC 3339, or a date: midnight in the plant's time zone",
    ),
]

Seconds = Annotated[int, Meta(ge=0, le=10**10)]

DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_MEMBER: Final = re.compile(r" - at `\$\.([^`.\[]+)[^`]*`$")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`")
_MISSING: Final = re.compile(r"missing required field `([^`]*)`")


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query without members."""


class Listing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The members of every list's query."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(min_length=1, max_length=VALUE_CHARACTERS_MAX)] | None = None
    format: Literal["json", "csv"] = "json"


class Asked(Struct, frozen=True):
    """Who asks, when, and in which plants what they ask for may be looked at or done."""

    person: Person
    plants: Plants
    """Where the scope of the route holds."""
    now: int
    """In microseconds since 1970."""
    zones: Mapping[str, ZoneInfo]
    """By plant; of the others it is UTC."""

    def zone(self, plant: str | None) -> tzinfo:
        """Return the time zone in which a plant's dates are."""
        return self.zones.get(plant or "", instant.EPOCH.tzinfo or ZoneInfo("UTC"))

    def moment(self, member: str, text: str | None, plant: str | None = None) -> int | None:
        """Return a moment in microseconds; a date is midnight in the plant's zone.

        Raises `DeskError`.
        """
        if text is None:
            return None
        try:
            if DATE.fullmatch(text):
                return midnight(date.fromisoformat(text), self.zone(plant))
            return instant.parse(text)
        except ValueError as error:
            said = f"{member} is {shown(text)}: {error}; e.g. 2026-11-28T06:00:00Z or 2026-11-28"
            raise invalid(member, said) from None


def midnight(day: date, zone: tzinfo) -> int:
    """Return where a day begins, in microseconds. Raises `ValueError` outside of 2000 to 9998."""
    begins = datetime(day.year, day.month, day.day, tzinfo=zone)
    micros = round(begins.timestamp()) * instant.SECOND
    if not instant.EARLIEST <= micros <= instant.LATEST:
        raise ValueError("outside the years 2000 to 9998 in UTC")
    return micros


Q = TypeVar("Q", bound=Struct)


def read_query(request: web.Request, form: type[Q]) -> Q:
    """Return the members of a request's path and query. Raises `DeskError`."""
    given: dict[str, str] = {}
    if len(request.query) > MEMBERS_MAX:
        raise DeskError("invalid", f"a query has at most {MEMBERS_MAX} members")
    for name, value in (*request.match_info.items(), *request.query.items()):
        if name in given:
            raise invalid(shown(name), f"{shown(name)} is there twice")
        problem = text_problem(value)
        if problem:
            raise invalid(shown(name)[1:-1], f"{shown(name)} is {shown(value)}: {problem}")
        given[name] = value
    try:
        return msgspec.convert(given, form, strict=False)
    except msgspec.ValidationError as error:
        raise _refusal(error, given, form) from None


async def read_body(request: web.Request, form: type[Q]) -> Q:
    """Return the members of a request's body. Raises `DeskError`."""
    body = await request.read()
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as error:
        raise _refusal(error, {}, form) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DeskError("invalid", f"the body is no JSON: {error}") from None


def text_problem(value: str) -> str | None:
    """Return what is wrong with a member of a query as a text, None if nothing is."""
    if len(value) > VALUE_CHARACTERS_MAX:
        return f"it has {len(value):,} characters: at most {VALUE_CHARACTERS_MAX:,}"
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in value):
        return "a character in it is no text"
    return None


def _refusal(
    error: msgspec.ValidationError, given: Mapping[str, Any], form: type[Struct]
) -> DeskError:
    said = str(error)
    known = ", ".join(form.__struct_encode_fields__)
    if unknown := _UNKNOWN.search(said):
        name = shown(unknown[1])[1:-1]
        return invalid(name, f"{name} is no member here: there are {known or 'none'}")
    if missing := _MISSING.search(said):
        return invalid(missing[1], f"{missing[1]} is missing")
    if member := _MEMBER.search(said):
        name, what = member[1], said[: member.start()]
        value = f" is {shown(given[name])}" if name in given else ""
        return invalid(name, f"{name}{value}: {what[:1].lower()}{what[1:]}")
    return DeskError("invalid", said)
