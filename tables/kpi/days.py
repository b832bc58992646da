"""A plant's days and shifts as stretches of time: where each begins and ends, and what is planned.

A moment belongs to the shift that started last, and a shift to the day on which it starts: so
shifts and days follow each other without overlap. Between shifts is time that belongs to none.
"""

from datetime import date, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from msgspec import Struct

from tables.kpi.calendars import Calendar
from tables.kpi.local_time import DAY_MINUTES, instant_of, local

Stretch = tuple[int, int]
"""From an instant to another, which isn't in it."""

ONE_DAY: Final = timedelta(days=1)


class Clock(Struct, frozen=True):
    """What a line's days go by: its plant's zone, and its calendar if it has one."""

    zone: tzinfo
    calendar: Calendar | None = None


class Shift(Struct, frozen=True):
    """A shift on a date; `name` is None for time between shifts, and for a whole day."""

    name: str | None
    date: date
    """Of the day that it belongs to."""
    from_: int
    to: int


def day_begins(clock: Clock, day: date) -> int:
    """Return when the plant's day of a date begins.

    Without a calendar: at midnight. With one: when its first shift starts, but not later than a day
    usually begins, unless a shift of the day before lasts longer.
    """
    calendar = clock.calendar
    if calendar is None:
        return instant_of(day, 0, clock.zone)
    usual = instant_of(day, calendar.day_start, clock.zone)
    eve = day - ONE_DAY
    before = [instant_of(eve, each.end, clock.zone) for each in calendar.shifts_of(eve)]
    first = [instant_of(day, each.start, clock.zone) for each in calendar.shifts_of(day)]
    return min([max([usual, *before]), *first])


def date_of(clock: Clock, at: int) -> date:
    """Return the date of the plant's day that an instant belongs to."""
    day = local(at, clock.zone).date()
    return day if at >= day_begins(clock, day) else day - ONE_DAY


def day_of(clock: Clock, day: date) -> Shift:
    """Return the plant's day of a date."""
    return Shift(None, day, day_begins(clock, day), day_begins(clock, day + ONE_DAY))


def days_between(clock: Clock, begin: int, end: int) -> list[Shift]:
    """Return the plant's days that share time with [begin, end), whole."""
    found = []
    day = date_of(clock, begin)
    border = day_begins(clock, day)
    while border < end:
        day += ONE_DAY
        following = day_begins(clock, day)
        if border < following:
            found.append(Shift(None, day - ONE_DAY, border, following))
        border = following
    return found


def shifts_between(clock: Clock, begin: int, end: int) -> list[Shift]:
    """Return the shifts that share time with [begin, end), whole, in order; none overlap."""
    if clock.calendar is None or begin >= end:
        return []
    day = local(begin, clock.zone).date() - ONE_DAY
    last = local(end - 1, clock.zone).date()
    starts: dict[int, Shift] = {}
    while day <= last + ONE_DAY:  # the first of the day behind may cut the last one
        for each in clock.calendar.shifts_of(day):
            from_ = instant_of(day, each.start, clock.zone)
            to = instant_of(day, each.end, clock.zone)
            if from_ < to:
                starts[from_] = Shift(each.name, day, from_, to)
        day += ONE_DAY
    ordered = [starts[each] for each in sorted(starts)]
    cut = [
        Shift(each.name, each.date, each.from_, min(each.to, following.from_))
        for each, following in pairwise(ordered)
    ]
    cut += ordered[-1:]
    return [each for each in cut if each.from_ < end and each.to > begin]


def shifts_of_day(clock: Clock, day: date) -> list[Shift]:
    """Return the shifts that start on a date."""
    whole = day_of(clock, day)
    return [each for each in shifts_between(clock, whole.from_, whole.to) if each.date == day]


def pieces_between(clock: Clock, begin: int, end: int) -> list[Shift]:
    """Return [begin, end) divided into shifts, and the time between them, by day."""
    shifts = shifts_between(clock, begin, end)
    pieces: list[Shift] = []
    for day in days_between(clock, begin, end):
        at = day.from_
        for shift in shifts:
            if shift.from_ < day.from_ or shift.from_ >= day.to:
                continue
            if at < shift.from_:
                pieces.append(Shift(None, day.date, at, shift.from_))
            pieces.append(shift)
            at = shift.to
        if at < day.to:
            pieces.append(Shift(None, day.date, at, day.to))
    return [
        Shift(each.name, each.date, max(begin, each.from_), min(end, each.to))
        for each in pieces
        if each.from_ < end and each.to > begin
    ]


def planned_between(clock: Clock, begin: int, end: int) -> list[Stretch]:
    """Return the parts of [begin, end) that are meant for work: shifts without their breaks.

    Without a calendar all of it is.
    """
    if clock.calendar is None:
        return [(begin, end)] if begin < end else []
    shifts = [(each.from_, each.to) for each in shifts_between(clock, begin, end)]
    return clipped(without(shifts, breaks_between(clock, begin, end)), begin, end)


def breaks_between(clock: Clock, begin: int, end: int) -> list[Stretch]:
    """Return the breaks that share time with [begin, end), in order of their starts."""
    if clock.calendar is None:
        return []
    found = set()
    day = local(begin, clock.zone).date() - ONE_DAY
    last = local(end, clock.zone).date()
    while day <= last:
        for each in clock.calendar.breaks_of(day):
            found.add(
                (
                    instant_of(day, each.start, clock.zone),
                    instant_of(day, min(each.end, 2 * DAY_MINUTES), clock.zone),
                )
            )
        day += ONE_DAY
    return sorted(each for each in found if each[0] < each[1] and each[0] < end and each[1] > begin)


def without(whole: list[Stretch], gaps: list[Stretch]) -> list[Stretch]:
    """Return stretches less gaps; both are in order, gaps may overlap."""
    left: list[Stretch] = []
    first = 0
    for begin, end in whole:
        while first < len(gaps) and gaps[first][1] <= begin:
            first += 1
        at = begin
        for gap_begin, gap_end in gaps[first:]:
            if gap_begin >= end:
                break
            if gap_begin > at:
                left.append((at, gap_begin))
            at = max(at, gap_end)
        if at < end:
            left.append((at, end))
    return left


def clipped(stretches: list[Stretch], begin: int, end: int) -> list[Stretch]:
    """Return what of stretches lies within [begin, end)."""
    return [
        (max(begin, from_), min(end, to)) for from_, to in stretches if from_ < end and to > begin
    ]


def length(stretches: list[Stretch]) -> int:
    """Return how long stretches last, in microseconds."""
    return sum(to - from_ for from_, to in stretches)
