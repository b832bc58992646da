"""The state of one line on one partition: fold(state, event) -> what leaves."""

from collections import deque
from functools import partial
from itertools import islice
from typing import Any

from msgspec import Struct, field

from streams.codec.decode import Original
from streams.contract.events import (
    NAMES,
    TYPES,
    AnyEvent,
    Data,
    DowntimeEnded,
    DowntimeStarted,
    MachineState,
    TransactionReversed,
)  # fmt: skip
from streams.contract.topics import ERP_TRANSACTIONS
from streams.contract.transactions import (
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
from streams.core import loaded
from streams.log.record import Outgoing
from streams.values import instant, quantity
from tables.line import episodes, windows
from tables.line.episodes import Episode
from tables.line.rules import (
    PAGE_ROWS,
    SHARED_PAGES,
    AtOnce,
    Kind,
    Plan,
    RowMembers,
    Rules,
    applies,
)
from tables.line.windows import Carried, Row, RowKey

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
    """Downtime of windows up to here is counted, though the watermark may not have closed them."""
    sweep_due: int = 0
    """The watermark at which expired ledger entries and episodes go next."""
    oldest_bucket: int = 2**63 - 1
    """No ledger entry of the line is older than this; so far in the future where it has none."""
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
    next_page: int = SHARED_PAGES
    """The page of the next row that gets one of its own."""
    leaving: tuple[tuple[int, int], list[RowKey]] = (-1, 0), []
    """(kind, carrier) of a window whose rows leave in several steps, and those left, last first."""
    changed_pages: dict[tuple[int, int, int], RowKey] = field(default_factory=dict)
    """(kind, carrier, page) of what differs from the store, and a row that is or was on it."""
    changed_episodes: set[str] = field(default_factory=set)
    expiring: dict[int, list[bytes]] = field(default_factory=dict)
    """Keys of new ledger entries by bucket of time, until the store has a note of them."""


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


def advance_plain(line: Line, watermark: int, rules: Rules, out: list[Outgoing]) -> None:
    """Raise the watermark: windows it has reached close, then breakdowns due are notified."""
    before, line.watermark = line.watermark, watermark
    if watermark < line.due:
        return
    length = rules.downtime.length
    opened = max(windows.horizon(before, length, rules.grace), line.closed_to)
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


def crowded(line: Line, watermark: int, rules: Rules, rows_max: int) -> bool:
    """Return whether more rows than `rows_max` would leave if the watermark rose so far."""
    rows = 0
    for kind, carried in zip(rules.kinds, line.windows, strict=True):
        closed = windows.horizon(watermark, kind.length, rules.grace)
        for carrier, each in carried.items():
            if carrier + kind.length <= closed:
                rows += len(each)
    if line.live:
        opened, closed = _downtime_between(line, watermark, rules)
        rows += episodes.windows_to_come(line.episodes, line.live, opened, closed, rules)
    return rows > rows_max


def close_some(
    line: Line, watermark: int, rules: Rules, out: list[Outgoing], rows_max: int
) -> None:
    """Send the first rows of the windows that a watermark will close, `rows_max` of them at most.

    The watermark itself stays where it is. What has left is gone from its windows: so whoever goes
    on from here, after a crash too, sends the others, and none twice.
    """
    kind = rules.downtime
    opened, closed = _downtime_between(line, watermark, rules)
    there = sorted({end for end, _, _ in windows.closable(line.windows, rules, watermark)})
    to_come = deque(there)
    while rows_max > 0:
        ends = [*islice(to_come, 1)]
        ends += episodes.next_end(line.episodes, line.live, opened, closed, rules)
        if not ends:
            return
        end = min(ends)
        if to_come and to_come[0] == end:
            to_come.popleft()
        if line.live and opened < end:
            upto = min(windows.horizon(end, kind.length, 0), closed)
            count_live_episodes(line, opened, upto, rules)
            line.closed_to = opened = max(opened, upto)
        for each in rules.kinds:
            if end - each.length in line.windows[each.index]:
                rows_max -= _close_first(line, each, end - each.length, rules, out, rows_max)
                if rows_max <= 0:
                    return


def _close_first(
    line: Line, kind: Kind, carrier: int, rules: Rules, out: list[Outgoing], rows_max: int
) -> int:
    """Send the first `rows_max` rows of a carrier by id; return how many they were."""
    carried = line.windows[kind.index]
    rows = carried[carrier]
    if len(rows) <= rows_max:
        close(line, kind, carrier, rules, out)
        return len(rows)
    where, last_first = line.leaving
    if where != (kind.index, carrier) or len(last_first) != len(rows):

        def id_of(key: RowKey) -> str:
            start, members = key
            revision = (carrier - start) // kind.length
            return windowed_key(kind.short, line.place, start, row_text(members), revision)

        last_first = sorted(rows, key=id_of, reverse=True)
        line.leaving = (kind.index, carrier), last_first
    first = [last_first.pop() for _ in range(rows_max)]
    carried[carrier] = {key: rows.pop(key) for key in first}
    close(line, kind, carrier, rules, out)
    carried[carrier] = rows
    return rows_max


def _downtime_between(line: Line, watermark: int, rules: Rules) -> tuple[int, int]:
    """Return the ends of the downtime windows between which a watermark closes more of them."""
    length = rules.downtime.length
    opened = max(windows.horizon(line.watermark, length, rules.grace), line.closed_to)
    return opened, max(windows.horizon(watermark, length, rules.grace), opened)


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
        if row_members is not None:
            members = row_members(data)
        row = row_of(line, index, carrier, (start, members), width)
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
    if late:
        line.late_events += 1


def row_of_plain(line: Line, index: int, carrier: int, key: RowKey, width: int) -> Row:
    """Return the row to add to, made anew if need be; its page is noted as changed."""
    rows = line.windows[index].get(carrier)
    if rows is None:
        rows = line.windows[index][carrier] = {}
    row = rows.get(key)
    if row is None:
        row = Row([0] * width, 0, [])
        if len(rows) < SHARED_PAGES * PAGE_ROWS:
            row.page = len(rows) // PAGE_ROWS
        else:
            row.page, line.next_page = line.next_page, line.next_page + 1
        rows[key] = row
    line.changed_pages[index, carrier, row.page] = key
    return row


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
        _drop_empty(line, after, kind, carrier, start)
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


def close_plain(line: Line, kind: Kind, carrier: int, rules: Rules, out: list[Outgoing]) -> None:
    """Send the rows of one carrier, sorted by id; a row that says nothing isn't sent."""
    emitted = line.emitted[kind.index]
    zone = rules.zones.get(line.plant)
    counted = not kind.erp and not kind.episodic
    records = []
    for key, row in line.windows[kind.index].pop(carrier).items():
        start, members = key
        line.changed_pages[kind.index, carrier, row.page] = key
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


if not loaded("tables.line.closing"):
    close, advance, row_of = close_plain, advance_plain, row_of_plain
else:
    from tables.line import closing
    from tables.line.rows import row_of

    close, advance = closing.close, partial(closing.advance, count_live_episodes, notify_overdue)
