"""Tumbling windows of one line: rows that add up, carried until a window closes."""

from collections.abc import Iterator
from typing import Final

from tables.line.rows import Row
from tables.line.rules import Kind, RowMembers, Rules

FOREVER: Final = 0x7FFFFFFFFFFFFFFF
"""A watermark that no line reaches."""

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


def next_boundary(watermark: int, rules: Rules) -> int:
    """Return the watermark at which the next window can close."""
    due, grace = FOREVER, rules.grace
    for length in rules.lengths:
        boundary = horizon(watermark, length, grace) + length + grace
        if boundary < due:
            due = boundary
    return due


def closable(
    windows: tuple[Carried, ...], rules: Rules, watermark: int
) -> Iterator[tuple[int, Kind, int]]:
    """Yield (end, kind, carrier) of each carrier that the watermark has reached, unordered."""
    for kind, carried in zip(rules.kinds, windows, strict=True):
        closed = horizon(watermark, kind.length, rules.grace)
        for carrier in carried:
            if carrier + kind.length <= closed:
                yield carrier + kind.length, kind, carrier
