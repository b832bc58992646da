"""Downtime of one line: what its episodes add to windows, and when a breakdown is notified."""

from streams.contract.events import DowntimeEnded, DowntimeStarted
from streams.log.record import Outgoing
from streams.values import instant, quantity
from tables.line import episodes
from tables.line.adding import row_of
from tables.line.episodes import Episode
from tables.line.line import Line, counted_to, fall_due, sum_of
from tables.line.rules import Kind, Rules
from tables.line.sending import send_notification, take_back_notification

BILLIONTHS_PER_MICRO = quantity.SCALE // instant.SECOND


def learn(
    line: Line, event: DowntimeStarted | DowntimeEnded, rules: Rules, out: list[Outgoing]
) -> None:
    """Fold a downtime event: what it says of closed windows is a difference, carried as late."""
    name, kind = event.data.episode, rules.downtime
    if isinstance(event, DowntimeStarted):
        line.accepted[sum_of(kind, 1)] += quantity.SCALE
    before = line.episodes.get(name)
    after = _with(before, event)
    line.episodes[name] = after
    line.changed_episodes.add(name)
    closed = counted_to(line, kind)
    gained = episodes.learnt(before, after, closed, kind.length, rules.episode_limit)
    carrier = line.watermark - line.watermark % kind.length + kind.length
    for start, (micros, stops) in gained.items():
        _add_downtime(line, after, kind, carrier, start, micros, stops)
        _drop_empty(line, after, kind, carrier, start)
    line.late_events += bool(gained)
    if after.start is None:
        return
    if episodes.counted_until(after, rules.episode_limit) > closed or after.start >= closed:
        line.live.add(name)
        fall_due(line, closed + kind.length + line.timings.grace)
    else:
        line.live.discard(name)
    line.pending.pop(name, None)
    if episodes.lasted_long(after, rules, line.watermark):
        if not after.notified:
            send_notification(line, name, rules, out)
    elif after.end is None and not after.planned:
        line.pending[name] = after.start + rules.breakdown
        line.due = min(line.due, line.pending[name])
    elif after.notified:
        take_back_notification(line, name, event.id, event.time, rules, out)


def _with(before: Episode | None, event: DowntimeStarted | DowntimeEnded) -> Episode:
    """Return the episode with what the event tells of it."""
    episode = before or Episode(work_unit=event.data.work_unit)
    if isinstance(event, DowntimeEnded):
        return Episode(
            episode.work_unit, episode.start, event.time, episode.reason, episode.planned,
            episode.cause, episode.notified,
        )  # fmt: skip
    data = event.data
    return Episode(episode.work_unit, event.time, episode.end, data.reason, data.planned, event.id)


def notify_overdue(line: Line, watermark: int, rules: Rules, out: list[Outgoing]) -> None:
    """Send the notifications of the breakdowns that the watermark has reached, by start."""
    overdue = [name for name, due in line.pending.items() if due <= watermark]
    for name in sorted(overdue, key=lambda name: (line.episodes[name].start, name)):
        send_notification(line, name, rules, out)


def count_live_episodes(line: Line, opened: int, closed: int, rules: Rules) -> None:
    """Give the windows between `opened` and `closed`, which close now, what episodes add to them.

    An episode that is still open counts up to a closed window's end.
    """
    kind, limit = rules.downtime, rules.episode_limit
    if closed <= opened or not line.live:
        return
    for name in sorted(line.live):
        episode = line.episodes[name]
        start = episode.start
        assert start is not None  # a live episode has started
        until = episodes.counted_until(episode, limit)
        if opened <= start < closed:
            window = start - start % kind.length
            _add_downtime(line, episode, kind, window + kind.length, window, 0, 1)
        for window, micros in episodes.overlaps(
            max(start, opened), min(until, closed), kind.length
        ):
            _add_downtime(line, episode, kind, window + kind.length, window, micros, 0)
        if until <= closed and start < closed:
            line.live.discard(name)


def _add_downtime(
    line: Line, episode: Episode, kind: Kind, carrier: int, start: int, micros: int, stops: int
) -> None:
    members = (episode.work_unit, episode.reason, episode.planned)
    row = row_of(line, kind.index, carrier, (start, members), len(kind.measures))
    row.add(0, micros * BILLIONTHS_PER_MICRO)
    row.add(1, stops * quantity.SCALE)


def _drop_empty(line: Line, episode: Episode, kind: Kind, carrier: int, start: int) -> None:
    """Drop a row that an end has brought back to nothing: it would leave nowhere.

    A start that comes late adds to each window up to the watermark until its end is known.
    """
    rows = line.windows[kind.index][carrier]
    key = start, (episode.work_unit, episode.reason, episode.planned)
    if not any(rows[key].measures):
        del rows[key]
        if not rows:
            del line.windows[kind.index][carrier]


def forget(line: Line, name: str, rules: Rules) -> None:
    """Forget an episode, keeping how long it lasted."""
    episode = line.episodes.pop(name)
    if episode.start is not None:
        line.forgotten_micros += (
            episodes.counted_until(episode, rules.episode_limit) - episode.start
        )
    line.live.discard(name)
    line.pending.pop(name, None)
    line.changed_episodes.add(name)
