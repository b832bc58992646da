# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The rows of a window that closes, spelt as they leave: `close_plain` of line.py, compiled."""

from operator import attrgetter

from libc.stdint cimport int64_t
from libc.stdlib cimport free

from streams.values.buffer cimport (
    Buffer, PyUnicode_AsUTF8AndSize, is_plain, put, put_bytes, put_escaped, put_measure,
    put_number, taken, text_of,
)
from tables.line.rows cimport Row, wide, wide_number

import msgspec

from streams.values import instant

from streams.values import quantity
from streams.values.cache import keep
from streams.log.record import Outgoing
from streams.contract.transactions import SOURCE

cdef int64_t second = 1_000_000

cdef Buffer buffer
cdef Buffer id_buffer
buffer.data = id_buffer.data = NULL
buffer.size = buffer.room = id_buffer.size = id_buffer.room = 0

_json = msgspec.json.Encoder().encode
_id = attrgetter("id")
_forms = {}
cdef dict _places = {}


cdef class _Form:
    """What the records of a windowed type have in common."""

    cdef object kind
    cdef str topic
    cdef str record
    cdef bytes head  # up to the id
    cdef bytes short
    cdef bint erp
    cdef bint counted
    cdef int64_t length
    cdef list row  # what stands before each member of the row
    cdef list measures  # what stands before each measure


