"""The state of one line on one partition: fold(state, event) -> what leaves."""

from typing import Any

from msgspec import Struct, field

from streams import instant, quantity
from streams.codec import Original
from streams.events import NAMES, AnyEvent, Data, DowntimeEnded, DowntimeStarted
from streams.record import Outgoing
from streams.topics import ERP_TRANSACTIONS
from streams.transactions import (
    NOTIFICATION, REVERSAL, at_once_key, common, encode, notification_key, place, reversal_key,
    row_text, windowed_key,
)  # fmt: skip
from tables import episodes, windows
from tables.episodes import Episode
from tables.rules import AtOnce, Kind, Rules, applies
from tables.windows import Carried

BILLIONTHS_PER_MICRO = quantity.SCALE // instant.SECOND


class Line(Struct, gc=False):
    """What a partition knows of one line; `place` is `plant/line` as posting keys spell it.

    `books` are the two sides of the conservation law, by kind and measure, in billionths: what was
    accepted, what was emitted. `changed_*` name what differs from the store.
    """

    plant: str
    line: str
    key: bytes
    place: str
    watermark: int
    due: int
    windows: tuple[Carried, ...]
    accepted: list[list[int]]
    emitted: list[list[int]]
    episodes: dict[str, Episode] = field(default_factory=dict)
    forgotten_micros: int = 0
    """Downtime of episodes that are no longer remembered."""
    sweep_due: int = 0
    """The watermark at which expired ledger entries and episodes go next."""
    live: set[str] = field(default_factory=set)
    """Episodes that still add to windows that aren't closed."""
    pending: dict[str, int] = field(default_factory=dict)
    """Episodes that become a breakdown when the watermark reaches this instant."""
    accepted_events: int = 0
    late_events: int = 0
    state: str = ""
    """The last machine state heard, for people to look at; no total depends on it."""
    changed_windows: set[tuple[int, int]] = field(default_factory=set)
    changed_episodes: set[str] = field(default_factory=set)


def new_line(plant: str, line: str, watermark: int, rules: Rules) -> Line:
    """Return a line that has just been seen for the first time."""
    return Line(
        plant=plant,
        line=line,
        key=f"{plant}/{line}".encode(),
        place=place(plant, line),
        watermark=watermark,
        due=_next_boundary(watermark, rules),
        windows=tuple({} for _ in rules.kinds),
        accepted=[[0] * len(kind.measures) for kind in rules.kinds],
        emitted=[[0] * len(kind.measures) for kind in rules.kinds],
    )


def advance(line: Line, watermark: int, rules: Rules, out: list[Outgoing]) -> None:
    """Raise the watermark: windows it has reached close, then breakdowns due are notified."""
    before, line.watermark = line.watermark, watermark
    if watermark < line.due:
        return
    length = rules.downtime.length
    opened = windows.horizon(before, length, rules.grace)
    closed = windows.horizon(watermark, length, rules.grace)
    _count_live_episodes(line, opened, closed, rules)
    closing = windows.closable(line.windows, rules, watermark)
    for _, kind, carrier in sorted(closing, key=lambda item: (item[0], item[1].index)):
        _close(line, kind, carrier, rules, out)
    overdue = [name for name, due in line.pending.items() if due <= watermark]
    for name in sorted(overdue, key=lambda name: (line.episodes[name].start, name)):
        _notify(line, name, rules, out)
    line.due = min([_next_boundary(watermark, rules), *line.pending.values()])


def close_all(line: Line, rules: Rules, out: list[Outgoing]) -> None:
    """Close every window that is open, as at the end of a replay; nothing else becomes due.

    Nothing lies past the windows that hold the watermark; an episode that is still open counts up
    to the end of that window.
    """
    length = rules.downtime.length
    opened = windows.horizon(line.watermark, length, rules.grace)
    closed = line.watermark - line.watermark % length + length
    _count_live_episodes(line, opened, closed, rules)
    closing = [
        (carrier + kind.length, kind.index, kind, carrier)
        for kind, carried in zip(rules.kinds, line.windows, strict=True)
        for carrier in carried
    ]
    for _, _, kind, carrier in sorted(closing, key=lambda item: item[:2]):
        _close(line, kind, carrier, rules, out)


