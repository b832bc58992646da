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
                _add(line, work_unit, before[1], at, end, -1, carrier, rules)
        _add(line, work_unit, code, begin, upto, 1, carrier, rules)
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
    for work_unit, timeline in timelines.units.items():
        if timeline.last + rules.state_limit > opened:
            for begin, end, code in timeline.stretches(opened, closed, rules.state_limit):
                _add(line, work_unit, code, begin, end, 1, None, rules)


def _add(
    line: Line, work_unit: str, code: int, begin: int, end: int, sign: int, carrier: int | None,
    rules: Rules,
) -> None:  # fmt: skip
    """Add a state's seconds to its rows; `carrier` None: each window carries its own."""
    kind = rules.states
    members = work_unit, STATES[code]
    where = sum_of(kind, 0)
    for start, micros in overlaps(begin, end, kind.length):
        row = row_of(line, kind.index, carrier or start + kind.length, (start, members), 1)
        amount = sign * micros * BILLIONTHS_PER_MICRO
        row.add(0, amount)
        line.accepted[where] += amount


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
