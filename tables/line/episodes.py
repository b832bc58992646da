"""Downtime episodes of one line: how long each lasted, and what that adds to which window."""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy

from msgspec import Struct

from streams.contract.events import DowntimeClassified, DowntimeEnded, DowntimeStarted
from tables.line.rules import RowMembers, Rules
from tables.line.windows import FOREVER

Stop = DowntimeStarted | DowntimeEnded | DowntimeClassified
"""An event that tells something of an episode."""

Gained = dict[tuple[int, RowMembers], tuple[int, int]]
"""(window start, row) -> what its two measures gain: microseconds, and microseconds or stops."""


class Episode(Struct, gc=False, omit_defaults=True):
    """What is known of one episode; an `ended` without a `started` waits for it.

    `cause` is the id of its `started`; times in microseconds. `reason` and `planned` are those of
    the classification that was accepted last, where there is one. A new member goes to the end and
    has a default: states of earlier versions have the first seven.
    """

    work_unit: str
    """Empty while all that is known of it is a classification that doesn't name one."""
    start: int | None = None
    end: int | None = None
    reason: str = ""
    planned: bool = False
    cause: str = ""
    notified: bool = False
    learnt: int | None = None
    """The watermark when it was learnt that this is an unplanned episode, while no end is known."""
    notified_for: int = 0
    """The breakdown that it was notified for; 0 where the version that did so didn't note it."""
    taken_back: bool = False
    """Its notification was."""
    classified: int | None = None
    """The time of the classification that was accepted last."""


def told(before: Episode | None, event: Stop) -> Episode:
    """Return an episode with what an event tells of it."""
    after = Episode("") if before is None else copy(before)
    after.work_unit = after.work_unit or event.data.work_unit or ""
    if isinstance(event, DowntimeEnded):
        after.end, after.learnt = event.time, None
    elif isinstance(event, DowntimeClassified):
        after.reason, after.planned = event.data.reason, event.data.planned
        after.classified = event.time
    else:
        after.start, after.cause = event.time, event.id
        if after.classified is None:
            after.reason, after.planned = event.data.reason, event.data.planned
    return after


def conflict(episode: Episode | None, event: Stop) -> str | None:
    """Return why a downtime event contradicts its episode (check 15), None if it doesn't."""
    if episode is None:
        return None
    name, unit = event.data.episode, event.data.work_unit
    if episode.work_unit and unit is not None and episode.work_unit != unit:
        return f"work_unit is {unit!r}, but the episode is of {episode.work_unit!r}"
    if isinstance(event, DowntimeStarted):
        if episode.start is not None:
            return f"episode {name!r} has a start already"
        if episode.end is not None and episode.end < event.time:
            return f"episode {name!r} ended before this start"
    elif isinstance(event, DowntimeEnded):
        if episode.end is not None:
            return f"episode {name!r} has an end already"
        if episode.start is not None and event.time < episode.start:
            return f"episode {name!r} started after this end"
    return None


def last_known(episode: Episode, limit: int) -> int:
    """Return the end, or where none is known the limit after the start; a classification's time
    stands for a start that isn't known either."""
    if episode.end is not None:
        return episode.end
    begun = episode.classified if episode.start is None else episode.start
    assert begun is not None  # an episode has a start, an end or a classification
    return begun + limit


def counted_until(episode: Episode, limit: int) -> int:
    """Return where an episode with a start stops counting: its end, or the limit after its start.

    A lost end must not count for ever; one that is known counts in full.
    """
    end, start = episode.end, episode.start
    if end is not None:
        return end
    assert start is not None
    return start + limit


def row_of(episode: Episode) -> RowMembers:
    """Return the members of its row of downtime."""
    return episode.work_unit, episode.reason, episode.planned


def overlaps(start: int, end: int, length: int) -> list[tuple[int, int]]:
    """Return (window start, microseconds) for each window that [start, end) overlaps."""
    found = []
    while start < end:
        window = start - start % length
        upto = min(end, window + length)
        found.append((window, upto - start))
        start = upto
    return found


def moves(before: Episode | None, after: Episode) -> bool:
    """Return whether all that counts of an episode counts for the first time, or in another row."""
    return before is None or before.start is None or row_of(before) != row_of(after)


def told_from(before: Episode | None, after: Episode, limit: int) -> int:
    """Return from when on two episodes count differently: windows before have what they had."""
    if after.start is None:
        return FOREVER
    return after.start if moves(before, after) else differs_from(before, after, limit)


def differs_from(before: Episode | None, after: Episode, limit: int) -> int:
    """Return from when on two episodes with starts count differently, their rows aside."""
    start = after.start
    assert start is not None
    if before is None or before.start is None:
        return start
    return min(counted_until(before, limit), counted_until(after, limit))


def learnt(before: Episode | None, after: Episode, closed: int, length: int, limit: int) -> Gained:
    """Return what `after` says of closed windows that `before` didn't: microseconds and stops.

    Closed are the windows that end at `closed` or before. Another reason moves what they have.
    """
    gained: Gained = {}
    if after.start is None:
        return gained
    anew, since = moves(before, after), told_from(before, after, limit)
    for episode, sign in ((before, -1), (after, 1)):
        if episode is None or episode.start is None:
            continue
        row, first = row_of(episode), episode.start - episode.start % length
        for window, micros in overlaps(since, min(counted_until(episode, limit), closed), length):
            seen = gained.get((window, row), (0, 0))
            gained[window, row] = seen[0] + sign * micros, seen[1]
        if anew and first < closed:
            seen = gained.get((first, row), (0, 0))
            gained[first, row] = seen[0], seen[1] + sign
    return {where: gain for where, gain in gained.items() if gain != (0, 0)}


def windows_to_come(
    episodes: Mapping[str, Episode], live: Iterable[str], opened: int, closed: int, rules: Rules
) -> int:
    """Return how many windows between `opened` and `closed` live episodes add to, each counted."""
    length = rules.downtime.length
    count = 0
    for name in live:
        episode = episodes[name]
        assert episode.start is not None  # a live episode has started
        begin = max(episode.start, opened)
        until = min(counted_until(episode, rules.episode_limit), closed)
        if begin < until:
            count += (until - 1) // length - begin // length + 1
    return count


def next_end(
    episodes: Mapping[str, Episode], live: Iterable[str], opened: int, closed: int, rules: Rules
) -> Iterator[int]:
    """Yield for each live episode the end of the next window, of those between `opened` and
    `closed`, that it adds to."""
    length = rules.downtime.length
    for name in live:
        episode = episodes[name]
        assert episode.start is not None  # a live episode has started
        begin = max(episode.start, opened)
        until = counted_until(episode, rules.episode_limit)
        if begin < closed and (begin < until or begin == episode.start):
            yield begin - begin % length + length
