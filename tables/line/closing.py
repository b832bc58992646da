"""A line's watermark rises: windows that it has reached close, and their rows leave."""

from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from streams.contract.policy import MEASURES_MAX
from streams.contract.transactions import head_of
from streams.log.record import Outgoing
from streams.values import instant, sums, wide, writer
from streams.values.cache import keep
from tables.line import states, windows
from tables.line.downtime import count_live_episodes
from tables.line.enriching import adds, put_more
from tables.line.finals import send_finals
from tables.line.line import Line, Unit
from tables.line.maintenance import next_notification, notify_overdue
from tables.line.periods import period_at
from tables.line.rows import Row
from tables.line.rules import Kind, RowMembers, Rules

_json = msgspec.json.Encoder().encode
_id = attrgetter("id")
_order = itemgetter(0, 1)
_SECOND, _FOREVER, _LONG_AGO = instant.SECOND, windows.FOREVER, windows.LONG_AGO
_to = writer.Writer()
_forms: dict[int, "_Form"] = {}
_places: dict[bytes, tuple[bytes, bytes]] = {}


class _Form:
    """What the records of a windowed type have in common, names spelt as they leave."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.topic = kind.topic
        self.record = kind.record
        self.head = head_of(kind.record)
        self.short = f"{kind.short}:".encode()
        self.erp = kind.erp
        self.quantity = _place_in(kind.measures, "quantity")
        self.uom = kind.uom
        self.work_unit = _place_in(kind.row, "work_unit")
        self.item = _place_in(kind.row, "item")
        self.first_unit_sum = kind.first_unit_sum
        self.counted = not kind.erp and not kind.episodic
        self.members = [f'"{name}":'.encode() for name in kind.row]
        self.measures = [f'"{name}":"'.encode() for name in kind.measures]


def _place_in(names: tuple[str, ...], name: str) -> int:
    """Return where a name is among others, -1 if it isn't."""
    return names.index(name) if name in names else -1


def advance(line: Line, watermark: int, rules: Rules, out: list[Outgoing]) -> None:
    """Raise the watermark: windows it has reached close, then breakdowns due are notified."""
    raised_from, before = line.watermark, line.furthest
    if line.timelines is not None:
        states.settle(line, rules)
    raise_to(line, watermark)
    if watermark < line.due:
        return
    furthest = line.furthest
    if line.live or line.timelines is not None:
        length = line.lasting.length
        opened = max(before - before % length, line.closed_to)
        count_live_episodes(line, opened, furthest - furthest % length)
        states.count(line, opened, furthest - furthest % length)
    closing: list[tuple[int, int, Kind | None]] = []
    kinds, every = rules.kinds, line.windows
    for index in range(len(kinds)):
        carried = every[index]
        if not carried:
            continue
        own = kinds[index]
        closing += [(end, own.place, own) for end in carried if end <= furthest]
    if line.finals:
        closing += [(end, rules.finals_place, None) for end in line.finals if end <= furthest]
    if len(closing) > 1:
        closing.sort(key=_order)  # a kind has one carrier for each end
    for end, _, kind in closing:
        if kind is None:
            send_finals(line, end, out)
        else:
            close(line, kind, end, out)
    if line.pending:
        notify_overdue(line, raised_from, rules, out)
    line.due = due_of(line)


def raise_to(line: Line, watermark: int) -> None:
    """Raise the watermark, and how far watermark - grace has ever been."""
    line.watermark = watermark
    furthest = watermark - line.timings.grace
    if furthest > line.furthest:
        line.furthest = furthest


def due_of(line: Line) -> int:
    """Return the watermark at which something leaves: a window closes, or a breakdown is due."""
    due = min(next_due(line), next_notification(line))
    return due if line.timelines is None else min(due, states.settling_due(line))


def next_due(line: Line) -> int:
    """Return the watermark at which the next window closes."""
    due = _FOREVER
    for carried in line.windows:
        for end in carried:
            if end < due:
                due = end
    for end in line.finals:
        if end < due:
            due = end
    if line.live:
        length = line.lasting.length
        counted = max(line.furthest, line.closed_to)
        due = min(due, counted - counted % length + length)
    if line.timelines is not None:
        due = min(due, states.next_due(line))
    return due if due == _FOREVER else due + line.timings.grace


