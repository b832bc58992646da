"""Machine states of one line: how long each work unit was in which, in the windows it overlaps.

Each accepted `machine.state.v1` is a point of its work unit's timeline. A state lasts until the
next point, for the setting `state_limit_seconds` at most. Of two points with the same time the one
that is accepted later holds.
"""

from streams.values import instant, quantity
from tables.line.adding import row_of
from tables.line.episodes import overlaps
from tables.line.line import Line, counted_to, fall_due, sum_of
from tables.line.rules import Rules
from tables.line.timeline import CODES, STATES, Timeline, Timelines
from tables.line.windows import FOREVER

BILLIONTHS_PER_MICRO = quantity.SCALE // instant.SECOND


def learn(line: Line, work_unit: str, at: int, state: str, rules: Rules) -> None:
    """Fold a state: what it says of closed windows is a difference, carried as late."""
    limit, length, code = rules.state_limit, rules.states.length, CODES[state]
    if line.timelines is None:
        line.timelines = Timelines()
    timelines: Timelines = line.timelines
    timeline = timelines.units.get(work_unit)
    if timeline is None:
        timeline = timelines.units[work_unit] = Timeline()
    closed = counted_to(line, rules.states)
    if at < closed:
        before, following = timeline.around(at)
        upto = min(at + limit, following, closed)
        carrier = line.watermark - line.watermark % length + length
        begin = at
        if before is not None:
            end = min(before[0] + limit, upto)
            if before[1] == code:
                begin = max(at, end)
            else:
                for start, micros in overlaps(at, end, length):
                    _add(line, (work_unit, STATES[before[1]]), start, -micros, carrier, rules)
        for start, micros in overlaps(begin, upto, length):
            _add(line, (work_unit, state), start, micros, carrier, rules)
        line.late_events += 1
    timelines.changed.update([(work_unit, base) for base in timeline.put(at, code)])
    timelines.until = max(timelines.until, at + limit)
    if timelines.until > closed:
        fall_due(line, closed + length + line.timings.grace)


def count(line: Line, opened: int, closed: int, rules: Rules) -> None:
    """Give the windows between `opened` and `closed`, which close now, what states add to them.

    The state that then lasts counts up to the last window's end.
    """
    timelines: Timelines | None = line.timelines
    if timelines is None or closed <= opened or timelines.until <= opened:
        return
    length = rules.states.length
    for work_unit, timeline in timelines.units.items():
        if timeline.last + rules.state_limit <= opened:
            continue
        lasted: dict[tuple[int, int], int] = {}
        for begin, end, code in timeline.stretches(opened, closed, rules.state_limit):
            for start, micros in overlaps(begin, end, length):
                lasted[start, code] = lasted.get((start, code), 0) + micros
        for (start, code), micros in lasted.items():
            _add(line, (work_unit, STATES[code]), start, micros, start + length, rules)


def _add(
    line: Line, members: tuple[str, str], start: int, micros: int, carrier: int, rules: Rules
) -> None:
    """Add to the row of a work unit and a state, of the window that begins at `start`."""
    kind = rules.states
    row = row_of(line, kind.index, carrier, (start, members), len(kind.measures))
    amount = micros * BILLIONTHS_PER_MICRO
    row.add(0, amount)
    line.accepted[sum_of(kind, 0)] += amount


def next_end(line: Line, opened: int, closed: int, rules: Rules) -> int:
    """Return the end of the next window, of those between `opened` and `closed`, that has a state.

    `FOREVER` where none has.
    """
    timelines: Timelines | None = line.timelines
    if timelines is None or timelines.until <= opened:
        return FOREVER
    length, limit = rules.states.length, rules.state_limit
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
    if timelines is None or timelines.until <= opened:
        return 0
    length, rows = rules.states.length, 0
    for timeline in timelines.units.values():
        for begin, end, _ in timeline.stretches(opened, closed, rules.state_limit):
            rows += (end - 1) // length - begin // length + 1
            if rows > rows_max:
                return rows
    return rows


def next_due(line: Line, rules: Rules) -> int:
    """Return the end of the next window that may get a state, `FOREVER` where none does."""
    timelines: Timelines | None = line.timelines
    closed = counted_to(line, rules.states)
    if timelines is None or timelines.until <= closed:
        return FOREVER
    return closed + rules.states.length


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
