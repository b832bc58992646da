"""The state of one line on one partition: fold(state, event) -> what leaves."""

from typing import Any

from msgspec import Struct, field

from streams import instant, quantity
from streams.codec import Original
from streams.events import (
    NAMES,
    TYPES,
    AnyEvent,
    Data,
    DowntimeEnded,
    DowntimeStarted,
    MachineState,
    TransactionReversed,
)  # fmt: skip
from streams.record import Outgoing
from streams.topics import ERP_TRANSACTIONS
from streams.transactions import (
    CAUSES_MAX,
    COMMON,
    NOTIFICATION,
    REVERSAL,
    at_once_key,
    encode,
    notification_key,
    place,
    reversal_key,
    row_text,
    windowed_key,
)  # fmt: skip
from tables import episodes, windows
from tables.episodes import Episode
from tables.rules import AtOnce, Kind, Plan, RowMembers, Rules, applies
from tables.windows import Carried, Row

_TOLD_APART = frozenset(NAMES[event] for event in (MachineState, DowntimeStarted, DowntimeEnded))
"""Events of which a line keeps more than sums."""

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
    closed_to: int = -(2**63)
    """Set where windows were closed ahead of the watermark: the end of the last one."""
    sweep_due: int = 0
    """The watermark at which expired ledger entries and episodes go next."""
    oldest_bucket: int = -(2**63)
    """No ledger entry of the line is older than this; it may be that none is so old."""
    live: set[str] = field(default_factory=set)
    """Episodes that still add to windows that aren't closed."""
    pending: dict[str, int] = field(default_factory=dict)
    """Episodes that become a breakdown when the watermark reaches this instant."""
    accepted_events: int = 0
    late_events: int = 0
    duplicate_events: int = 0
    refused_events: int = 0
    corrections: int = 0
    """Records for windows that had left. This and the two before count since the state was opened:
    they are for people to look at, and aren't stored."""
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
        oldest_bucket=watermark - watermark % rules.bucket,
        windows=tuple({} for _ in rules.kinds),
        accepted=[[0] * len(kind.measures) for kind in rules.kinds],
        emitted=[[0] * len(kind.measures) for kind in rules.kinds],
    )


def advance_plain(line: Line, watermark: int, rules: Rules, out: list[Outgoing]) -> None:
    """Raise the watermark: windows it has reached close, then breakdowns due are notified."""
    before, line.watermark = line.watermark, watermark
    if watermark < line.due:
        return
    length = rules.downtime.length
    opened = windows.horizon(before, length, rules.grace)
    closed = windows.horizon(watermark, length, rules.grace)
    count_live_episodes(line, opened, closed, rules)
    closing = windows.closable(line.windows, rules, watermark)
    for _, kind, carrier in sorted(closing, key=lambda item: (item[0], item[1].index)):
        close(line, kind, carrier, rules, out)
    notify_overdue(line, watermark, rules, out)
    line.due = min([_next_boundary(watermark, rules), *line.pending.values()])


def notify_overdue(line: Line, watermark: int, rules: Rules, out: list[Outgoing]) -> None:
    """Send the notifications of the breakdowns that the watermark has reached, by start."""
    overdue = [name for name, due in line.pending.items() if due <= watermark]
    for name in sorted(overdue, key=lambda name: (line.episodes[name].start, name)):
        _notify(line, name, rules, out)


def close_all(line: Line, rules: Rules, out: list[Outgoing]) -> None:
    """Close every window that is open, as at the end of a replay; nothing else becomes due.

    Nothing lies past the windows that hold the watermark; an episode that is still open counts up
    to the end of that window.
    """
    length = rules.downtime.length
    opened = windows.horizon(line.watermark, length, rules.grace)
    closed = line.closed_to = line.watermark - line.watermark % length + length
    count_live_episodes(line, opened, closed, rules)
    closing = [
        (carrier + kind.length, kind.index, kind, carrier)
        for kind, carried in zip(rules.kinds, line.windows, strict=True)
        for carrier in carried
    ]
    for _, _, kind, carrier in sorted(closing, key=lambda item: item[:2]):
        close(line, kind, carrier, rules, out)


def fold(line: Line, event: AnyEvent, rules: Rules, out: list[Outgoing]) -> None:
    """Add an accepted event to the line and send what it sends at once.

    The line's watermark has been raised by the event already. A reversal comes by `fold_reversal`.
    """
    plan = rules.plans[event.__class__]
    if plan.contributions:
        _contribute(line, plan, event.data, event.time, 1, event.id, rules.grace)
    for record in plan.at_once:
        if not record.where or applies(record.where, event.data):
            _send_at_once(line, record, plan.event, event, rules, out)
    if plan.event in _TOLD_APART:
        if isinstance(event, MachineState):
            line.state = event.data.state
        elif isinstance(event, DowntimeStarted | DowntimeEnded):
            learn(line, event, rules, out)


def fold_reversal(
    line: Line, event: TransactionReversed, original: Original, rules: Rules, out: list[Outgoing]
) -> None:
    """Take back an accepted event: its rows negative, and a reversal of what it sent at once."""
    plan = rules.plans[TYPES[original.type]]
    _contribute(line, plan, original.data, original.time, -1, event.id, rules.grace)
    for record in plan.at_once:
        if applies(record.where, original.data):
            key = at_once_key(record.short, line.place, event.source, event.data.reverses)
            _send_reversal(line, key, event.id, event.time, rules, out)