def close(line, kind, int64_t carrier, rules, list out):
    """Send the rows of one carrier, sorted by id; a row that says nothing isn't sent."""
    cdef _Form form = _form(kind)
    cdef int64_t start, before = 0, corrections = 0, page = -1
    cdef bint first = True
    cdef bytes begin = b"", end = b"", date = b""
    index = kind.index
    emitted = <list>line.emitted[index]
    changed_pages = <dict>line.changed_pages
    zone = rules.zones.get(line.plant)
    key = line.key
    place, where = _place_of(line, <bytes>key)
    records = []
    cdef Row row
    cdef dict rows = line.windows[index].pop(carrier)
    for row_key, row in rows.items():
        start, members = <tuple>row_key
        if row.page != page:
            page = row.page
            changed_pages[index, carrier, page] = row_key
        if not _added(emitted, row) and not (form.counted and row.count):
            continue
        if first or start != before:
            first, before = False, start
            begin = (<str>instant.text(start)).encode()
            end = (<str>instant.text(start + form.length)).encode()
            if form.erp:
                date = (<str>instant.date(start, zone)).encode()
        id = _put_id(form, <bytes>place, start, <tuple>members, (carrier - start) // form.length)
        buffer.size = 0
        put_bytes(&buffer, form.head)
        _put_text(&buffer, id)
        put(&buffer, b',"time":"', 9)
        put_bytes(&buffer, end)
        put_bytes(&buffer, <bytes>where)
        _put_row(form, <tuple>members, row)
        put(&buffer, b'"window_start":"', 16)
        put_bytes(&buffer, begin)
        put(&buffer, b'","window_end":"', 16)
        put_bytes(&buffer, end)
        put(&buffer, b'","revision":', 13)
        put_number(&buffer, (carrier - start) // form.length, 1)
        if form.erp:
            _put_causes(row.causes)
            put(&buffer, b',"cause_count":', 15)
            put_number(&buffer, row.count, 1)
            put(&buffer, b',"posting_date":"', 17)
            put_bytes(&buffer, date)
            put(&buffer, b'"', 1)
        elif form.counted:
            put(&buffer, b',"count":', 9)
            put_number(&buffer, row.count, 1)
        put(&buffer, b"}}", 2)
        records.append(Outgoing(form.topic, key, id, form.record, taken(&buffer)))
        corrections += carrier > start
    if len(records) > 1:
        records.sort(key=_id)  # code points sort as their UTF-8 bytes do
    out.extend(records)
    if corrections:
        line.corrections += corrections


def advance(count_live_episodes, notify_overdue, line, int64_t watermark, rules, list out):
    """Raise a line's watermark, as `tables.line.line.advance_plain` does.

    The first two are that module's functions, which seldom have something to do.
    """
    cdef int64_t before = line.watermark, grace = rules.grace, length, closed
    cdef int64_t due, boundary
    cdef int index
    line.watermark = watermark
    due = line.due
    if watermark < due:
        return
    if line.live:
        length = rules.downtime.length
        count_live_episodes(
            line, max(_horizon(before, length, grace), <int64_t>line.closed_to),
            _horizon(watermark, length, grace), rules,
        )
    closing = []
    windows = <tuple>line.windows
    for index, kind in enumerate(<tuple>rules.kinds):
        carried = <dict>windows[index]
        if not carried:
            continue
        length = kind.length
        closed = _horizon(watermark, length, grace)
        for carrier in carried:
            if <int64_t>carrier + length <= closed:
                closing.append((carrier + length, index, carrier, kind))
    closing.sort()  # (end, index) are enough to tell: a kind has one carrier for each end
    for _, index, carrier, kind in closing:
        close(line, kind, carrier, rules, out)
    if line.pending:
        notify_overdue(line, watermark, rules, out)
    due = 0x7FFFFFFFFFFFFFFF
    for length in <tuple>rules.lengths:
        boundary = _horizon(watermark, length, grace) + length + grace
        if boundary < due:
            due = boundary
    line.due = min(due, *line.pending.values()) if line.pending else due


cdef inline int64_t _horizon(int64_t watermark, int64_t length, int64_t grace) noexcept:
    """Return the end of the last closed window, as `tables.line.windows.horizon` does."""
    cdef int64_t past = (watermark - grace) % length  # C's remainder has the sign of the dividend
    return watermark - grace - (past + length if past < 0 else past)


cdef _Form _form(kind):
    cdef _Form form = <_Form>_forms.get(id(kind))
    if form is not None and form.kind is kind:
        return form
    form = _Form()
    form.kind = kind
    form.topic, form.record = kind.topic, kind.record
    form.head = f'{{"specversion":"1.0","type":"{kind.record}","source":"{SOURCE}","id":'.encode()
    form.short = f"{kind.short}:".encode()
    form.erp = kind.erp
    form.counted = not kind.erp and not kind.episodic
    form.length = kind.length
    form.row = [f'"{name}":'.encode() for name in kind.row]
    form.measures = [f'"{name}":"'.encode() for name in kind.measures]
    _forms[id(kind)] = form
    return form


cdef tuple _place_of(line, bytes key):
    """Return how posting keys spell a line, and what stands between a record's time and data."""
    found = _places.get(key)
    if found is None:
        where = b'","plant":%b,"line":%b,"data":{' % (_json(line.plant), _json(line.line))
        found = keep(_places, key, ((<str>line.place).encode(), where))
    return <tuple>found


cdef bint _added(list emitted, Row row) except -1:
    """Add the measures of a row to what was emitted; return whether one isn't zero."""
    cdef int slot
    cdef bint some = False
    for slot in range(row.width):
        if row.sums[slot]:
            emitted[slot] += wide_number(row.sums[slot])
            some = True
    return some


cdef str _put_id(_Form form, bytes place, int64_t start, tuple members, int64_t revision):
    """Return the posting key, as `streams.contract.transactions.windowed_key` spells it."""
    cdef Buffer* to = &id_buffer
    cdef const char* text
    cdef Py_ssize_t size, index
    to.size = 0
    put_bytes(to, form.short)
    put_bytes(to, place)
    put(to, b":", 1)
    put_number(to, start // second if start >= 0 else -((second - 1 - start) // second), 1)
    for index in range(len(members)):
        put(to, b"|" if index else b":", 1)
        member = members[index]
        if member is None:
            continue
        if member is True:
            put(to, b"true", 4)
        elif member is False:
            put(to, b"false", 5)
        else:
            text = PyUnicode_AsUTF8AndSize(member, &size)
            put_escaped(to, text, size)
    put(to, b":", 1)
    put_number(to, revision, 1)
    return text_of(to.data, to.size)


cdef int _put_text(Buffer* to, str text) except -1:
    """Append a string as JSON has it."""
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    if not is_plain(data, size):
        return put_bytes(to, <bytes>_json(text))
    put(to, b'"', 1)
    put(to, data, size)
    return put(to, b'"', 1)


cdef int _put_row(_Form form, tuple members, Row row) except -1:
    cdef Py_ssize_t index
    for index in range(len(members)):
        member = members[index]
        if member is None:
            continue
        put_bytes(&buffer, <bytes>form.row[index])
        if member is True:
            put(&buffer, b"true", 4)
        elif member is False:
            put(&buffer, b"false", 5)
        else:
            _put_text(&buffer, <str>member)
        put(&buffer, b",", 1)
    for index in range(row.width):
        put_bytes(&buffer, <bytes>form.measures[index])
        if <wide><int64_t>row.sums[index] == row.sums[index]:
            put_measure(&buffer, <int64_t>row.sums[index])
        else:
            put_bytes(&buffer, (<str>quantity.text(wide_number(row.sums[index]))).encode())
        put(&buffer, b'",', 2)
    return 0


cdef int _put_causes(list causes) except -1:
    cdef Py_ssize_t index
    put(&buffer, b',"causes":[', 11)
    for index in range(len(causes)):
        if index:
            put(&buffer, b",", 1)
        _put_text(&buffer, <str>causes[index])
    return put(&buffer, b"]", 1)
