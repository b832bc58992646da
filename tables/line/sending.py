"""Records that leave at once: one event, or what was learnt of an episode, causes each."""

from datetime import tzinfo
from typing import Any

from streams.codec import scanning
from streams.contract.events import TransactionReversed
from streams.contract.topics import ERP_TRANSACTIONS
from streams.contract.transactions import (
    COMMON,
    NOTIFICATION,
    REVERSAL,
    SOURCE,
    at_once_key,
    encode,
    notification_key,
    reversal_key,
)  # fmt: skip
from streams.log.record import Outgoing
from streams.values import instant, spans, writer
from tables.line.enriching import adds, cost_center_of, put_more
from tables.line.episodes import Episode, Stop
from tables.line.line import Line
from tables.line.periods import period_at
from tables.line.plans import MEASURE, NO_FIELD, TEXT, AtOnce, Plan

_TEXT, _MEASURE, _NO_FIELD = TEXT, MEASURE, NO_FIELD
_DAY = 86_400 * instant.SECOND
_to = writer.Writer()
_REVERSAL_HEAD = f'{{"specversion":"1.0","type":"{REVERSAL}","source":"{SOURCE}","id":'.encode()
_today: list[Any] = [None, b""]
"""A day in UTC, counted since the epoch, and its date."""


def send_at_once(
    line: Line, plan: Plan, record: AtOnce, event: scanning.Event, zone: tzinfo | None,
    trace: bytes | None, out: list[Outgoing],
) -> None:  # fmt: skip
    """Send what an event is posted as, at once: a late one is posted on the watermark's date."""
    posted = event.time if event.time >= line.furthest else line.watermark
    send_singly(line, plan, record, event, zone, posted, trace, out)


def send_singly(
    line: Line, plan: Plan, record: AtOnce, event: scanning.Event, zone: tzinfo | None,
    posted: int, trace: bytes | None, out: list[Outgoing],
) -> None:  # fmt: skip
    """Send what an event is posted as: the members that it has, and the common ones.

    `posted` is the instant whose date is the posting date, in `zone`.
    """
    to = _to
    id = id_of(line, record, event)
    _begin(to, record.head, id, event.time, line)
    _put_members(to, plan, record, event)
    if record.event:
        writer.put(to, b'"event":"')
        writer.put(to, plan.event_bytes)
        writer.put(to, b'",')
    writer.put(to, b'"causes":[')
    spans.put_text_span(to, event.id)
    _end(to, event.time, posted, zone)
    if adds(line.known):
        _put_more(to, plan, line, event)
    writer.put(to, b"}}")
    out.append(Outgoing(ERP_TRANSACTIONS, line.key, id, record.record, writer.taken(to), trace))


def send_reversal(
    line: Line, plan: Plan, record: AtOnce, original: scanning.Event,
    reversal: TransactionReversed, zone: tzinfo | None, trace: bytes | None, out: list[Outgoing],
) -> None:  # fmt: skip
    """Send what takes back a record that has left: the members that it had of its input, too.

    `zone` is that of the rules which hold for the reversal's own time.
    """
    reversed = at_once_key(record.short, line.place, reversal.source, reversal.data.reverses)
    id = reversal_key(reversed)
    to = _to
    _begin(to, _REVERSAL_HEAD, id, reversal.time, line)
    writer.put(to, b'"reverses":')
    writer.put_text(to, reversed)
    writer.put(to, b',"reversed_type":"')
    writer.put(to, record.record_bytes)
    writer.put(to, b'",')
    _put_members(to, plan, record, original)
    writer.put(to, b'"causes":[')
    writer.put_text(to, reversal.id)
    posted = reversal.time if reversal.time >= line.furthest else line.watermark
    _end(to, reversal.time, posted, zone)
    if adds(line.known):
        put_more(to, line.known, line.plant, line.line, None, None, None, None)  # type: ignore[arg-type]  # it adds
    writer.put(to, b"}}")
    out.append(Outgoing(ERP_TRANSACTIONS, line.key, id, REVERSAL, writer.taken(to), trace))


