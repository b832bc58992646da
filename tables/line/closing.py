"""A line's watermark rises: windows that it has reached close, and their rows leave."""

from operator import attrgetter

import msgspec

from streams.contract.policy import MEASURES_MAX
from streams.contract.transactions import head_of
from streams.log.record import Outgoing
from streams.values import instant, sums, writer
from streams.values.cache import keep
from tables.line import windows
from tables.line.downtime import count_live_episodes, notify_overdue
from tables.line.line import Line
from tables.line.rows import Row
from tables.line.rules import Kind, RowMembers, Rules

_json = msgspec.json.Encoder().encode
_id = attrgetter("id")
_SECOND = instant.SECOND
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
        self.counted = not kind.erp and not kind.episodic
        self.length = kind.length
        self.members = [f'"{name}":'.encode() for name in kind.row]
        self.measures = [f'"{name}":"'.encode() for name in kind.measures]


def advance(line: Line, watermark: int, rules: Rules, out: list[Outgoing]) -> None:
    """Raise the watermark: windows it has reached close, then breakdowns due are notified."""
    before, line.watermark = line.watermark, watermark
    if watermark < line.due:
        return
    grace = rules.grace
    if line.live:
        length = rules.downtime.length
        opened = max(windows.horizon(before, length, grace), line.closed_to)
        count_live_episodes(line, opened, windows.horizon(watermark, length, grace), rules)
    closing = []
    kinds, every = rules.kinds, line.windows
    for index in range(len(kinds)):
        carried = every[index]
        if not carried:
            continue
        kind = kinds[index]
        length = kind.length
        closed = windows.horizon(watermark, length, grace)
        closing += [
            (carrier + length, index, carrier, kind)
            for carrier in carried
            if carrier + length <= closed
        ]
    if len(closing) > 1:
        closing.sort()  # (end, index) tell all apart: a kind has one carrier for each end
    for _, _, carrier, kind in closing:
        close(line, kind, carrier, out)
    line.due = windows.next_boundary(watermark, rules)
    if line.pending:
        notify_overdue(line, watermark, rules, out)
        line.due = min(line.due, min(line.pending.values(), default=windows.FOREVER))


def close(line: Line, kind: Kind, carrier: int, out: list[Outgoing]) -> None:
    """Send the rows of one carrier, sorted by id; a row that says nothing isn't sent."""
    form = _form_of(kind)
    index = kind.index
    emitted, first_sum = line.emitted, index * MEASURES_MAX
    changed_pages = line.changed_pages
    zone = line.zone
    key = line.key
    place, where = _place_of(line)
    to = _to
    records = []
    before, page, corrections = -1, -1, 0
    time = window = date = b""
    rows = line.windows[index].pop(carrier)
    for row_key, row in rows.items():
        start, members = row_key
        if row.page != page:
            page = row.page
            changed_pages[index, carrier, page] = row_key
        if not _emit(emitted, first_sum, row) and not (form.counted and row.count):
            continue
        if start != before or not window:
            before = start
            end = instant.text(start + form.length)
            time = f',"time":"{end}'.encode() + where
            window = (
                f'"window_start":"{instant.text(start)}","window_end":"{end}","revision":'.encode()
            )
            date = f',"posting_date":"{instant.date(start, zone)}"}}}}'.encode()
        revision = (carrier - start) // form.length
        id = _id_of(to, form, place, start, members, revision)
        writer.put(to, form.head)
        writer.put_text(to, id)
        writer.put(to, time)
        _put_row(to, form, members, row)
        writer.put(to, window)
        writer.put_number(to, revision)
        if form.erp:
            _put_causes(to, row.causes)
            writer.put(to, b',"cause_count":')
            writer.put_number(to, row.count)
            writer.put(to, date)
        elif form.counted:
            writer.put(to, b',"count":')
            writer.put_number(to, row.count)
            writer.put(to, b"}}")
        else:
            writer.put(to, b"}}")
        records.append(Outgoing(form.topic, key, id, form.record, writer.taken(to)))
        corrections += carrier > start
    if len(records) > 1:
        records.sort(key=_id)  # code points sort as their UTF-8 bytes do
    out.extend(records)
    if corrections:
        line.corrections += corrections


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


def _emit(emitted: sums.Sums, first: int, row: Row) -> bool:
    """Add the measures of a row to what was emitted; return whether one isn't zero."""
    some = False
    for slot in range(row.width):
        if row.sums[slot]:
            sums.add_to(emitted, first + slot, row.sums[slot])
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
