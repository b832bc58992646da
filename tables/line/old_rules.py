"""Rules that held on a line before anything that is still asked for: they are forgotten.

A plant may change its rules every day. What an event of a line goes by is asked for as long as the
event can come, be reversed, or leave.
"""

from collections.abc import Iterator

from tables.line import kept
from tables.line.line import Line, set_boundaries
from tables.line.periods import Boundary
from tables.line.windows import FOREVER


def note_freed(line: Line, at: int) -> None:
    """Note that a parked event of an instant goes on or is taken out: its entry counts on."""
    line.freed_from = min(line.freed_from, at)
    line.freed_at = line.watermark


def may_forget(line: Line) -> bool:
    """Return whether there are rules that no event which is accepted from now on can need."""
    return len(line.boundaries) > 1 and line.boundaries[1].begin <= oldest_of(line)


def forget(line: Line, parked: int | None) -> None:
    """Forget the rules that nothing of a line needs; `parked` is the earliest of what is parked."""
    oldest = oldest_of(line)
    if line.freed_at < oldest:
        line.freed_from = FOREVER
    needed = min([oldest, line.freed_from, *_held(line)])
    if parked is not None:
        needed = min(needed, parked)
    rest = since(line.boundaries, needed)
    if len(rest) < len(line.boundaries):
        set_boundaries(line, rest)


def since(boundaries: list[Boundary], needed: int) -> list[Boundary]:
    """Return the boundaries of what holds from an instant on; they are in their order."""
    first = 0
    while first + 1 < len(boundaries) and boundaries[first + 1].begin <= needed:
        first += 1
    return boundaries[first:]


def oldest_of(line: Line) -> int:
    """Return the earliest time that an event which is accepted from now on, or its original, has.

    What holds have kept may be older.
    """
    return max(line.watermark - line.rules.retention, line.reach)


def _held(line: Line) -> Iterator[int]:
    """Yield the instants of what a line holds: open rows, finals that wait, episodes."""
    for kind, carried in zip(line.rules.kinds, line.windows, strict=True):
        if kind.erp:
            for rows in carried.values():
                yield from (start for start, _ in rows)
    for waiting in line.finals.values():
        yield from (kept.decoded_of(each).time for each in waiting.values())
    for episode in line.episodes.values():
        if episode.start is not None:
            yield episode.start
