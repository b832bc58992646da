"""What lies parked, in groups; and what of a line is freed, in the order of acceptance."""

import heapq
from bisect import bisect_right
from collections import deque
from itertools import islice
from typing import Final

from tables.partition.holds import Touchable
from tables.store.store import Changes, Scan

PARKED: Final = b"p"
GROUP: Final = b"g"
"""Prefixes of the store's keys: then the line's key, a zero byte, and the number of the group; for
an event its own number, too."""

NUMBERS_READ: Final = 16_384
GROUP_READ: Final = 16
"""So many numbers of events that go on are read at once: of all groups of a line together, and of
one group at least."""


class Group:
    """The parked events of a line with the same lot, item and order."""

    def __init__(
        self, line: bytes, number: int, touchable: Touchable, count: int = 0,
        since: int | None = None,
    ) -> None:  # fmt: skip
        self.line = line
        self.number = number
        """That of its first event."""
        self.touchable = touchable
        self.count = count
        self.since = since
        """The earliest of its events' times, None if that has to be looked for."""

    def key(self, prefix: bytes, number: int | None = None) -> bytes:
        """Return a key of the store: of the group, or with its number of an event."""
        key = prefix + self.line + b"\0" + self.number.to_bytes(8, "big")
        return key if number is None else key + number.to_bytes(8, "big")


class Freed:
    """The events of one line that go on, in the order in which they were accepted.

    Their numbers are read from the store by and by, so that there may be any number of them.
    """

    def __init__(self, line: bytes, groups: list[Group], scan: Scan, changed: Changes) -> None:
        """`changed` is what the store doesn't have yet."""
        self.line = line
        self._scan, self._changed = scan, changed
        self._at_once = max(NUMBERS_READ // len(groups), GROUP_READ)
        self._groups = groups
        fresh: dict[bytes, list[int]] = {}
        for key, value in changed.items():
            if key.startswith(PARKED + line + b"\0") and value is not None:
                fresh.setdefault(key[:-8], []).append(_number(key))
        self._fresh = [fresh.get(group.key(PARKED), []) for group in groups]
        self._read: list[deque[int]] = [deque() for _ in groups]
        self._next = [(group.number, place) for place, group in enumerate(groups)]
        """By group: the number of its next event, or one that is lower."""
        heapq.heapify(self._next)

    def next(self) -> tuple[Group, int] | None:
        """Return the group and the number of the next event, None if all have been returned."""
        while self._next:
            least, place = self._next[0]
            numbers = self._read[place]
            if not numbers:
                self._read_more(place, least)
                if not numbers:
                    heapq.heappop(self._next)
                    continue
            number = numbers[0]
            if number != least:
                heapq.heapreplace(self._next, (number, place))
                continue
            numbers.popleft()
            heapq.heapreplace(self._next, (number + 1, place))
            return self._groups[place], number
        return None

    def _read_more(self, place: int, least: int) -> None:
        """Read numbers of a group from `least` on: those of the store, then those behind them."""
        group, changed = self._groups[place], self._changed
        after = group.key(PARKED, least - 1) if least else b""
        found = (
            _number(key)
            for key, _ in self._scan(group.key(PARKED), after)
            if changed.get(key, b"") is not None
        )
        self._read[place].extend(islice(found, self._at_once))
        if not self._read[place]:
            fresh = self._fresh[place]
            self._read[place].extend(fresh[bisect_right(fresh, least - 1) :])


def _number(key: bytes) -> int:
    return int.from_bytes(key[-8:], "big")
