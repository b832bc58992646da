"""Downtime: episodes, their seconds and stops, and which are forgotten (section 5)."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from . import maintenance, windows
from .line import Line
from .reading import Event, Rejected
from .values import ONE, SECOND, shown

PER_MICROSECOND = ONE // SECOND

Span = tuple[int, int]
Shares = dict[tuple[int, tuple[Any, ...]], Counter[str]]
"""(start of a summary window, row) -> measures."""


@dataclass(eq=False)
class Episode:
    """What is known of one stop."""

    name: str
    work_unit: str | None = None
    start: int | None = None
    start_id: str = ""
    end: int | None = None
    told: tuple[str, bool] = ("", False)
    """`reason` and `planned` of its start."""
    classified: tuple[str, bool] | None = None
    classified_at: int | None = None
    learnt: int | None = None
    """The watermark when it was learnt that it is an unplanned one."""
    notified_at: int | None = None
    """The `time` of its notification."""
    taken_back: bool = False

    @property
    def reason(self) -> str:
        """ "the latest accepted classification ... replaces `reason` and `planned` of its start" """
        return (self.classified or self.told)[0]

    @property
    def planned(self) -> bool:
        return (self.classified or self.told)[1]

    def span(self, limit: int) -> Span | None:
        """ "while no end is known for at most 24 h (setting) from its start ... An end that is known
        counts in full"."""
        if self.start is None:
            return None
        return self.start, self.start + limit if self.end is None else self.end


def limit_of(line: Line) -> int:
    return line.task.settings.length("episode_limit_seconds")


# ---------------------------------------------------------------- check 15, and forgetting


def check(line: Line, event: Event) -> None:
    """Check 15: "its episode has that start or end already, another `work_unit`, or an end before
    its start"."""
    forget(line)
    episode = line.episodes.get(event.data["episode"])
    if episode is None:
        return
    start = event.time if event.type == "downtime.started.v1" else episode.start
    end = event.time if event.type == "downtime.ended.v1" else episode.end
    wrong = None
    if event.type == "downtime.started.v1" and episode.start is not None:
        wrong = "has a start already"
    elif event.type == "downtime.ended.v1" and episode.end is not None:
        wrong = "has an end already"
    elif episode.work_unit not in (None, event.data.get("work_unit", episode.work_unit)):
        wrong = f"is of work_unit {shown(episode.work_unit)}"
    elif start is not None and end is not None and end < start:
        wrong = "would end before its start"
    if wrong is not None:
        raise Rejected("episode_conflict", f"episode {shown(episode.name)} {wrong}")


def forget(line: Line) -> None:
    """ "An episode is forgotten when its end, or where none is known its start (or, not known
    either, the time of its latest classification) + the limit, is before the watermark ... -
    retention, but not while one of its work unit that shares time with it is remembered"."""
    limit = limit_of(line)
    old = {e.name for e in line.episodes.values() if not line.remembers(_last(e, limit))}
    if not old:
        return
    for together in _sharing(line.episodes.values(), limit):
        if all(episode.name in old for episode in together):
            for episode in together:
                del line.episodes[episode.name]
                if episode.end is None and episode.start is not None:
                    line.forgotten_open += limit


def _last(episode: Episode, limit: int) -> int:
    if episode.end is not None:
        return episode.end
    begun = episode.classified_at if episode.start is None else episode.start
    assert begun is not None
    return begun + limit


def _sharing(episodes: Iterable[Episode], limit: int) -> list[list[Episode]]:
    """Group the episodes that share time, directly or by others between them; "touching ends, and a
    stop of no length, share none"."""
    groups: list[list[Episode]] = []
    lasting: list[tuple[str, Span, Episode]] = []
    for episode in episodes:
        span = episode.span(limit)
        if span is None or span[0] == span[1]:
            groups.append([episode])
        else:
            lasting.append((episode.work_unit or "", span, episode))
    lasting.sort(key=lambda one: one[:2])
    reached: tuple[str, int] | None = None
    for work_unit, (start, end), episode in lasting:
        if reached is not None and reached[0] == work_unit and start < reached[1]:
            groups[-1].append(episode)
            reached = work_unit, max(reached[1], end)
        else:
            groups.append([episode])
            reached = work_unit, end
    return groups


# ---------------------------------------------------------------- seconds and stops


def _overlapped(line: Line, span: Span | None, since: int | None, upto: int) -> Iterator[Span]:
    """Return the summary windows that a span overlaps, that of its start in any case, from `since`
    on and before `upto`."""
    if span is None:
        return
    window = windows.summary_cadence(line).window(span[0])
    length = window.end - window.start
    first = window.start if since is None else max(window.start, since)
    for start in range(first, min(max(span[1], window.end), upto), length):
        yield start, start + length


