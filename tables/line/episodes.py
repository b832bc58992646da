"""Downtime episodes of one line: how long each lasted, and what that adds to which window."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from streams.contract.events import DowntimeEndedData, DowntimeStartedData
from tables.line.rules import Rules


class Episode(Struct, gc=False, omit_defaults=True):
    """What is known of one episode; an `ended` without a `started` waits for it.

    `cause` is the id of its `started`; times in microseconds.
    """

    work_unit: str
    start: int | None = None
    end: int | None = None
    reason: str = ""
    planned: bool = False
    cause: str = ""
    notified: bool = False


def last_known(episode: Episode, limit: int) -> int:
    """Return the end, or where none is known the start + limit."""
    if episode.end is not None:
        return episode.end
    assert episode.start is not None  # an episode has a start or an end
    return episode.start + limit


def counted_until(episode: Episode, limit: int) -> int:
    """Return where an episode with a start stops counting: its end, at most start + limit."""
    assert episode.start is not None
    until = episode.start + limit
    return until if episode.end is None else min(episode.end, until)


def conflict(
    episode: Episode | None, at: int, data: DowntimeStartedData | DowntimeEndedData
) -> str | None:
    """Return why a downtime event contradicts its episode (check 15), None if it doesn't."""
    if episode is None:
        return None
    if episode.work_unit != data.work_unit:
        return f"work_unit is {data.work_unit!r}, but the episode is of {episode.work_unit!r}"
    if isinstance(data, DowntimeStartedData):
        if episode.start is not None:
            return f"episode {data.episode!r} has a start already"
        if episode.end is not None and episode.end < at:
            return f"episode {data.episode!r} ended before this start"
    else:
        if episode.end is not None:
            return f"episode {data.episode!r} has an end already"
        if episode.start is not None and at < episode.start:
            return f"episode {data.episode!r} started after this end"
    return None


def lasted_long(episode: Episode, rules: Rules, watermark: int) -> bool:
    """Return whether an episode is a breakdown, as far as is known by now.

    Unplanned, and lasting `breakdown` by its end, or by the watermark while no end is known.
    """
    if episode.planned or episode.start is None:
        return False
    known = watermark if episode.end is None else episode.end
    return known - episode.start >= rules.breakdown


def overlaps(start: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield (window start, microseconds) for each window that [start, end) overlaps."""
    while start < end:
        window = start - start % length
        upto = min(end, window + length)
        yield window, upto - start
        start = upto


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


def learnt(
    before: Episode | None, after: Episode, closed: int, length: int, limit: int
) -> dict[int, tuple[int, int]]:
    """Return what `after` says of closed windows that `before` didn't.

    By window start, ending at `closed` at the latest: (microseconds, stops), as differences.
    """
    gained: dict[int, tuple[int, int]] = {}
    for episode, sign in ((before, -1), (after, 1)):
        if episode is None or episode.start is None or episode.start >= closed:
            continue
        until = min(counted_until(episode, limit), closed)
        for window, micros in overlaps(episode.start, until, length):
            seen = gained.get(window, (0, 0))
            gained[window] = (seen[0] + sign * micros, seen[1])
        first = episode.start - episode.start % length
        if first + length <= closed:
            seen = gained.get(first, (0, 0))
            gained[first] = (seen[0], seen[1] + sign)
    return {window: gain for window, gain in gained.items() if gain != (0, 0)}
