"""Machine states of one line: how long each work unit was in which, in the windows it overlaps.

Each accepted `machine.state.v1` is a point of its work unit's timeline. A state lasts until the
next point, for the setting `state_limit_seconds` at most. Of two points with the same time the one
that is accepted later holds. Under a policy without the summary nothing is noted.
"""

from typing import Final

from streams.values import instant, quantity, sums
from tables.line.adding import row_of
from tables.line.episodes import overlaps
from tables.line.line import Line, counted_to, fall_due, sum_of
from tables.line.rules import Kind, Rules
from tables.line.timeline import CODES, NEW, STATES, Late, Timeline, Timelines, copied
from tables.line.windows import FOREVER

BILLIONTHS_PER_MICRO = quantity.SCALE // instant.SECOND
_PER_MICRO = BILLIONTHS_PER_MICRO

POINTS_AT_ONCE: Final = 1_000
"""Late points that windows are told of in one go, over so many windows: besides these it is those
of a limit that one step adds to."""


def learn(line: Line, work_unit: str, at: int, state: str, rules: Rules) -> None:
    """Fold a state. What it says of closed windows is told to them later: see `settle`."""
    kind, limit, code = rules.states, rules.state_limit, CODES[state]
    if kind is None:
        return
    length: int = kind.length
    if line.timelines is None:
        line.timelines = Timelines()
    timelines: Timelines = line.timelines
    timeline = timelines.units.get(work_unit)
    if timeline is None:
        timeline = timelines.units[work_unit] = Timeline()
    closed = counted_to(line, kind)
    late = at < closed
    if late:
        timelines.note_late(work_unit, at, at)
        fall_due(line, _carrier(line, kind))
        line.late_events += 1
    if not late and timeline.follow(at, code):
        timelines.changed.add((work_unit, timeline.blocks[-1].base))
    else:
        timelines.changed.update([(work_unit, base) for base in timeline.put(at, code, late)])
    timelines.until = max(timelines.until, at + limit)
    if timelines.until > closed:
        fall_due(line, closed + length + line.timings.grace)


def settle(line: Line, rules: Rules, rows_max: int = FOREVER) -> int:
    """Tell closed windows what was learnt late, and let the window of the watermark carry it.

    That is the difference, per row. It is added up for all that was learnt while one window held
    the watermark, since a machine that was cut off for days tells each of its states late: each by
    itself would add to, and take from, all windows up to the limit. Past `rows_max` rows it ends
    early. Return how many were added to.
    """
    timelines: Timelines | None = line.timelines
    kind = rules.states
    if timelines is None or kind is None:
        return 0
    rows, span_max = 0, POINTS_AT_ONCE * kind.length
    for work_unit in sorted(timelines.late):
        timeline = timelines.units[work_unit]
        while (late := timeline.late(POINTS_AT_ONCE, span_max)) is not None:
            if rows >= rows_max:
                return rows
            rows += _tell(line, work_unit, late, kind, rules.state_limit)
            upto = late.points[-1][0]
            bases = timeline.settle(upto)
            timelines.changed.update([(work_unit, base) for base in bases])
            timelines.late[work_unit] = upto, timelines.late[work_unit][1]
        del timelines.late[work_unit]
    return rows


