"""What lies parked, in groups; and what of a line is freed, in the order of acceptance."""

import heapq
from bisect import bisect_left
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
one group at least. Only of groups that have begun: any number of groups may go on."""


class Group:
    """The parked events of a line with the same lot, item and order."""

    __slots__ = ("count", "line", "number", "since", "touchable")

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

    Their numbers are read from the store by and by, so that there may be any number of them: a
    group's when its first event is due, since there may be any number of groups, too.
    """

    def __init__(self, line: bytes, groups: list[Group], scan: Scan, changed: Changes) -> None:
        """`changed` is what the store doesn't have yet."""
        self.line = line
        self._scan, self._changed = scan, changed
        self._at_once = max(NUMBERS_READ // len(groups), GROUP_READ)
        self._ahead = sorted(groups, key=_first, reverse=True)
        """Groups that haven't begun, the next one last."""
        self._begun: list[tuple[int, Group, list[int]]] = []
        """A heap: the next number of a group, which no other group has, and those read behind it,
        the next one last."""
        self._fresh: dict[bytes, list[int]] = {}
        """By the key of the group: the numbers that the store doesn't have yet."""
        for key, value in changed.items():
            if key.startswith(PARKED + line + b"\0") and value is not None:
                self._fresh.setdefault(key[:-8], []).append(_number(key))

    def next(self) -> tuple[Group, int] | None:
        """Return the group and the number of the next event, None if all have been returned.

        All events that were returned before have been let go.
        """
        begun, ahead = self._begun, self._ahead
        while ahead and (not begun or ahead[-1].number < begun[0][0]):
            group = ahead.pop()
            self._begin(group, group.number)
        if not begun:
            return None
        number, group, behind = begun[0]
        if behind:
            heapq.heapreplace(begun, (behind.pop(), group, behind))
        else:
            heapq.heappop(begun)
            if group.count > 1:  # this one is still counted
                self._begin(group, number + 1)
        return group, number

    def _begin(self, group: Group, least: int) -> None:
        """Read numbers of a group from `least` on: those of the store, then those behind them."""
        changed = self._changed
        after = group.key(PARKED, least - 1) if least else b""
        found = (
            _number(key)
            for key, _ in self._scan(group.key(PARKED), after)
            if changed.get(key, b"") is not None
        )
        numbers = list(islice(found, self._at_once))
        if not numbers:
            fresh = self._fresh.get(group.key(PARKED), [])
            numbers = fresh[bisect_left(fresh, least) :]
        if numbers:
            numbers.reverse()
            heapq.heappush(self._begun, (numbers.pop(), group, numbers))


def _first(group: Group) -> int:
    return group.number


def _number(key: bytes) -> int:
    return int.from_bytes(key[-8:], "big")
