"""Tumbling windows of one line: rows that add up, carried until a window closes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core import loaded
from tables.line.rules import Kind, RowMembers, Rules


class PlainRow(Struct, gc=False):
    """One row of a window: sums in billionths, and what caused them.

    `count` is what the record calls `count` (a summary: reversals are -1) or `cause_count`.
    """

    measures: list[int]
    count: int = 0
    causes: list[str] = []
    page: int = 0
    """Which page of its window it is written in."""

    def add(self, slot: int, amount: int) -> None:
        """Add billionths to a sum."""
        self.measures[slot] += amount


if TYPE_CHECKING or not loaded("tables.line.rows"):
    Row = PlainRow
else:
    from tables.line.rows import Row


RowKey = tuple[int, RowMembers]
"""(start of the window that the events belong to, the members of the row)"""

Carried = dict[int, dict[RowKey, Row]]
"""By the start of the window that carries the rows: its own, or a later one's."""


def horizon(watermark: int, length: int, grace: int) -> int:
    """Return the end of the last closed window: a window is closed once end + grace is reached."""
    return (watermark - grace) // length * length


def carrier_of(at: int, watermark: int, length: int, grace: int) -> int:
    """Return the start of the window that carries an event of time `at`.

    That is its own window while it's open. An event for a closed window is late, not lost: it is
    carried by the window that holds the watermark.
    """
    start = at - at % length
    if start + length + grace > watermark:
        return start
    return watermark - watermark % length


def closable(
    windows: tuple[Carried, ...], rules: Rules, watermark: int
) -> Iterator[tuple[int, Kind, int]]:
    """Yield (end, kind, carrier) of each carrier that the watermark has reached, unordered."""
    for kind, carried in zip(rules.kinds, windows, strict=True):
        closed = horizon(watermark, kind.length, rules.grace)
        for carrier in carried:
            if carrier + kind.length <= closed:
                yield carrier + kind.length, kind, carrier