def close(line: Line, kind: Kind, carrier: int, out: list[Outgoing]) -> None:
    """Send the rows of the carrier that ends at an instant, sorted by id.

    A row that says nothing isn't sent.
    """
    form = _form_of(kind)
    index = kind.index
    emitted, first_sum = line.emitted, index * MEASURES_MAX
    changed_pages = line.changed_pages
    key = line.key
    place, where = _place_of(line)
    to = _to
    records = []
    before, page, corrections, revision = _LONG_AGO, -1, 0, 0
    time = window = dates = b""
    uom: Any = None
    unit: Unit | None = None
    rows = line.windows[index].pop(carrier)
    for row_key, row in rows.items():
        start, members = row_key
        if row.page != page:
            page = row.page
            changed_pages[index, carrier, page] = row_key
        if form.uom >= 0 and members[form.uom] is not uom:
            uom = members[form.uom]
            unit = line.units.get(uom)
        if not _emit(emitted, first_sum, row, unit, form.first_unit_sum) and not (
            form.counted and row.count
        ):
            continue
        if start != before:
            before = start
            period = period_at(line.periods, line.period, start)
            cadence = period.cadences[index]
            assert cadence is not None  # it goes by window
            revision = windows.revision_of(cadence, start, carrier)
            end = instant.text(windows.end_of(cadence, start))
            time = f',"time":"{end}'.encode() + where
            window = (
                f'"window_start":"{instant.text(start)}","window_end":"{end}","revision":{revision}'
            ).encode()
            if form.erp:
                late = windows.start_of(cadence, carrier - 1) if revision else start
                dates = (
                    f',"document_date":"{instant.date(start, period.zone)}",'
                    f'"posting_date":"{instant.date(late, period.zone)}"'
                ).encode()
        id = _id_of(to, form, place, start, members, revision)
        writer.put(to, form.head)
        writer.put_text(to, id)
        writer.put(to, time)
        _put_row(to, form, members, row)
        writer.put(to, window)
        if form.erp:
            _put_causes(to, row.causes)
            writer.put(to, b',"cause_count":')
            writer.put_number(to, row.count)
            writer.put(to, dates)
            if adds(line.known):
                _put_more(to, form, line, members, row)
        elif form.counted:
            writer.put(to, b',"count":')
            writer.put_number(to, row.count)
        writer.put(to, b"}}")
        records.append(Outgoing(form.topic, key, id, form.record, writer.taken(to)))
        corrections += revision > 0
    if len(records) > 1:
        records.sort(key=_id)  # code points sort as their UTF-8 bytes do
    out.extend(records)
    if corrections:
        line.corrections += corrections


def _put_more(to: writer.Writer, form: _Form, line: Line, members: RowMembers, row: Row) -> None:
    """Append what master data adds."""
    known = line.known
    assert known is not None  # asked before
    unit = item = uom = amount = None
    if known.places and form.work_unit >= 0:
        unit = members[form.work_unit]
    if known.items and form.quantity >= 0 and form.item >= 0 and form.uom >= 0:
        item, uom = members[form.item], members[form.uom]
        amount = wide.number_of(row.sums[form.quantity])
    put_more(to, known, line.plant, line.line, unit, item, uom, amount)  # type: ignore[arg-type]  # texts


def _form_of(kind: Kind) -> _Form:
    form = _forms.get(id(kind))
    if form is None or form.kind is not kind:
        form = _forms[id(kind)] = _Form(kind)
    return form


def _place_of(line: Line) -> tuple[bytes, bytes]:
    """Return how posting keys spell a line, and what stands between a record's time and data."""
    found = _places.get(line.key)
    if found is None:
        where = b'","plant":%b,"line":%b,"data":{' % (_json(line.plant), _json(line.line))
        found = keep(_places, line.key, (line.place.encode(), where))
    return found


def _emit(emitted: sums.Sums, first: int, row: Row, unit: Unit | None, first_of_unit: int) -> bool:
    """Add the measures of a row to what was emitted; return whether one isn't zero."""
    some = False
    for slot in range(row.width):
        if row.sums[slot]:
            sums.add_to(emitted, first + slot, row.sums[slot])
            if unit is not None:
                sums.add_to(unit.emitted, first_of_unit + slot, row.sums[slot])
            some = True
    return some


def _id_of(
    to: writer.Writer, form: _Form, place: bytes, start: int, members: RowMembers, revision: int
) -> str:
    """Return the posting key of a row of a window."""
    writer.begin(to)
    writer.put(to, form.short)
    writer.put(to, place)
    writer.put(to, b":")
    writer.put_number(to, start // _SECOND)
    for index in range(len(members)):
        writer.put(to, b"|" if index else b":")
        member = members[index]
        if member is None:
            continue
        if member is True or member is False:
            writer.put(to, b"true" if member else b"false")
        else:
            writer.put_escaped(to, member)
    writer.put(to, b":")
    writer.put_number(to, revision)
    return writer.taken_text(to)


def _put_row(to: writer.Writer, form: _Form, members: RowMembers, row: Row) -> None:
    for index in range(len(members)):
        member = members[index]
        if member is None:
            continue
        writer.put(to, form.members[index])
        if member is True or member is False:
            writer.put(to, b"true," if member else b"false,")
        else:
            writer.put_text(to, member)
            writer.put(to, b",")
    for index in range(row.width):
        writer.put(to, form.measures[index])
        writer.put_measure(to, row.sums[index])
        writer.put(to, b'",')


def _put_causes(to: writer.Writer, causes: list[str]) -> None:
    writer.put(to, b',"causes":[')
    for index in range(len(causes)):
        if index:
            writer.put(to, b",")
        writer.put_text(to, causes[index])
    writer.put(to, b"]")