def fold(line: Line, event: AnyEvent, rules: Rules, out: list[Outgoing]) -> None:
    """Add an accepted event to the line and send what it sends at once.

    The line's watermark has been raised by the event already. A reversal comes by `fold_reversal`.
    """
    kind = NAMES[event.__class__]
    data = event.data
    if rules.contributions[kind]:
        _contribute(line, kind, data, event.time, 1, event.id, rules)
    for record in rules.at_once[kind]:
        if not record.where or applies(record.where, data):
            _send_at_once(line, record, kind, event, rules, out)
    if isinstance(event, DowntimeStarted | DowntimeEnded):
        _learn(line, event, rules, out)


def fold_reversal(
    line: Line, event: AnyEvent, reverses: str, original: Original, rules: Rules,
    out: list[Outgoing],
) -> None:  # fmt: skip
    """Take back an accepted event: its rows negative, and a reversal of what it sent at once."""
    _contribute(line, original.type, original.data, original.time, -1, event.id, rules)
    for record in rules.at_once[original.type]:
        if applies(record.where, original.data):
            key = at_once_key(record.short, line.place, event.source, reverses)
            _send_reversal(line, key, event.id, event.time, rules, out)


def _contribute(
    line: Line, event_type: str, data: Data, at: int, sign: int, cause: str, rules: Rules
) -> None:
    late = False
    for contribution in rules.contributions[event_type]:
        if contribution.where and not applies(contribution.where, data):
            continue
        kind = contribution.kind
        start = at - at % kind.length
        carrier = windows.carrier_of(at, line.watermark, kind.length, rules.grace)
        late = late or carrier != start
        row = windows.row_of(
            line.windows[kind.index], kind, carrier, start, contribution.row_of(data)
        )
        accepted = line.accepted[kind.index]
        for slot, member in contribution.slots:
            measure = sign * getattr(data, member)
            row.measures[slot] += measure
            accepted[slot] += measure
        if kind.erp:
            row.count += 1
            windows.add_cause(row, cause)
        else:
            row.count += sign
        line.changed_windows.add((kind.index, carrier))
    line.late_events += late


def _learn(
    line: Line, event: DowntimeStarted | DowntimeEnded, rules: Rules, out: list[Outgoing]
) -> None:
    """Fold a downtime event: what it says of closed windows is a difference, carried as late."""
    name, kind = event.data.episode, rules.downtime
    if isinstance(event, DowntimeStarted):
        line.accepted[kind.index][1] += quantity.SCALE
    before = line.episodes.get(name)
    after = _told(before, event)
    line.episodes[name] = after
    line.changed_episodes.add(name)
    closed = windows.horizon(line.watermark, kind.length, rules.grace)
    gained = episodes.learnt(before, after, closed, kind.length, rules.episode_limit)
    carrier = line.watermark - line.watermark % kind.length
    for start, (micros, stops) in gained.items():
        _add_downtime(line, after, kind, carrier, start, micros, stops)
    line.late_events += bool(gained)
    if after.start is None:
        return
    if episodes.counted_until(after, rules.episode_limit) > closed or after.start >= closed:
        line.live.add(name)
    else:
        line.live.discard(name)
    line.pending.pop(name, None)
    if episodes.lasted_long(after, rules, line.watermark):
        if not after.notified:
            _notify(line, name, rules, out)
    elif after.end is None and not after.planned:
        line.pending[name] = after.start + rules.breakdown
        line.due = min(line.due, line.pending[name])
    elif after.notified:
        key = notification_key(line.place, name)
        _send_reversal(line, key, event.id, event.time, rules, out)


def _told(before: Episode | None, event: DowntimeStarted | DowntimeEnded) -> Episode:
    """Return the episode with what the event tells of it."""
    episode = before or Episode(work_unit=event.data.work_unit)
    if isinstance(event, DowntimeEnded):
        return Episode(
            episode.work_unit, episode.start, event.time, episode.reason, episode.planned,
            episode.cause, episode.notified,
        )  # fmt: skip
    data = event.data
    return Episode(
        episode.work_unit, event.time, episode.end, data.reason, data.planned, event.id
    )


def _count_live_episodes(line: Line, opened: int, closed: int, rules: Rules) -> None:
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
            _add_downtime(line, episode, kind, window, window, 0, 1)
        for window, micros in episodes.overlaps(max(start, opened), min(until, closed), kind.length):
            _add_downtime(line, episode, kind, window, window, micros, 0)
        if until <= closed and start < closed:
            line.live.discard(name)


