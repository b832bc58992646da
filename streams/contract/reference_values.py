"""What a member of a reference record can be: how each kind of value is read."""

import re
import zoneinfo
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal

from msgspec import Struct

from streams.contract.members import NAME_CHARACTERS_MAX, text_problem
from streams.contract.rejection import shown
from streams.values import instant, quantity
from streams.values.quantity import SCALE, Number

Text = Annotated[str, "text"]
Place = Annotated[str, "place"]
"""A line: no "/" in it, and not "*"."""
Flag = Annotated[bool, "flag"]
Measure = Annotated[int, "measure"]
"""Billionths of a unit."""
Instant = Annotated[int, "instant"]
"""Microseconds since the epoch."""
Seconds = Annotated[int, "seconds"]
Breakdown = Annotated[int, "breakdown"]
"""Seconds, 1 or more."""
Zone = Annotated[str, "zone"]
"""An IANA name of a time zone."""
Require = Annotated[frozenset[str], "require"]
Conversions = Annotated[dict[str, int], "conversions"]
"""Billionths of the base unit that one of a unit is, by unit."""
Consumption = Annotated[str, "consumption"]
Status = Annotated[str, "status"]
Scope = Annotated[str, "scope"]
Disposition = Annotated[str, "disposition"]

PLACE_CHARACTERS_MAX: Final = 128
SECONDS_MAX: Final = 86_400
FACTOR_MAX: Final = 10**6
"""A conversion is smaller than this."""
WINDOWS_SECONDS: Final = 900
"""A posting window divides this, so that every local midnight ends one."""
WHOLE_MAX: Final = 2**63 - 1

TIME_MIN: Final = 946_684_800 * instant.SECOND
"""2000-01-01T00:00:00Z; a time before it is of a clock that was never set."""
TIME_END: Final = 253_370_764_800 * instant.SECOND
"""9999-01-01T00:00:00Z; a time is before it."""

REQUIRABLE: Final = ("line", "item", "uom", "lot", "work_unit", "reason", "order")
"""What a plant can ask to be known, in the order in which it is looked for."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "consumption": ("mes", "erp"),
    "status": ("released", "held", "completed", "closed", "cancelled"),
    "scope": ("lot", "order", "item"),
    "disposition": ("use", "rework", "scrap", "return"),
}

RULED: Final[Mapping[str, str]] = {
    "erp.production_confirmation.v1": "pc",
    "erp.goods_receipt.v1": "gr",
    "erp.goods_issue.v1": "gi",
    "erp.scrap_posting.v1": "sp",
    "erp.labor_confirmation.v1": "lc",
}
"""The record types whose cadence `rules` can set."""

When = Literal["at_once", "window", "hour", "day"]
WHENS: Final[tuple[When, ...]] = ("at_once", "window", "hour", "day")


class Cadence(Struct, frozen=True):
    """When records of a type leave; with `window` and no seconds, those of the settings hold."""

    when: When
    window_seconds: int | None = None


Transactions = Annotated[dict[str, Cadence], "transactions"]
"""Cadences by record type."""


def reference_text_problem(value: object, characters_max: int = NAME_CHARACTERS_MAX) -> str | None:
    """Return what is wrong with a text of a reference record, None if nothing."""
    return text_problem(value, characters_max)


def place_problem(value: object) -> str | None:
    """Return what is wrong with a plant or a line, None if nothing."""
    problem = reference_text_problem(value, PLACE_CHARACTERS_MAX)
    if problem is None and "/" in str(value):
        return "a '/' in it"
    return "the name of no single one" if problem is None and value == "*" else problem


def whole(value: object, least: int, most: int) -> int:
    """Return a JSON number that is whole by value (1e3 is), or raise `ValueError`."""
    number: int | None = None
    if value.__class__ is int:
        number = value
    elif isinstance(value, Number):
        scaled = quantity.parse(value)
        number = None if scaled % SCALE else scaled // SCALE
    if number is None or not least <= number <= most:
        raise ValueError(f"not a whole number of {least} to {most}")
    return number


def seq(value: object, binary: bool) -> int:
    """Return an offset in `reference.v1`: a whole number, in a header its digits."""
    if not binary:
        return whole(value, 0, WHOLE_MAX)
    if not isinstance(value, str) or re.fullmatch("[0-9]{1,19}", value) is None:
        raise ValueError("not the digits of a whole number")
    return whole(int(value), 0, WHOLE_MAX)


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all time zones that this machine knows."""
    return frozenset(zoneinfo.available_timezones())