def _put_more(to: writer.Writer, plan: Plan, line: Line, event: scanning.Event) -> None:
    """Append what master data adds."""
    known = line.known
    assert known is not None  # asked before
    unit = item = uom = amount = None
    if known.places:
        unit = text_at(event, plan.work_unit_field)
    if known.items and has(event, plan.quantity_field):
        item, uom = text_at(event, plan.item_field), text_at(event, plan.uom_field)
        amount = scanning.number_at(event, plan.quantity_field)
    put_more(to, known, line.plant, line.line, unit, item, uom, amount)


def has(event: scanning.Event, field: int) -> bool:
    """Return whether an event has a member; its type may have none such."""
    return field != _NO_FIELD and scanning.has(event, field)


def text_at(event: scanning.Event, field: int) -> str | None:
    """Return the text of a member, None where the event hasn't got it."""
    return spans.text_of(scanning.span_at(event, field)) if has(event, field) else None


def _begin(to: writer.Writer, head: bytes, id: str, time: int, line: Line) -> None:
    writer.put(to, head)
    writer.put_text(to, id)
    writer.put(to, b',"time":"')
    writer.put_instant(to, time)
    writer.put(to, b'","plant":')
    writer.put_text(to, line.plant)
    writer.put(to, b',"line":')
    writer.put_text(to, line.line)
    writer.put(to, b',"data":{')


def _put_members(to: writer.Writer, plan: Plan, record: AtOnce, event: scanning.Event) -> None:
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


def _end(to: writer.Writer, time: int, posted: int, zone: tzinfo | None) -> None:
    writer.put(to, b'],"cause_count":1,"document_date":"')
    writer.put(to, _date_of(time, zone))
    writer.put(to, b'","posting_date":"')
    writer.put(to, _date_of(posted, zone))
    writer.put(to, b'"')


def id_of(line: Line, record: AtOnce, event: scanning.Event) -> str:
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


def send_notification(line: Line, name: str, out: list[Outgoing]) -> None:
    """Send the maintenance notification of a breakdown; its cause is its `started`."""
    episode = line.episodes[name]
    assert episode.start is not None  # only a started episode is notified
    episode.notified, episode.notified_for, episode.learnt = True, line.timings.breakdown, None
    line.changed_episodes.add(name)
    at = episode.start + line.timings.breakdown
    id = notification_key(line.place, name, episode.start)
    _send(line, NOTIFICATION, id, at, _members(name, episode), episode.cause, out)


def take_notification_back(line: Line, event: Stop, out: list[Outgoing]) -> None:
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
    at = max(event.time, episode.start + (episode.notified_for or line.timings.breakdown))
    _send(line, REVERSAL, reversal_key(sent), at, data, event.id, out, event.time)


def _members(name: str, episode: Episode) -> dict[str, Any]:
    return {"episode": name, "work_unit": episode.work_unit, "reason": episode.reason}


def _send(
    line: Line, kind: str, id: str, at: int, data: dict[str, Any], cause: str,
    out: list[Outgoing], dated: int | None = None,
) -> None:  # fmt: skip
    """Send a record; `dated` is the instant whose date it has, where that isn't its time."""
    dated = at if dated is None else dated
    zone = period_at(line.periods, line.period, dated).zone
    posted = dated if dated >= line.furthest else line.watermark
    told = [cause], 1, instant.date(dated, zone), instant.date(posted, zone)
    data.update(zip(COMMON, told, strict=True))
    if adds(line.known):
        unit = data["work_unit"] if kind == NOTIFICATION else None
        center = cost_center_of(line.known, line.plant, line.line, unit)  # type: ignore[arg-type]  # it adds
        if center is not None:
            data["cost_center"] = center
    value = encode(kind, id, instant.text(at), line.plant, line.line, data)
    out.append(Outgoing(ERP_TRANSACTIONS, line.key, id, kind, value))