def _contribute(
    line: Line, plan: Plan, data: Data, at: int, sign: int, cause: str, grace: int
) -> None:
    """Add an event to its rows, by the rule of `windows.carrier_of` (spelt out here for speed)."""
    watermark = line.watermark
    late = False
    members: RowMembers = ()
    for index, length, width, erp, row_members, slots, where in plan.contributions:
        if where and not applies(where, data):
            continue
        start = carrier = at - at % length
        if start + length + grace <= watermark:
            carrier = watermark - watermark % length
            late = True
        try:
            rows = line.windows[index][carrier]
        except KeyError:
            rows = line.windows[index][carrier] = {}
        if row_members is not None:
            members = row_members(data)
        key = start, members
        row = rows.get(key)
        if row is None:
            row = rows[key] = Row([0] * width, 0, [])
        accepted = line.accepted[index]
        for slot, member in slots:
            measure = sign * getattr(data, member)
            row.add(slot, measure)
            accepted[slot] += measure
        if erp:
            row.count += 1
            if len(row.causes) < CAUSES_MAX:
                row.causes.append(cause)
        else:
            row.count += sign
        line.changed_windows.add((index, carrier))
    if late:
        line.late_events += 1


def learn(
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
    return Episode(episode.work_unit, event.time, episode.end, data.reason, data.planned, event.id)


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
            _add_downtime(line, episode, kind, window, window, 0, 1)
        for window, micros in episodes.overlaps(
            max(start, opened), min(until, closed), kind.length
        ):
            _add_downtime(line, episode, kind, window, window, micros, 0)
        if until <= closed and start < closed:
            line.live.discard(name)


def _add_downtime(
    line: Line, episode: Episode, kind: Kind, carrier: int, start: int, micros: int, stops: int
) -> None:
    members = (episode.work_unit, episode.reason, episode.planned)
    row = windows.row_of(line.windows[kind.index], kind, carrier, start, members)
    row.add(0, micros * BILLIONTHS_PER_MICRO)
    row.add(1, stops * quantity.SCALE)
    line.changed_windows.add((kind.index, carrier))


def close_plain(line: Line, kind: Kind, carrier: int, rules: Rules, out: list[Outgoing]) -> None:
    """Send the rows of one carrier, sorted by id; a row that says nothing isn't sent."""
    emitted = line.emitted[kind.index]
    zone = rules.zones.get(line.plant)
    counted = not kind.erp and not kind.episodic
    records = []
    for (start, members), row in line.windows[kind.index].pop(carrier).items():
        measures = row.measures
        for slot, measure in enumerate(measures):
            emitted[slot] += measure
        if not any(measures) and not (counted and row.count):
            continue
        revision = (carrier - start) // kind.length
        id = windowed_key(kind.short, line.place, start, row_text(members), revision)
        end = instant.text(start + kind.length)
        about: tuple[Any, ...] = ()
        if kind.erp:
            about = row.causes, row.count, instant.date(start, zone)
        elif counted:
            about = (row.count,)
        data = kind.data(
            *members, *map(quantity.text, measures), instant.text(start), end, revision, *about
        )
        value = encode(kind.record, id, end, line.plant, line.line, data)
        records.append(Outgoing(kind.topic, line.key, id, kind.record, value))
        line.corrections += revision > 0
    if len(records) > 1:
        records.sort(key=_id)  # code points sort as their UTF-8 bytes do
    out.extend(records)
    line.changed_windows.add((kind.index, carrier))


def _id(record: Outgoing) -> str:
    return record.id


def _send_at_once(
    line: Line, record: AtOnce, event_type: str, event: AnyEvent, rules: Rules, out: list[Outgoing]
) -> None:
    members: list[Any] = list(record.members_of(event.data))
    for place_ in record.measures:
        if members[place_] is not None:
            members[place_] = quantity.text(members[place_])
    at = event.time
    data = record.data(
        *members, event_type if record.event else None,
        [event.id], 1, instant.date(at, rules.zones.get(line.plant)),
    )  # fmt: skip
    id = at_once_key(record.short, line.place, event.source, event.id)
    value = encode(record.record, id, instant.text(at), line.plant, line.line, data)
    out.append(Outgoing(ERP_TRANSACTIONS, line.key, id, record.record, value))


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
    told = [cause], 1, instant.date(at, rules.zones.get(line.plant))
    data.update(zip(COMMON, told, strict=True))
    value = encode(kind, id, instant.text(at), line.plant, line.line, data)
    out.append(Outgoing(ERP_TRANSACTIONS, line.key, id, kind, value))


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


def _next_boundary(watermark: int, rules: Rules) -> int:
    """Return the watermark at which the next window can close."""
    return min(
        windows.horizon(watermark, length, rules.grace) + length + rules.grace
        for length in rules.lengths
    )


try:
    from tables import closing
except ImportError:  # it wasn't built: see hatch_build.py
    close, advance = close_plain, advance_plain
else:
    close, advance = closing.close, closing.advance
    closing.count_live_episodes = count_live_episodes
    closing.notify_overdue = notify_overdue
