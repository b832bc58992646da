"""What somebody asks: members of the query and of the body, read and checked."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from agents.desk.errors import DeskError, invalid
from agents.desk.people import Person
from streams.contract.rejection import shown
from tables.books.plants import Plants
from tables.line.rules import Rules

VALUE_CHARACTERS_MAX: Final = 2_000
"""Of a member of a query: a cursor may have so many, no name has."""

MEMBERS_MAX: Final = 50
"""Of a query: more than any path has."""

FORMAT: Final = "format"
"""The member of a query that says in which format a list is answered."""

_MEMBER: Final = re.compile(r" - at `\$\.([^`.\[]+)[^`]*`$")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`")
_MISSING: Final = re.compile(r"missing required field `([^`]*)`")


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query without members."""


class Asked(Struct, frozen=True):
    """Who asks, when, and in which plants what they ask for may be looked at or done."""

    person: Person
    plants: Plants
    """Where the scope of the route holds."""
    now: int
    """In microseconds since 1970."""
    rules: Rules
    """Of MES events."""
    zones: Mapping[str, str]
    """IANA time zones by plant; of the others it is UTC."""


Q = TypeVar("Q", bound=Struct)


def read_query(request: web.Request, form: type[Q], *, formats: tuple[str, ...]) -> tuple[Q, str]:
    """Return the members of a request's path and query, and the format of the answer.

    Raises `DeskError`.
    """
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
    format_ = given.pop(FORMAT, formats[0]) if len(formats) > 1 else formats[0]
    for name in given:
        if name not in form.__struct_encode_fields__:
            raise _unknown(name, form)
    if format_ not in formats:
        raise invalid(FORMAT, f"{FORMAT} is {shown(format_)}: it must be {' or '.join(formats)}")
    try:
        return msgspec.convert(given, form, strict=False), format_
    except msgspec.ValidationError as error:
        raise refusal_of(error, given, form) from None


async def read_body(request: web.Request, form: type[Q]) -> Q:
    """Return the members of a request's body. Raises `DeskError`."""
    body = await request.read()
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as error:
        raise refusal_of(error, {}, form) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DeskError("invalid", f"the body is no JSON: {error}") from None


def text_problem(value: str) -> str | None:
    """Return what is wrong with a member of a query as a text, None if nothing is."""
    if len(value) > VALUE_CHARACTERS_MAX:
        return f"it has {len(value):,} characters: at most {VALUE_CHARACTERS_MAX:,}"
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in value):
        return "a character in it is no text"
    return None


def refusal_of(
    error: msgspec.ValidationError, given: Mapping[str, Any], form: type[Struct]
) -> DeskError:
    """Return what is wrong with members that don't fit a form."""
    said = str(error)
    if unknown := _UNKNOWN.search(said):
        return _unknown(unknown[1], form)
    if missing := _MISSING.search(said):
        return invalid(missing[1], f"{missing[1]} is missing")
    if member := _MEMBER.search(said):
        name, what = member[1], said[: member.start()]
        value = f" is {shown(given[name])}" if name in given else ""
        return invalid(name, f"{name}{value}: {what[:1].lower()}{what[1:]}")
    return DeskError("invalid", said)


def _unknown(name: str, form: type[Struct]) -> DeskError:
    known = ", ".join(form.__struct_encode_fields__)
    name = shown(name)[1:-1]
    return invalid(name, f"{name} is no member here: there are {known or 'none'}")
