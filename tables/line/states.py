"""Machine states of one line: how long each work unit was in which, in the windows it overlaps.

Each accepted `machine.state.v1` is a point of its work unit's timeline. A state lasts until the
next point, for the setting `state_limit_seconds` at most. Of two points with the same time the one
that is accepted later holds. Under a policy without the summary nothing is noted.
"""

from typing import Final

from streams.values import instant, quantity, sums
from tables.line.adding import row_of
from tables.line.episodes import overlaps
from tables.line.lasting import first_sum
from tables.line.line import Line, counted_to, fall_due
from tables.line.points import CODES, NEW, STATES, Late
from tables.line.rules import Rules
from tables.line.timeline import Block, Timeline, Timelines
from tables.line.windows import FOREVER

BILLIONTHS_PER_MICRO = quantity.SCALE // instant.SECOND
_PER_MICRO, _FOREVER = BILLIONTHS_PER_MICRO, FOREVER

POINTS_AT_ONCE: Final = 1_000
"""Late points that windows are told of in one go, over so many windows: besides these it is those
of a limit that one step adds to."""


def learn(line: Line, work_unit: str, at: int, state: str) -> None:
    """Fold a state. What it says of closed windows is told to them later: see `settle`."""
    lasting = line.lasting
    if lasting.states < 0:
        return
    code = CODES[state]
    timelines = line.timelines
    if timelines is None:
        timelines = line.timelines = Timelines()
    timeline = timelines.units.get(work_unit)
    if timeline is None:
        timeline = timelines.units[work_unit] = Timeline()
    closed = counted_to(line)
    late = at < closed
    if late:
        timelines.note_late(work_unit, at, at)
        fall_due(line, _carrier(line))
        line.late_events += 1
    if not late and timeline.follow(at, code):
        timelines.note(work_unit, timeline.blocks[-1])
    else:
        timelines.changed.update([(work_unit, base) for base in timeline.put(at, code, late)])
    until = at + lasting.state_limit
    if until > timelines.until:
        timelines.until = until
    if timelines.until > closed:
        fall_due(line, closed + lasting.length + line.timings.grace)


def settle(line: Line, rules: Rules, rows_max: int = FOREVER) -> int:
    """Tell closed windows what was learnt late, and let the window of the watermark carry it.

    That is the difference, per row. It is added up for all that was learnt while one window held
    the watermark, since a machine that was cut off for days tells each of its states late: each by
    itself would add to, and take from, all windows up to the limit. Past `rows_max` rows it ends
    early. Return how many were added to.
    """
    timelines, kind = line.timelines, rules.states
    if timelines is None or kind is None or not timelines.late:
        return 0
    rows, span_max = 0, POINTS_AT_ONCE * kind.length
    for work_unit in sorted(timelines.late):
        timeline = timelines.units[work_unit]
        while (late := timeline.late(POINTS_AT_ONCE, span_max)) is not None:
            if rows >= rows_max:
                return rows
            rows += _tell(line, work_unit, late)
            upto = late.points[-1][0]
            bases = timeline.settle(upto)
            timelines.changed.update([(work_unit, base) for base in bases])
            timelines.late[work_unit] = upto, timelines.late[work_unit][1]
        del timelines.late[work_unit]
    return rows


