"""A period divided: by minute, hour, shift, day, or not at all."""

from datetime import date
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from tables.kpi.days import (
    Clock,
    Stretch,
    date_of,
    days_between,
    pieces_between,
    planned_between,
)
from tables.kpi.local_time import MINUTE, full_hours

By = Literal["minute", "hour", "shift", "day", "total"]
"""Into what a period is divided."""


class Bucket(Struct, frozen=True):
    """A part of a period, and what of it is planned for work."""

    from_: int
    to: int
    date: date
    """Of the plant's day in which it begins."""
    shift: str | None
    planned: tuple[Stretch, ...]


def buckets(clock: Clock, by: By, begin: int, end: int) -> list[Bucket]:
    """Return [begin, end) divided, without gap or overlap, in order.

    Both are full minutes.
    """
    if begin >= end:
        return []
    planned = planned_between(clock, begin, end)
    divided: list[Bucket] = []
    first = 0
    for from_, to, day, shift in _edges(clock, by, begin, end):
        while first < len(planned) and planned[first][1] <= from_:
            first += 1
        within = []
        for stretch in planned[first:]:
            if stretch[0] >= to:
                break
            within.append((max(from_, stretch[0]), min(to, stretch[1])))
        divided.append(Bucket(from_, to, day, shift, tuple(within)))
    return divided


def _edges(clock: Clock, by: By, begin: int, end: int) -> list[tuple[int, int, date, str | None]]:
    if by == "shift":
        pieces = pieces_between(clock, begin, end)
        return [(each.from_, each.to, each.date, each.name) for each in pieces]
    if by == "day":
        return [
            (max(begin, each.from_), min(end, each.to), each.date, None)
            for each in days_between(clock, begin, end)
        ]
    inner: list[int] = []
    if by == "hour":
        inner = full_hours(begin + MINUTE, end, clock.zone)
    elif by == "minute":
        inner = list(range(begin + MINUTE, end, MINUTE))
    borders = [begin, *inner, end]
    days = days_between(clock, begin, end)
    found: list[tuple[int, int, date, str | None]] = []
    position = 0
    for from_, to in pairwise(borders):
        while position + 1 < len(days) and days[position].to <= from_:
            position += 1
        day = days[position].date if days else date_of(clock, from_)
        found.append((from_, to, day, None))
    return found