def rows_late(line: Line, rules: Rules) -> int:
    """Return how many rows `settle` adds to, at most but for states within one window."""
    timelines: Timelines | None = line.timelines
    kind = rules.states
    if timelines is None or kind is None or not timelines.late:
        return 0
    closed, length = counted_to(line, kind), kind.length
    return sum(
        2 * ((min(last + rules.state_limit, closed) - first) // length + 2)
        for first, last in timelines.late.values()
    )


def untold(line: Line, rules: Rules) -> int:
    """Return the seconds that `settle` will add, less those that it takes, in billionths."""
    timelines: Timelines | None = line.timelines
    kind = rules.states
    if timelines is None or kind is None or not timelines.late:
        return 0
    micros = 0
    for work_unit in timelines.late:
        timeline = copied(timelines.units[work_unit])
        while (late := timeline.late(POINTS_AT_ONCE, FOREVER)) is not None:
            micros += sum(_difference(line, late, kind, rules.state_limit).values())
            timeline.settle(late.points[-1][0])
    return micros * BILLIONTHS_PER_MICRO


def _tell(line: Line, work_unit: str, late: Late, kind: Kind, limit: int) -> int:
    carrier, rows = _carrier(line, kind), 0
    for (start, code), micros in _difference(line, late, kind, limit).items():
        if micros:
            _add(line, (work_unit, STATES[code]), start, micros, carrier, kind)
            rows += 1
    return rows


def _difference(line: Line, late: Late, kind: Kind, limit: int) -> dict[tuple[int, int], int]:
    """Return by (window start, code) what late points add to closed windows, in microseconds."""
    begin, last = late.points[0][0], late.points[-1][0]
    end = min(late.following, last + limit, counted_to(line, kind))
    before = [] if late.before is None else [late.before]
    now = before + [(at, code) for at, _, code in late.points]
    told = before + [(at, code) for at, code, _ in late.points if code != NEW]
    gained: dict[tuple[int, int], int] = {}
    for points, sign in ((told, -1), (now, 1)):
        for index, (at, code) in enumerate(points):
            upto = points[index + 1][0] if index + 1 < len(points) else end
            lasted = max(at, begin), min(upto, at + limit, end)
            for start, micros in overlaps(*lasted, kind.length):
                gained[start, code] = gained.get((start, code), 0) + sign * micros
    return gained


def _carrier(line: Line, kind: Kind) -> int:
    """Return the end of the window that holds the watermark."""
    return line.watermark - line.watermark % kind.length + kind.length


def count(line: Line, opened: int, closed: int, rules: Rules) -> None:
    """Give the windows between `opened` and `closed`, which close now, what states add to them.

    The state that then lasts counts up to the last window's end.
    """
    timelines: Timelines | None = line.timelines
    kind = rules.states
    if timelines is None or kind is None or closed <= opened or timelines.until <= opened:
        return
    length, limit = kind.length, rules.state_limit
    for work_unit, timeline in timelines.units.items():
        if timeline.last + limit <= opened:
            continue
        for (start, code), micros in timeline.lasted(opened, closed, limit, length).items():
            _add(line, (work_unit, STATES[code]), start, micros, start + length, kind)


def _add(
    line: Line, members: tuple[str, str], start: int, micros: int, carrier: int, kind: Kind
) -> None:
    """Add to the row of a work unit and a state, of the window that begins at `start`."""
    row = row_of(line, kind.index, carrier, (start, members), 1)
    amount = micros * _PER_MICRO
    row.sums[0] += amount
    sums.add_to(line.accepted, sum_of(kind, 0), amount)


def next_end(line: Line, opened: int, closed: int, rules: Rules) -> int:
    """Return the end of the next window, of those between `opened` and `closed`, that has a state.

    `FOREVER` where none has.
    """
    timelines: Timelines | None = line.timelines
    kind = rules.states
    if timelines is None or kind is None or timelines.until <= opened:
        return FOREVER
    length, limit = kind.length, rules.state_limit
    begins = [
        next(timeline.stretches(opened, closed, limit), (FOREVER, 0, 0))[0]
        for timeline in timelines.units.values()
    ]
    begin = min(begins, default=FOREVER)
    return begin if begin == FOREVER else begin - begin % length + length


def rows_to_come(line: Line, opened: int, closed: int, rules: Rules, rows_max: int) -> int:
    """Return how many rows the windows between `opened` and `closed` get, about.

    It is 0 only where they get none, and is counted to a little past `rows_max` at most.
    """
    timelines: Timelines | None = line.timelines
    kind = rules.states
    if timelines is None or kind is None or timelines.until <= opened:
        return 0
    length, rows = kind.length, 0
    for timeline in timelines.units.values():
        for begin, end, _ in timeline.stretches(opened, closed, rules.state_limit):
            rows += (end - 1) // length - begin // length + 1
            if rows > rows_max:
                return rows
    return rows


def settling_due(line: Line, rules: Rules) -> int:
    """Return the watermark at which `settle` is due: its window mustn't hold it any more."""
    timelines: Timelines | None = line.timelines
    kind = rules.states
    if timelines is None or kind is None or not timelines.late:
        return FOREVER
    return _carrier(line, kind)


def next_due(line: Line, rules: Rules) -> int:
    """Return the end of the next window that may get a state, `FOREVER` where none does."""
    timelines: Timelines | None = line.timelines
    kind = rules.states
    if timelines is None or kind is None:
        return FOREVER
    closed = counted_to(line, kind)
    return closed + kind.length if timelines.until > closed else FOREVER


def forget(line: Line, oldest: int, rules: Rules) -> None:
    """Forget the points that lie before `oldest`, as the end of their state does."""
    timelines: Timelines | None = line.timelines
    if timelines is None:
        return
    for work_unit, timeline in list(timelines.units.items()):
        gone = timeline.forget(oldest, rules.state_limit)
        timelines.changed.update([(work_unit, base) for base in gone])
        if not timeline.blocks:
            del timelines.units[work_unit]
            timelines.late.pop(work_unit, None)


def written(line: Line) -> None:
    """Note that the points are in the store as they are."""
    timelines: Timelines | None = line.timelines
    if timelines is not None:
        timelines.changed.clear()
        if not timelines.units:
            line.timelines = None


def forgotten_next(line: Line, rules: Rules) -> int:
    """Return the end of the state whose point goes first, `FOREVER` where there is none."""
    timelines: Timelines | None = line.timelines
    if timelines is None:
        return FOREVER
    ends = [timeline.first_end(rules.state_limit) for timeline in timelines.units.values()]
    return min(ends, default=FOREVER)
