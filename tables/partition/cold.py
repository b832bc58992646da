"""The lines of a partition that are in its store only, until an event or a window wakes them."""

import heapq
from collections.abc import Iterator
from typing import Final

from tables.line import memory
from tables.line.conservation import (
    Balance,
    Measured,
    Single,
    balances_by_unit,
    singles,
    waiting_finals,
)
from tables.line.line import Line
from tables.line.rules import Rules

FOREVER: Final = 2**63 - 1
"""After every instant: when a line is due that nothing is to be done for."""

HEAP_SLACK: Final = 1_000
"""So many entries of lines that have woken may be kept, and as many as there are others."""


class Cold:
    """How many lines lie in the store only, when each is due, and what they add up to.

    A line that nothing is to be done for costs no memory at all; one with open windows, episodes or
    ledger entries that will expire costs its key and an instant.
    """

    def __init__(self) -> None:
        self.count = 0
        self.balances: dict[Measured, Balance] = {}
        """By record type, measure and unit."""
        self.errors: dict[Measured, int] = {}
        """The sizes of the lines' errors, added up."""
        self.singles: dict[str, Single] = {}
        """By record type."""
        self.single_errors: dict[str, int] = {}
        self.late_events = self.open_windows = self.waiting_finals = 0
        self.forgotten_open = 0
        self._due: dict[bytes, int] = {}
        self._heap: list[tuple[int, bytes]] = []

    def add(self, line: Line, due: int, rules: Rules) -> None:
        """Take in a line whose state is in the store as it is; `due` is a watermark."""
        self._count(line, rules, 1)
        if due < FOREVER:
            due += line.timings.idle_grace
            self._due[line.key] = due
            heapq.heappush(self._heap, (due, line.key))
            if len(self._heap) > 2 * len(self._due) + HEAP_SLACK:  # lines that have woken since
                self._heap = [(due, key) for key, due in self._due.items()]
                heapq.heapify(self._heap)

    def remove(self, line: Line, rules: Rules) -> None:
        """Let go of a line, as it was taken in."""
        self._count(line, rules, -1)
        self._due.pop(line.key, None)

    def due(self, time: int) -> Iterator[bytes]:
        """Yield the keys of the lines that are due at a tick's time, the earliest first.

        Each is to be removed before the next is asked for.
        """
        heap = self._heap
        while heap and heap[0][0] <= time:
            due, key = heapq.heappop(heap)
            if self._due.get(key) == due:
                yield key

    def _count(self, line: Line, rules: Rules, sign: int) -> None:
        self.count += sign
        self.late_events += sign * line.late_events
        self.open_windows += sign * sum(len(carried) for carried in line.windows)
        for name, each in balances_by_unit(line, rules).items():
            self.balances.setdefault(name, Balance()).add(each, sign)
            self.errors[name] = self.errors.get(name, 0) + sign * abs(each.error)
        self.waiting_finals += sign * waiting_finals(line)
        self.forgotten_open += sign * memory.forgotten_open(line, rules)
        for record, single in singles(line, rules).items():
            self.singles.setdefault(record, Single()).add(single, sign)
            self.single_errors[record] = self.single_errors.get(record, 0) + sign * abs(
                single.error
            )