def _downtime(line: Line, episode: Episode, since: int | None, upto: int) -> Shares:
    """ "`seconds`, `stops` (episodes that started in the window)"; "Episodes that overlap add up"."""
    span, shares = episode.span(limit_of(line)), Shares()
    for start, end in _overlapped(line, span, since, upto):
        assert span is not None
        row = (episode.work_unit, episode.reason, episode.planned)
        lasted = max(0, min(end, span[1]) - max(start, span[0]))
        stops = ONE if start <= span[0] else 0
        shares[start, row] = Counter(seconds=lasted * PER_MICROSECOND, stops=stops)
    return shares


def _union(spans: Iterable[Span], start: int, end: int) -> int:
    """How much of a window the spans cover together."""
    covered, reached = 0, start
    for begin, stop in sorted(spans):
        covered += max(0, min(stop, end) - max(begin, reached))
        reached = max(reached, min(stop, end))
    return covered


def _available(line: Line, episodes: Iterable[Episode], start: int, end: int) -> Counter[str]:
    """ "`down` is the union of a work unit's unplanned episodes, `planned_down` that of its planned
    ones less `down`"."""
    limit = limit_of(line)
    spans = [(s, e.planned) for e in episodes if (s := e.span(limit)) is not None]
    down = _union([span for span, planned in spans if not planned], start, end)
    both = _union([span for span, _ in spans], start, end)
    return Counter(down=down * PER_MICROSECOND, planned_down=(both - down) * PER_MICROSECOND)


def downtime_shares(line: Line, since: int | None, upto: int) -> Shares:
    """ "When a window closes, an episode still open counts up to the window's end"."""
    total = Shares()
    for episode in line.running:
        for key, share in _downtime(line, episode, since, upto).items():
            total.setdefault(key, Counter()).update(share)
    return total


def availability_shares(line: Line, since: int | None, upto: int) -> Shares:
    """The same of each work unit's unions."""
    touched: dict[tuple[Span, str | None], list[Episode]] = {}
    for episode in line.running:
        for window in _overlapped(line, episode.span(limit_of(line)), since, upto):
            touched.setdefault((window, episode.work_unit), []).append(episode)
    return {
        (window[0], (work_unit,)): _available(line, episodes, *window)
        for (window, work_unit), episodes in touched.items()
    }


def settle(line: Line, upto: int) -> None:
    """Leave out from now on what has no open summary window."""
    line.running = [e for e in line.running if _last(e, limit_of(line)) >= upto]


# ---------------------------------------------------------------- folding


def fold(line: Line, event: Event) -> None:
    """ "Whatever is learnt later of a closed window ... is the difference, carried like any late
    event. An `ended` without a `started` waits for it." What a classification changes of closed
    windows "moves: negative in the old row, positive in the new"."""
    name = event.data["episode"]
    episode = line.episodes.setdefault(name, Episode(name))
    before = dataclasses.replace(episode)
    episode.work_unit = event.data.get("work_unit", episode.work_unit)
    if event.type == "downtime.started.v1":
        episode.start, episode.start_id = event.time, event.id
        episode.told = event.data["reason"], event.data["planned"]
    elif event.type == "downtime.ended.v1":
        episode.end = event.time
    else:
        episode.classified = event.data["reason"], event.data["planned"]
        episode.classified_at = event.time
    _carry(line, before, episode)
    if episode.start is not None and episode not in line.running:
        line.running.append(episode)
    maintenance.look(line, event, before, episode)


def _carry(line: Line, before: Episode, after: Episode) -> None:
    closed = line.shared_upto
    if closed is None:
        return
    old, new = (_downtime(line, episode, None, closed) for episode in (before, after))
    for start, row in sorted(old.keys() | new.keys(), key=repr):
        more = Counter(new.get((start, row), {}))
        more.subtract(old.get((start, row), {}))
        if any(more.values()):
            windows.add(line, "sd", start, row, more)
    others = [
        e for e in line.episodes.values() if e is not after and e.work_unit == after.work_unit
    ]
    limit = limit_of(line)
    touched = {w for e in (before, after) for w in _overlapped(line, e.span(limit), None, closed)}
    for window in sorted(touched):
        near = [e for e in others if (s := e.span(limit)) and s[0] < window[1] and s[1] > window[0]]
        more = _available(line, [*near, after], *window)
        more.subtract(_available(line, [*near, before], *window))
        if any(more.values()):
            windows.add(line, "sa", window[0], (after.work_unit,), more)
