"""Tumbling windows of one line: rows that add up, carried until a window closes."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from streams.values import instant
from tables.line import clocks
from tables.line.rows import Row
from tables.line.rules import Kind, RowMembers

FOREVER: Final = 0x7FFFFFFFFFFFFFFF
"""A watermark that no line reaches."""

LONG_AGO: Final = -(2**63)
"""Before every instant."""

RowKey = tuple[int, RowMembers]
"""(start of the window that the events belong to, the members of the row)"""

Carried = dict[int, dict[RowKey, Row]]
"""By the end of the window that carries the rows: their own, or a later one's."""

_MINUTE = 60 * instant.SECOND
_HOUR_RANK, _DAY_RANK = 2**61, 2**62
_FOREVER, _LONG_AGO = FOREVER, LONG_AGO


class Cadence:
    """How the windows of a record type follow one another, by the rules that hold from `begin` on.

    `length` is that of windows on the Unix epoch, in microseconds. It is 0 for those of a local
    clock: `daily` says whether they last a local day or a local hour, in `zone` (None: UTC).
    """

    def __init__(
        self,
        length: int,
        begin: int = LONG_AGO,
        zone: tzinfo | None = None,
        daily: bool = False,
    ) -> None:
        self.length = length
        self.begin = begin
        self.zone = zone
        self.daily = daily
        self.unit = length or _MINUTE
        """Of which a revision counts how many a carrier starts later: windows, or minutes."""
        self.rank = length or (_DAY_RANK if daily else _HOUR_RANK)
        """The greater, the longer are its windows."""
        self.last = (0, 0)
        """The window of a local clock that was asked for last."""


def start_of(cadence: Cadence, at: int) -> int:
    """Return the start of the window that holds an instant; none starts before `begin`."""
    if cadence.length:  # noqa: SIM108  # as C, without Python numbers in between
        start = at - at % cadence.length
    else:
        start = _local(cadence, at)[0]
    return start if start >= cadence.begin or at < cadence.begin else cadence.begin


def end_of(cadence: Cadence, start: int) -> int:
    """Return the end of the window that starts at, or holds, an instant."""
    if cadence.length:
        return start - start % cadence.length + cadence.length
    end: int = _local(cadence, start)[1]
    return end


def _local(cadence: Cadence, at: int) -> tuple[int, int]:
    last = cadence.last
    if not last[0] <= at < last[1]:
        last = cadence.last = (clocks.day_of if cadence.daily else clocks.hour_of)(cadence.zone, at)
    return last


def carrier_of(cadence: Cadence, end: int, watermark: int, furthest: int) -> int:
    """Return the end of the window that carries an event of the window that ends at `end`.

    That is its own window while it's open: until `furthest`, the furthest that watermark - grace
    has ever been, reaches its end. An event for a closed window is late, not lost: it is carried by
    the window, of the same cadence, that holds the watermark.
    """
    if end > furthest:
        return end
    return end_of(cadence, start_of(cadence, watermark))


def revision_of(cadence: Cadence, start: int, carrier: int) -> int:
    """Return the revision of what a window that ends at `carrier` carries for one from `start` on.

    It says how much later the carrier started: 0 where the window carries its own rows.
    """
    return (start_of(cadence, carrier - 1) - start) // cadence.unit


def closable(
    windows: tuple[Carried, ...], kinds: tuple[Kind, ...], furthest: int
) -> Iterator[tuple[int, Kind]]:
    """Yield (end, kind) of each carrier that closes by `furthest`, unordered."""
    for kind, carried in zip(kinds, windows, strict=True):
        for end in carried:
            if end <= furthest:
                yield end, kind
