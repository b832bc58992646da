"""A shift calendar as it is read from the free `data` of its reference record, leniently.

What can't be read is left out, and told in a sentence: a calendar with a mistake in one shift
still has the others.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from msgspec import Struct

from streams.contract.rejection import shown
from tables.kpi.local_time import DAY_MINUTES, YEAR_FIRST, YEAR_LAST

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALL_DAYS: Final = frozenset(range(7))

SHIFTS_MAX: Final = 50
"""Of a calendar, and of an exception: more than any plant's week has."""

BREAKS_MAX: Final = 50
EXCEPTIONS_MAX: Final = 5_000
"""Thirteen years, were each day one."""

NAME_CHARACTERS_MAX: Final = 128

PROBLEMS_MAX: Final = 20
"""So many mistakes of a calendar are told."""

_TIME: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])(?::00)?\Z")


class Span(Struct, frozen=True):
    """From one time of the day to another, in minutes past midnight; `end` may be past 1,440."""

    name: str
    start: int
    end: int
    days: frozenset[int] = ALL_DAYS
    """Of its start; 0 is Monday."""


class Otherwise(Struct, frozen=True):
    """What holds on one date in place of the week's."""

    shifts: tuple[Span, ...]
    breaks: tuple[Span, ...] | None
    """None: those of the week."""


class Calendar(Struct, frozen=True):
    """Shifts and breaks of the week, and the dates that are otherwise."""

    id: str
    shifts: tuple[Span, ...] = ()
    breaks: tuple[Span, ...] = ()
    exceptions: Mapping[date, Otherwise] = {}
    lines: frozenset[str] | None = None
    """None: all lines of the plant that no other calendar names."""
    day_start: int = 0
    """When a day begins on which no shift says otherwise, in minutes past midnight."""

    def shifts_of(self, day: date) -> tuple[Span, ...]:
        """Return the shifts that start on a date."""
        exception = self.exceptions.get(day)
        if exception is not None:
            return exception.shifts
        return tuple(each for each in self.shifts if day.weekday() in each.days)

    def breaks_of(self, day: date) -> tuple[Span, ...]:
        """Return the breaks that start on a date."""
        exception = self.exceptions.get(day)
        if exception is not None and exception.breaks is not None:
            return exception.breaks
        return tuple(each for each in self.breaks if day.weekday() in each.days)


def read_calendar(name: str, data: Mapping[str, Any]) -> tuple[Calendar | None, list[str]]:
    """Return a calendar, None if it says nothing of shifts, and what is wrong with it."""
    problems: list[str] = []
    tell = problems.append
    if not isinstance(data.get("shifts"), list):
        tell(f"shifts is {shown(data.get('shifts'))}: not a list of shifts")
        return None, problems
    shifts = _spans("shifts", data["shifts"], SHIFTS_MAX, tell)
    breaks = _spans("breaks", data.get("breaks"), BREAKS_MAX, tell)
    calendar = Calendar(
        id=name,
        shifts=shifts,
        breaks=breaks,
        exceptions=dict(_exceptions(data.get("exceptions"), shifts, tell)),
        lines=_lines(data.get("lines"), tell),
        day_start=_day_start(data.get("day_start"), shifts, tell),
    )
    return calendar, problems[:PROBLEMS_MAX]


Tell = Callable[[str], None]


def _spans(where: str, given: Any, most: int, tell: Tell) -> tuple[Span, ...]:
    read = []
    for number, each in _listed(where, given, most, tell):
        at = f"{where}[{number}]"
        try:
            read.append(_span(at, each, f"shift {number + 1}"))
        except ValueError as error:
            tell(f"{error}: left out")
    return tuple(read)


def _span(at: str, given: Any, unnamed: str) -> Span:
    if not isinstance(given, Mapping):
        raise ValueError(f"{at} is {shown(given)}: not an object")
    start, end = (_time(f"{at}.{name}", given.get(name)) for name in ("start", "end"))
    if start == DAY_MINUTES:
        start = 0
    if end <= start:
        end += DAY_MINUTES
    name = given.get("name")
    if name is None:
        name = unnamed
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ValueError(f"{at}.name is {shown(name)}: not a text")
    if len(name) > NAME_CHARACTERS_MAX:
        raise ValueError(f"{at}.name is {shown(name)}: longer than {NAME_CHARACTERS_MAX}")
    return Span(name.strip(), start, end, _days(f"{at}.days", given.get("days")))


def _time(at: str, given: Any) -> int:
    match = _TIME.match(given.strip()) if isinstance(given, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else DAY_MINUTES + 1
    if minutes > DAY_MINUTES:
        raise ValueError(f"{at} is {shown(given)}: not a time of the day such as '06:00'")
    return minutes


def _days(at: str, given: Any) -> frozenset[int]:
    if given is None:
        return ALL_DAYS
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueError(f"{at} is {shown(given)}: not a list of days such as 'mon'")
    numbers = set()
    for each in given:
        short = each.strip().lower()[:3] if isinstance(each, str) else ""
        if short not in DAYS:
            raise ValueError(f"{at} has {shown(each)}: not one of {', '.join(DAYS)}")
        numbers.add(DAYS.index(short))
    return frozenset(numbers)


def _exceptions(given: Any, week: tuple[Span, ...], tell: Tell) -> Iterator[tuple[date, Otherwise]]:
    """Yield the dates on which something else holds; a shift may be named only."""
    named = {each.name: each for each in week}
    for number, each in _listed("exceptions", given, EXCEPTIONS_MAX, tell):
        at = f"exceptions[{number}]"
        said = each.get("date") if isinstance(each, Mapping) else None
        try:
            day = date.fromisoformat(said if isinstance(said, str) else "")
            if not YEAR_FIRST <= day.year <= YEAR_LAST:
                raise ValueError
        except ValueError:
            tell(f"{at}.date is {shown(said)}: not a date such as '2026-12-24': left out")
            continue
        if not isinstance(each.get("shifts"), list):
            tell(f"{at}.shifts is {shown(each.get('shifts'))}: not a list of shifts: left out")
            continue
        shifts = [
            {"name": one, "start": _clock(named[one].start), "end": _clock(named[one].end)}
            if isinstance(one, str) and one in named
            else one
            for one in each["shifts"]
        ]
        breaks = each.get("breaks")
        yield (
            day,
            Otherwise(
                _spans(f"{at}.shifts", shifts, SHIFTS_MAX, tell),
                None if breaks is None else _spans(f"{at}.breaks", breaks, BREAKS_MAX, tell),
            ),
        )


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def _lines(given: Any, tell: Tell) -> frozenset[str] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        tell(f"lines is {shown(given)}: not a list of lines: taken as of all lines")
        return None
    return frozenset(given)


def _day_start(given: Any, shifts: tuple[Span, ...], tell: Tell) -> int:
    """Return when a day begins: as it is said, else with the earliest shift of the week."""
    earliest = min((each.start for each in shifts), default=0)
    if given is None:
        return earliest
    try:
        return _time("day_start", given) % DAY_MINUTES
    except ValueError as error:
        tell(f"{error}: taken as {_clock(earliest)}")
        return earliest


def _listed(where: str, given: Any, most: int, tell: Tell) -> Iterator[tuple[int, Any]]:
    if given is None:
        return
    if not isinstance(given, list):
        tell(f"{where} is {shown(given)}: not a list: left out")
        return
    if len(given) > most:
        tell(f"{where} has {len(given):,} entries: only the first {most:,} are looked at")
    yield from enumerate(given[:most])
