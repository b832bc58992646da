"""Machine states: the timeline of each work unit (section 13)."""

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field

from . import windows
from .episodes import PER_MICROSECOND, Shares, Span
from .line import Line
from .reading import Event


@dataclass
class Timeline:
    """The points of one work unit, by time; "of two points with the same `time` the one accepted
    later holds".

    A point that the contract forgets is kept: what comes after watermark - retention changes neither
    it nor the end of its state.
    """

    times: list[int] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def set(self, time: int, state: str) -> None:
        index = bisect_left(self.times, time)
        if self.times[index : index + 1] == [time]:
            self.states[index] = state
        else:
            self.times.insert(index, time)
            self.states.insert(index, state)

    def stretches(self, since: int, upto: int, limit: int) -> list[tuple[Span, str]]:
        """Return the states that last within the two: each "until the next point in event time, at
        most `state_limit_seconds`"."""
        found = []
        for index in range(
            max(bisect_right(self.times, since) - 1, 0), bisect_left(self.times, upto)
        ):
            start = self.times[index]
            following = self.times[index + 1 : index + 2]
            end = min([start + limit, *following])
            found.append(((max(start, since), min(end, upto)), self.states[index]))
        return [(span, state) for span, state in found if span[0] < span[1]]


def _limit(line: Line) -> int:
    return line.task.settings.length("state_limit_seconds")


def _shares(line: Line, work_unit: str, since: int, upto: int) -> Shares:
    """Return the seconds of each state in each summary window between the two."""
    shares = Shares()
    cadence = windows.summary_cadence(line)
    timeline = line.timelines[work_unit]
    for (begin, stop), state in timeline.stretches(since, upto, _limit(line)):
        window = cadence.window(begin)
        while window.start < stop:
            lasted = min(stop, window.end) - max(begin, window.start)
            share = shares.setdefault((window.start, (work_unit, state)), Counter())
            share["seconds"] += lasted * PER_MICROSECOND
            window = cadence.window(window.end)
    return shares


def shares(line: Line, since: int | None, upto: int) -> Shares:
    """ "when a window closes, the state that then lasts counts up to the window's end"."""
    found = Shares()
    for work_unit, timeline in line.timelines.items():
        first = timeline.times[0] if since is None else since
        found |= _shares(line, work_unit, first, upto)
    return found


def fold(line: Line, event: Event) -> None:
    """ "What is learnt later of closed windows is the difference, per row, carried by the window
    that holds the watermark"."""
    work_unit, closed = event.data["work_unit"], line.shared_upto
    timeline = line.timelines.setdefault(work_unit, Timeline())
    assert closed is not None
    # Only from the point before it on does a new point change anything.
    index = bisect_left(timeline.times, event.time)
    first = timeline.times[index - 1] if index else event.time
    upto = min(closed, event.time + _limit(line))
    before = _shares(line, work_unit, first, upto)
    timeline.set(event.time, event.data["state"])
    after = _shares(line, work_unit, first, upto)
    for start, row in sorted(before.keys() | after.keys()):
        more = Counter(after.get((start, row), {}))
        more.subtract(before.get((start, row), {}))
        if any(more.values()):
            windows.add(line, "sx", start, row, more)
