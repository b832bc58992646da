"""Records that leave at once: one event, or what was learnt of an episode, causes each."""

from datetime import tzinfo
from typing import Any

from streams.codec import scanning
from streams.contract.topics import ERP_TRANSACTIONS
from streams.contract.transactions import (
    COMMON,
    NOTIFICATION,
    REVERSAL,
    encode,
    notification_key,
    reversal_key,
)  # fmt: skip
from streams.log.record import Outgoing
from streams.values import instant, spans, writer
from tables.line.episodes import Episode, Stop
from tables.line.line import Line
from tables.line.plans import MEASURE, TEXT, AtOnce, Plan
from tables.line.rules import Rules

_TEXT, _MEASURE = TEXT, MEASURE
_DAY = 86_400 * instant.SECOND
_to = writer.Writer()
_today: list[Any] = [None, b""]
"""A day in UTC, counted since the epoch, and its date."""


def send_at_once(
    line: Line, plan: Plan, record: AtOnce, event: scanning.Event, trace: bytes | None,
    out: list[Outgoing],
) -> None:  # fmt: skip
    """Send what an event is posted as: the members that it has, and the common ones."""
    to = _to
    id = _id_of(line, record, event)
    writer.put(to, record.head)
    writer.put_text(to, id)
    writer.put(to, b',"time":"')
    writer.put_instant(to, event.time)
    writer.put(to, b'","plant":')
    writer.put_text(to, line.plant)
    writer.put(to, b',"line":')
    writer.put_text(to, line.line)
    writer.put(to, b',"data":{')
    for number in range(len(record.fields)):
        index = record.fields[number]
        if not scanning.has(event, index):
            continue
        writer.put(to, record.names[number])
        kind = plan.field_kinds[index]
        if kind == _TEXT:
            spans.put_text_span(to, scanning.span_at(event, index))
            writer.put(to, b",")
        elif kind == _MEASURE:
            writer.put(to, b'"')
            writer.put_measure(to, scanning.number_at(event, index))
            writer.put(to, b'",')
        else:
            writer.put(to, b"true," if scanning.flag_at(event, index) else b"false,")
    if record.event:
        writer.put(to, b'"event":"')
        writer.put(to, plan.event_bytes)
        writer.put(to, b'",')
    writer.put(to, b'"causes":[')
    spans.put_text_span(to, event.id)
    writer.put(to, b'],"cause_count":1,"posting_date":"')
    writer.put(to, _date_of(event.time, line.zone))
    writer.put(to, b'"}}')
    out.append(Outgoing(ERP_TRANSACTIONS, line.key, id, record.record, writer.taken(to), trace))


def _id_of(line: Line, record: AtOnce, event: scanning.Event) -> str:
    """Return the posting key: see `streams.contract.transactions.at_once_key`."""
    to = _to
    writer.begin(to)
    writer.put(to, record.short_bytes)
    writer.put(to, line.place_bytes)
    writer.put(to, b":")
    spans.put_escaped_span(to, event.source)
    writer.put(to, b"|")
    spans.put_escaped_span(to, event.id)
    return writer.taken_text(to)


def _date_of(at: int, zone: tzinfo | None) -> bytes:
    """Return the date of an instant in a plant's time zone."""
    if zone is not None:
        return instant.date(at, zone).encode()
    begin = at - at % _DAY
    if begin != _today[0]:
        _today[:] = begin, instant.date(at, None).encode()
    date: bytes = _today[1]
    return date


def send_notification(line: Line, name: str, rules: Rules, out: list[Outgoing]) -> None:
    """Send the maintenance notification of a breakdown; its cause is its `started`."""
    episode = line.episodes[name]
    assert episode.start is not None  # only a started episode is notified
    episode.notified, episode.notified_for, episode.learnt = True, rules.breakdown, None
    line.changed_episodes.add(name)
    at = episode.start + rules.breakdown
    id = notification_key(line.place, name, episode.start)
    _send(line, NOTIFICATION, id, at, _members(name, episode), episode.cause, rules, out)


def take_notification_back(line: Line, event: Stop, rules: Rules, out: list[Outgoing]) -> None:
    """Send the reversal of the notification of an episode, which an event has shown to be wrong.

    Its `time` is the event's, but not before the notification's.
    """
    name = event.data.episode
    episode = line.episodes[name]
    assert episode.start is not None  # only a started episode was notified
    episode.taken_back = True
    line.changed_episodes.add(name)
    sent = notification_key(line.place, name, episode.start if episode.notified_for else None)
    data = {"reverses": sent, "reversed_type": NOTIFICATION, **_members(name, episode)}
    at = max(event.time, episode.start + (episode.notified_for or rules.breakdown))
    _send(line, REVERSAL, reversal_key(sent), at, data, event.id, rules, out, event.time)


def _members(name: str, episode: Episode) -> dict[str, Any]:
    return {"episode": name, "work_unit": episode.work_unit, "reason": episode.reason}


def send_reversal(
    line: Line, key: str, cause: str, at: int, rules: Rules, out: list[Outgoing]
) -> None:
    """Send what takes back the record with the posting key `key`."""
    _send(line, REVERSAL, reversal_key(key), at, {"reverses": key}, cause, rules, out)


def _send(
    line: Line, kind: str, id: str, at: int, data: dict[str, Any], cause: str, rules: Rules,
    out: list[Outgoing], dated: int | None = None,
) -> None:  # fmt: skip
    """Send a record; `dated` is the instant whose date it has, where that isn't its time."""
    told = [cause], 1, instant.date(at if dated is None else dated, rules.zones.get(line.plant))
    data.update(zip(COMMON, told, strict=True))
    value = encode(kind, id, instant.text(at), line.plant, line.line, data)
    out.append(Outgoing(ERP_TRANSACTIONS, line.key, id, kind, value))