def rows_late(line: Line, rules: Rules) -> int:
    """Return how many rows `settle` adds to, at most but for states within one window."""
    timelines, kind = line.timelines, rules.states
    if timelines is None or kind is None or not timelines.late:
        return 0
    closed, length = counted_to(line), kind.length
    return sum(
        2 * ((min(last + rules.state_limit, closed) - first) // length + 2)
        for first, last in timelines.late.values()
    )


def untold(line: Line, rules: Rules) -> int:
    """Return the seconds that `settle` will add, less those that it takes, in billionths."""
    timelines, kind = line.timelines, rules.states
    if timelines is None or kind is None or not timelines.late:
        return 0
    micros = 0
    for work_unit in timelines.late:
        timeline = _copied(timelines.units[work_unit])
        while (late := timeline.late(POINTS_AT_ONCE, FOREVER)) is not None:
            micros += sum(_difference(line, late).values())
            timeline.settle(late.points[-1][0])
    return micros * BILLIONTHS_PER_MICRO


def _tell(line: Line, work_unit: str, late: Late) -> int:
    carrier, rows = _carrier(line), 0
    for (start, code), micros in _difference(line, late).items():
        if micros:
            _add(line, (work_unit, STATES[code]), start, micros, carrier)
            rows += 1
    return rows


def _difference(line: Line, late: Late) -> dict[tuple[int, int], int]:
    """Return by (window start, code) what late points add to closed windows, in microseconds."""
    length, limit = line.lasting.length, line.lasting.state_limit
    begin, last = late.points[0][0], late.points[-1][0]
    end = min(late.following, last + limit, counted_to(line))
    before = [] if late.before is None else [late.before]
    now = before + [(at, code) for at, _, code in late.points]
    told = before + [(at, code) for at, code, _ in late.points if code != NEW]
    gained: dict[tuple[int, int], int] = {}
    for points, sign in ((told, -1), (now, 1)):
        for index, (at, code) in enumerate(points):
            upto = points[index + 1][0] if index + 1 < len(points) else end
            lasted = max(at, begin), min(upto, at + limit, end)
            for start, micros in overlaps(*lasted, length):
                gained[start, code] = gained.get((start, code), 0) + sign * micros
    return gained


def _carrier(line: Line) -> int:
    """Return the end of the window that holds the watermark."""
    length = line.lasting.length
    return line.watermark - line.watermark % length + length


def count(line: Line, opened: int, closed: int) -> None:
    """Give the windows between `opened` and `closed`, which close now, what states add to them.

    The state that then lasts counts up to the last window's end.
    """
    timelines, lasting = line.timelines, line.lasting
    if timelines is None or closed <= opened or timelines.until <= opened or lasting.states < 0:
        return
    length, limit = lasting.length, lasting.state_limit
    for work_unit, timeline in timelines.units.items():
        last = timeline.blocks[-1]
        if last.latest + limit <= opened:
            continue
        for key, micros in timeline.lasted(opened, closed, limit, length).items():
            code = key % length
            start = key - code
            _add(line, (work_unit, STATES[code]), start, micros, start + length)


def _add(line: Line, members: tuple[str, str], start: int, micros: int, carrier: int) -> None:
    """Add to the row of a work unit and a state, of the window that begins at `start`."""
    index = line.lasting.states
    row = row_of(line, index, carrier, (start, members), 1)
    amount = micros * _PER_MICRO
    row.sums[0] += amount
    sums.add_to(line.accepted, first_sum(index), amount)


def leaving_at_most(line: Line, watermark: int, rows_max: int) -> int:
    """Return a number that the rows of stops and states don't exceed which a watermark lets go.

    It is past `rows_max` where that takes a closer look.
    """
    if line.timelines is not None and line.timelines.late:
        return rows_max + 1
    furthest = max(line.furthest, watermark - line.timings.grace)
    opened, length = counted_to(line), line.lasting.length
    closed = max(furthest - furthest % length, opened)
    stops = 2 * len(line.live) * ((closed - opened) // length)
    return stops + rows_at_most(line, opened, closed)


def rows_at_most(line: Line, opened: int, closed: int) -> int:
    """Return a number that the rows are no more than which the windows in between get.

    Rows that `settle` adds to aside: see `rows_late`.
    """
    timelines, length = line.timelines, line.lasting.length
    if timelines is None or closed <= opened or timelines.until <= opened:
        return 0
    rows = 0
    for timeline in timelines.units.values():
        rows += (closed - opened) // length + timeline.count_since(opened)
    return rows


def next_end(line: Line, opened: int, closed: int, rules: Rules) -> int:
    """Return the end of the next window, of those between `opened` and `closed`, that has a state.

    `FOREVER` where none has.
    """
    timelines, kind = line.timelines, rules.states
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
    timelines, kind = line.timelines, rules.states
    if timelines is None or kind is None or timelines.until <= opened:
        return 0
    length, rows = kind.length, 0
    for timeline in timelines.units.values():
        for begin, end, _ in timeline.stretches(opened, closed, rules.state_limit):
            rows += (end - 1) // length - begin // length + 1
            if rows > rows_max:
                return rows
    return rows


def settling_due(line: Line) -> int:
    """Return the watermark at which `settle` is due: its window mustn't hold it any more."""
    timelines = line.timelines
    if timelines is None or not timelines.late or line.lasting.states < 0:
        return _FOREVER
    return _carrier(line)


def next_due(line: Line) -> int:
    """Return the end of the next window that may get a state, `FOREVER` where none does."""
    timelines = line.timelines
    if timelines is None or line.lasting.states < 0:
        return _FOREVER
    closed = counted_to(line)
    return closed + line.lasting.length if timelines.until > closed else _FOREVER


def forget(line: Line, oldest: int, rules: Rules) -> None:
    """Forget the points that lie before `oldest`, as the end of their state does."""
    timelines = line.timelines
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
    timelines = line.timelines
    if timelines is not None:
        timelines.written()
        if not timelines.units:
            line.timelines = None


def forgotten_next(line: Line, rules: Rules) -> int:
    """Return the end of the state whose point goes first, `FOREVER` where there is none."""
    timelines = line.timelines
    if timelines is None:
        return FOREVER
    ends = [timeline.first_end(rules.state_limit) for timeline in timelines.units.values()]
    return min(ends, default=FOREVER)


def _copied(timeline: Timeline) -> Timeline:
    """Return a timeline whose `settle` leaves the other as it is."""
    made = Timeline()
    made.blocks = [
        Block(each.base, each.times, each.codes, None if each.told is None else each.told[:])
        for each in timeline.blocks
    ]
    return made