def _text(value: object) -> str:
    return _unless(reference_text_problem(value), value)


def _place(value: object) -> str:
    return _unless(place_problem(value), value)


def _unless(problem: str | None, value: object) -> str:
    if problem is not None:
        raise ValueError(problem)
    return str(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _instant(value: object) -> int:
    at = instant.parse(value)
    if not TIME_MIN <= at < TIME_END:
        raise ValueError("not from 2000-01-01 to before 9999-01-01 in UTC")
    return at


def _zone(value: object) -> str:
    if value.__class__ is not str or value not in zone_names():
        raise ValueError("no IANA name of a time zone")
    return str(value)


def _require(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(one in REQUIRABLE for one in value):
        raise ValueError(f"not a list of some of {', '.join(REQUIRABLE)}")
    return frozenset(value)


def _conversions(value: object) -> dict[str, int]:
    return {uom: read_factor(uom, factor) for uom, factor in _present(value)}


def read_factor(uom: str, value: object) -> int:
    """Return how many billionths of another unit one `uom` is, or raise `ValueError`."""
    problem = reference_text_problem(uom)
    if problem is not None:
        raise ValueError(f"{shown(uom)} is no unit: {problem}")
    try:
        factor = quantity.parse(value)
    except ValueError as error:
        raise ValueError(f"{shown(uom)} is {shown(value)}: {error}") from None
    if not 0 < factor < FACTOR_MAX * SCALE:
        raise ValueError(f"{shown(uom)} is {shown(value)}: not above 0 and below 10^6")
    return factor


def _transactions(value: object) -> dict[str, Cadence]:
    return {record: _cadence(record, given) for record, given in _present(value)}


def _cadence(record: str, value: object) -> Cadence:
    if record not in RULED:
        raise ValueError(f"{shown(record)} is not one of {', '.join(RULED)}")
    if not isinstance(value, dict):
        raise ValueError(f"{record} is {shown(value)}: not an object")
    when = value.get("when")
    if when not in WHENS:
        raise ValueError(f"when of {record} is {shown(when)}: not one of {', '.join(WHENS)}")
    given = value.get("window_seconds")
    if when != "window" or given is None:
        return Cadence(when)
    try:
        seconds = whole(given, 1, WINDOWS_SECONDS)
    except ValueError as error:
        raise ValueError(f"window_seconds of {record} is {shown(given)}: {error}") from None
    if WINDOWS_SECONDS % seconds:
        raise ValueError(f"window_seconds of {record} is {seconds}: it doesn't divide 900")
    return Cadence(when, seconds)


def _present(value: object) -> list[tuple[str, Any]]:
    """Return the members of an object; one that is null is absent."""
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return [(name, given) for name, given in value.items() if given is not None]


def _choice(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(f"not one of {', '.join(choices)}")
        return str(value)

    return read


def _cadences(value: Mapping[str, Cadence]) -> dict[str, Any]:
    return {
        record: {"when": cadence.when}
        | ({} if cadence.window_seconds is None else {"window_seconds": cadence.window_seconds})
        for record, cadence in sorted(value.items())
    }


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": _text,
    "place": _place,
    "flag": _flag,
    "measure": quantity.parse,
    "instant": _instant,
    "seconds": lambda value: whole(value, 0, SECONDS_MAX),
    "breakdown": lambda value: whole(value, 1, SECONDS_MAX),
    "zone": _zone,
    "require": _require,
    "conversions": _conversions,
    "transactions": _transactions,
    **{name: _choice(choices) for name, choices in CHOICES.items()},
}
"""What reads a value, by the mark of its type; each raises `ValueError` with what is wrong."""

WRITERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "measure": quantity.text,
    "instant": instant.text,
    "require": lambda value: [one for one in REQUIRABLE if one in value],
    "conversions": lambda value: {uom: quantity.text(value[uom]) for uom in sorted(value)},
    "transactions": _cadences,
}
"""What writes a value as JSON, the same for values that are equal; what isn't named is as it is."""
