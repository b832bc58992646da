"""When one work unit stood still: its stops by their starts, and what they cover together."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from tables.line.episodes import overlaps
from tables.line.windows import LONG_AGO

_LONG_AGO = LONG_AGO


Span = tuple[int, int, bool]
"""A stop that lasts: its start, until when, and whether it's planned."""


class Standstill:
    """The episodes of one work unit that last, in the order of their starts.

    Those that share time, directly or through others, are a group; touching ends share none. Groups
    lie one behind the other: one begins where an episode starts at or past all ends before it. So
    what is over longest is at the front, and is forgotten there.
    """

    def __init__(self) -> None:
        self.names: list[tuple[int, str]] = []
        """(start, episode), in that order."""
        self.untils: list[int] = []
        self.reaches: list[int] = []
        """The latest of the `untils` up to here: it never falls."""

    def put(self, name: str, start: int, until: int) -> None:
        """Put an episode in its place; one that is there lasts until then from now on."""
        key = start, name
        place = bisect_left(self.names, key)
        if place == len(self.names) or self.names[place] != key:
            self.names.insert(place, key)
            self.untils.insert(place, until)
            self.reaches.insert(place, _LONG_AGO)
        else:
            self.untils[place] = until
        self._reach_from(place)

    def drop(self, name: str, start: int) -> None:
        """Take an episode out, if it is there."""
        key = start, name
        place = bisect_left(self.names, key)
        if place < len(self.names) and self.names[place] == key:
            del self.names[place], self.untils[place], self.reaches[place]
            self._reach_from(place)

    def between(self, start: int, end: int) -> list[str]:
        """Return the episodes that share time with [start, end)."""
        first, last = bisect_right(self.reaches, start), bisect_left(self.names, (end, ""))
        return [self.names[place][1] for place in range(first, last) if self.untils[place] > start]

    def over(self, oldest: int) -> list[str]:
        """Return the episodes of the groups that are over before `oldest`, all of each."""
        return [name for _, name in self.names[: self._count_over(oldest)]]

    def forget(self, oldest: int) -> None:
        """Drop the groups that are over before `oldest`."""
        count = self._count_over(oldest)
        del self.names[:count], self.untils[:count], self.reaches[:count]

    def first_reach(self) -> int:
        """Return when the group that will be forgotten first is over."""
        place = 1
        while place < len(self.names) and not self._begins_group(place):
            place += 1
        return self.reaches[place - 1]

    def _count_over(self, oldest: int) -> int:
        count = bisect_left(self.reaches, oldest)
        while 0 < count < len(self.names) and not self._begins_group(count):
            count -= 1
        return count

    def _begins_group(self, place: int) -> bool:
        return self.names[place][0] >= self.reaches[place - 1]

    def _reach_from(self, place: int) -> None:
        reach = self.reaches[place - 1] if place else _LONG_AGO
        for each in range(place, len(self.untils)):
            reach = max(reach, self.untils[each])
            if self.reaches[each] == reach:
                return
            self.reaches[each] = reach


def standing(spans: Iterable[Span], length: int) -> dict[int, tuple[int, int]]:
    """Return how long a work unit stood still in each window: unplanned, and planned only.

    By window start, in microseconds. Two stops at once are one standstill, and where one of them is
    unplanned it counts as that.
    """
    ordered = sorted(spans)
    lasted: dict[int, tuple[int, int]] = {}
    if len(ordered) == 1:
        start, end, is_planned = ordered[0]
        for window, micros in overlaps(start, end, length):
            if is_planned:
                lasted[window] = 0, micros
            else:
                lasted[window] = micros, 0
        return lasted
    for start, end in _union(ordered):
        for window, micros in overlaps(start, end, length):
            down, planned = lasted.get(window, (0, 0))
            lasted[window] = down, planned + micros
    for start, end in _union([span for span in ordered if not span[2]]):
        for window, micros in overlaps(start, end, length):
            down, planned = lasted[window]
            lasted[window] = down + micros, planned - micros
    return lasted


def _union(ordered: list[Span]) -> list[tuple[int, int]]:
    """Return what spans, ordered by their starts, cover together, in parts that don't overlap."""
    parts = []
    begin = end = _LONG_AGO
    for start, until, _ in ordered:
        if start > end:
            if begin < end:
                parts.append((begin, end))
            begin, end = start, until
        end = max(end, until)
    if begin < end:
        parts.append((begin, end))
    return parts