def _add_downtime(
    line: Line, episode: Episode, kind: Kind, carrier: int, start: int, micros: int, stops: int
) -> None:
    members = (episode.work_unit, episode.reason, episode.planned)
    row = windows.row_of(line.windows[kind.index], kind, carrier, start, members)
    row.measures[0] += micros * BILLIONTHS_PER_MICRO
    row.measures[1] += stops * quantity.SCALE
    line.changed_windows.add((kind.index, carrier))


def _close(line: Line, kind: Kind, carrier: int, rules: Rules, out: list[Outgoing]) -> None:
    """Send the rows of one carrier, sorted by id; a row that says nothing isn't sent."""
    emitted = line.emitted[kind.index]
    zone = rules.zones.get(line.plant)
    records = []
    for (start, members), row in line.windows[kind.index].pop(carrier).items():
        for slot, measure in enumerate(row.measures):
            emitted[slot] += measure
        counts = not kind.erp and not kind.episodic
        if not any(row.measures) and not (counts and row.count):
            continue
        revision = (carrier - start) // kind.length
        id = windowed_key(kind.short, line.place, start, row_text(members), revision)
        end = instant.text(start + kind.length)
        data: dict[str, Any] = {
            name: member
            for name, member in zip(kind.row, members, strict=True)
            if member is not None
        }
        for name, measure in zip(kind.measures, row.measures, strict=True):
            data[name] = quantity.text(measure)
        data["window_start"] = instant.text(start)
        data["window_end"] = end
        data["revision"] = revision
        if kind.erp:
            data.update(common(row.causes, row.count, instant.date(start, zone)))
        elif counts:
            data["count"] = row.count
        value = encode(kind.record, id, end, line.plant, line.line, data)
        records.append(Outgoing(kind.topic, line.key, id, kind.record, value))
    records.sort(key=lambda record: record.id)  # code points sort as their UTF-8 bytes do
    out.extend(records)
    line.changed_windows.add((kind.index, carrier))


def _send_at_once(
    line: Line, record: AtOnce, event_type: str, event: AnyEvent, rules: Rules, out: list[Outgoing]
) -> None:
    data: dict[str, Any] = {}
    for name, is_measure in record.members:
        member = getattr(event.data, name)
        if member is not None:
            data[name] = quantity.text(member) if is_measure else member
    if record.event:
        data["event"] = event_type
    id = at_once_key(record.short, line.place, event.source, event.id)
    _send(line, record.record, id, event.time, data, event.id, rules, out)


def _notify(line: Line, name: str, rules: Rules, out: list[Outgoing]) -> None:
    """Send the maintenance notification of a breakdown; its cause is its `started`."""
    episode = line.episodes[name]
    assert episode.start is not None  # only a started episode is notified
    episode.notified = True
    line.changed_episodes.add(name)
    line.pending.pop(name, None)
    data = {"episode": name, "work_unit": episode.work_unit, "reason": episode.reason}
    at = episode.start + rules.breakdown
    id = notification_key(line.place, name)
    _send(line, NOTIFICATION, id, at, data, episode.cause, rules, out)


def _send_reversal(
    line: Line, key: str, cause: str, at: int, rules: Rules, out: list[Outgoing]
) -> None:
    _send(line, REVERSAL, reversal_key(key), at, {"reverses": key}, cause, rules, out)


def _send(
    line: Line, kind: str, id: str, at: int, data: dict[str, Any], cause: str, rules: Rules,
    out: list[Outgoing],
) -> None:  # fmt: skip
    data.update(common([cause], 1, instant.date(at, rules.zones.get(line.plant))))
    value = encode(kind, id, instant.text(at), line.plant, line.line, data)
    out.append(Outgoing(ERP_TRANSACTIONS, line.key, id, kind, value))


def forget(line: Line, name: str, rules: Rules) -> None:
    """Forget an episode, keeping how long it lasted."""
    episode = line.episodes.pop(name)
    if episode.start is not None:
        line.forgotten_micros += episodes.counted_until(episode, rules.episode_limit) - episode.start
    line.live.discard(name)
    line.pending.pop(name, None)
    line.changed_episodes.add(name)


def _next_boundary(watermark: int, rules: Rules) -> int:
    """Return the watermark at which the next window can close."""
    return min(
        windows.horizon(watermark, length, rules.grace) + length + rules.grace
        for length in rules.lengths
    )
