"""What is asked of the books: the members that all lists share, and what is wrong with a value."""

import re
from datetime import date, tzinfo
from typing import Annotated, Final

from msgspec import Meta, Struct

from streams.contract.rejection import shown
from streams.trouble import Trouble
from streams.values import instant
from tables.line import clocks

LIMIT_MAX: Final = 500
"""Items of one answer: more are asked for by the cursor."""

LIMIT: Final = 50

CURSOR_CHARACTERS_MAX: Final = 2_000
"""A cursor has the sort key of one row: two names of 256 characters, and more, fit."""

Text = Annotated[str, Meta(min_length=1, max_length=256)]
"""A name, or a part of one."""

Moment = Annotated[str, Meta(min_length=10, max_length=40)]
"""RFC 3339, or a date: midnight in the plant's time zone."""

Seconds = Annotated[int, Meta(ge=0, le=10**10)]

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class AskedError(Trouble):
    """A question that can't be answered: `member` is what is wrong with it."""

    def __init__(self, member: str, message: str) -> None:
        """Take the member, and a sentence that names it and its value."""
        super().__init__(message)
        self.member = member


class OneAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question whose answer is no list."""


class ListAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question whose answer is a list."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT
    cursor: Annotated[str, Meta(min_length=1, max_length=CURSOR_CHARACTERS_MAX)] | None = None


def moment(member: str, given: str | None, zone: tzinfo | None) -> int | None:
    """Return a moment in microseconds; a date is midnight in `zone` (UTC if none).

    Raises `AskedError`.
    """
    if given is None:
        return None
    try:
        if _DATE.fullmatch(given):
            at = clocks.midnight(zone, date.fromisoformat(given))
            if not instant.EARLIEST <= at <= instant.LATEST:
                raise ValueError("outside the years 2000 to 9998 in UTC")
            return at
        return instant.parse(given)
    except (ValueError, OverflowError) as error:  # midnight may be before the first year
        said = f"{member} is {shown(given)}: {error}; e.g. 2026-11-28T06:00:00Z or 2026-11-28"
        raise AskedError(member, said) from None


def period(
    given_from: str | None, given_to: str | None, zone: tzinfo | None
) -> tuple[int | None, int | None]:
    """Return a period in microseconds. Raises `AskedError`, also if it ends before it begins."""
    begin, end = moment("from", given_from, zone), moment("to", given_to, zone)
    if begin is not None and end is not None and end < begin:
        raise AskedError("to", f"to is {given_to}: it is before from, which is {given_from}")
    return begin, end


def choices(member: str, given: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values that a member names, comma between them. Raises `AskedError`."""
    if given is None:
        return ()
    named = tuple(given.split(","))
    for each in named:
        if each not in known:
            raise AskedError(member, f"{member} is {shown(each)}: not one of {', '.join(known)}")
    return named
