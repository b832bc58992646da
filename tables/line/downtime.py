"""Downtime of one line: what its episodes add to windows, by their own lengths and together."""

from streams.log.record import Outgoing
from streams.values import instant, quantity, sums
from tables.line import episodes, maintenance, memory, standstill
from tables.line.adding import row_of
from tables.line.episodes import Episode, Gained, Stop
from tables.line.lasting import first_sum
from tables.line.line import Line, counted_to, fall_due, sum_of
from tables.line.rows import Row
from tables.line.rules import Kind, RowMembers, Rules
from tables.line.standstill import Span

BILLIONTHS_PER_MICRO = quantity.SCALE // instant.SECOND
_PER_MICRO, _SCALE = BILLIONTHS_PER_MICRO, quantity.SCALE


def learn(line: Line, event: Stop, rules: Rules, out: list[Outgoing]) -> None:
    """Fold a downtime event: what it says of closed windows is a difference, carried as late."""
    lasting = line.lasting
    name, limit = event.data.episode, lasting.episode_limit
    before = line.episodes.get(name)
    after = episodes.told(before, event)
    closed = counted_to(line)
    if episodes.told_from(before, after, limit) < closed:
        kind = rules.downtime
        stops = episodes.learnt(before, after, closed, lasting.length, limit)
        stood = _stood_learnt(line, name, before, after, closed, rules)
        _carry(line, kind, stops, _SCALE)
        if rules.availability is not None:
            _carry(line, rules.availability, stood, _PER_MICRO)
        if stops or stood:
            line.late_events += 1
    line.episodes[name] = after
    line.changed_episodes.add(name)
    if after.start is None:
        return
    memory.place(line, name, after, limit)
    if episodes.counted_until(after, limit) > closed or after.start >= closed:
        line.live.add(name)
        fall_due(line, closed + lasting.length + line.timings.grace)
    else:
        line.live.discard(name)
    maintenance.look(line, event, before, out)


def _stood_learnt(
    line: Line, name: str, before: Episode | None, after: Episode, closed: int, rules: Rules
) -> Gained:
    """Return what a work unit's closed windows gain: the union of its episodes, now and before."""
    limit = rules.episode_limit
    if after.start is None:
        return {}
    if before is None or before.start is None or before.planned != after.planned:
        since = after.start
    else:
        since = episodes.differs_from(before, after, limit)
    was, now = _clipped(before, since, closed, limit), _clipped(after, since, closed, limit)
    upto = max(was[1], now[1])
    if since >= upto:
        return {}
    around = line.standstills.get(after.work_unit)
    others = [
        _clipped(line.episodes[other], since, upto, limit)
        for other in (around.between(since, upto) if around is not None else ())
        if other != name
    ]
    length = rules.downtime.length
    old = standstill.standing([*others, was], length)
    new = standstill.standing([*others, now], length)
    gained: Gained = {}
    for window in sorted(old.keys() | new.keys()):
        stands, stood = new.get(window, (0, 0)), old.get(window, (0, 0))
        if stands != stood:
            gained[window, (after.work_unit,)] = stands[0] - stood[0], stands[1] - stood[1]
    return gained


def _clipped(episode: Episode | None, start: int, end: int, limit: int) -> Span:
    """Return how long an episode lasts between two instants; of none it is nothing."""
    if episode is None or episode.start is None:
        return start, start, False
    begin = max(episode.start, start)
    until = min(episodes.counted_until(episode, limit), end)
    return begin, max(begin, until), episode.planned


def count_live_episodes(line: Line, opened: int, closed: int) -> None:
    """Give the windows between `opened` and `closed`, which close now, what episodes add to them.

    An episode that is still open counts up to a closed window's end.
    """
    lasting = line.lasting
    limit, length, kind = lasting.episode_limit, lasting.length, lasting.downtime
    if closed <= opened or not line.live:
        return
    stood: dict[str, list[Span]] = {}
    for name in sorted(line.live):
        episode = line.episodes[name]
        start = episode.start
        assert start is not None  # a live episode has started
        until, members = episodes.counted_until(episode, limit), episodes.row_of(episode)
        if opened <= start < closed:
            window = start - start % length
            _add(line, kind, window + length, (window, members), 0, _SCALE)
        span = _clipped(episode, opened, closed, limit)
        for window, micros in episodes.overlaps(span[0], span[1], length):
            _add(line, kind, window + length, (window, members), micros * _PER_MICRO, 0)
        if span[0] < span[1]:
            stood.setdefault(episode.work_unit, []).append(span)
        if until <= closed and start < closed:
            line.live.discard(name)
    if lasting.availability >= 0:
        _count_standing(line, stood, lasting.availability, length)


def _count_standing(line: Line, stood: dict[str, list[Span]], kind: int, length: int) -> None:
    for work_unit, spans in stood.items():
        for window, (down, planned) in standstill.standing(spans, length).items():
            key = window, (work_unit,)
            _add(line, kind, window + length, key, down * _PER_MICRO, planned * _PER_MICRO)


def _carry(line: Line, kind: Kind, gained: Gained, scale: int) -> None:
    """Let the window that holds the watermark carry what closed ones gain.

    A row that is brought back to nothing is dropped: it would leave nowhere. A start that comes
    late adds to each window up to the watermark until its end is known.
    """
    carrier = line.watermark - line.watermark % kind.length + kind.length
    carried = line.windows[kind.index]
    for key, (micros, other) in gained.items():
        row = _add(line, kind.index, carrier, key, micros * _PER_MICRO, other * scale)
        if row.sums[0] == 0 and row.sums[1] == 0:
            rows = carried[carrier]
            del rows[key]
            if not rows:
                del carried[carrier]


def _add(
    line: Line, kind: int, carrier: int, key: tuple[int, RowMembers], first: int, second: int
) -> Row:
    """Add billionths to the two measures of a row: that is what is accepted of its type.

    `kind` is the type's index.
    """
    row = row_of(line, kind, carrier, key, 2)
    row.sums[0] += first
    row.sums[1] += second
    where = first_sum(kind)
    sums.add_to(line.accepted, where, first)
    sums.add_to(line.accepted, where + 1, second)
    return row


def accept_rows(line: Line, rules: Rules) -> None:
    """Accept what has been added to rows of downtime: before contract v2 it wasn't noted."""
    kind = rules.downtime
    rows = [row for carried in line.windows[kind.index].values() for row in carried.values()]
    for slot in range(len(kind.measures)):
        sum_ = sum_of(kind, slot)
        line.accepted[sum_] = line.emitted[sum_] + sum(row.measures[slot] for row in rows)


def take_over_standstill(line: Line, rules: Rules) -> None:
    """Let closed windows gain how long work units stood still, if that was never counted.

    So it is where an earlier version, or another policy, has counted the episodes that are
    remembered. What was counted of any is above 0.
    """
    kind, closed = rules.availability, counted_to(line)
    if kind is None or any(line.accepted[sum_of(kind, slot)] for slot in range(len(kind.measures))):
        return
    for work_unit, around in line.standstills.items():
        spans = [
            _clipped(line.episodes[name], start, closed, rules.episode_limit)
            for start, name in around.names
        ]
        stood = standstill.standing(spans, kind.length)
        gained: Gained = {(window, (work_unit,)): lasted for window, lasted in stood.items()}
        _carry(line, kind, gained, BILLIONTHS_PER_MICRO)
