# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One row of a window, compiled: what `tables.line.windows.PlainRow` is, with its sums in 128 bits.

A measure is less than 10^24 billionths, so 10^14 of them fit.
"""

cimport cython
from libc.stdint cimport int64_t

from streams.values.buffer cimport (
    Buffer, PyUnicode_AsUTF8AndSize, put, put_packed_int, put_packed_text, taken,
)

import msgspec

from streams.contract.policy import MEASURES_MAX
from tables.line.rules import PAGE_ROWS, SHARED_PAGES

if SLOTS_MAX != MEASURES_MAX:
    raise RuntimeError(
        f"SLOTS_MAX is {SLOTS_MAX}, but streams.contract.policy has {MEASURES_MAX} measures"
    )

_encode = msgspec.msgpack.Encoder().encode

cdef wide low_mask = 0x7FFFFFFFFFFFFFFF
cdef Py_ssize_t page_rows = PAGE_ROWS
cdef Py_ssize_t shared_rows = PAGE_ROWS * SHARED_PAGES

cdef Buffer buffer
buffer.data = NULL
buffer.size = buffer.room = 0


@cython.no_gc  # nothing in it leads back to it
cdef class Row:
    """One row of a window: sums in billionths, and what caused them.

    `count` is what the record calls `count` (a summary: reversals are -1) or `cause_count`.
    """

    def __init__(self, measures, count=0, causes=None):
        cdef int slot
        if len(measures) > SLOTS_MAX:
            raise ValueError(f"a row has {len(measures)} measures: at most {SLOTS_MAX}")
        self.width = len(measures)
        for slot in range(SLOTS_MAX):
            self.sums[slot] = 0
        for slot in range(self.width):
            self.sums[slot] = _wide(measures[slot])
        self.count = count
        self.causes = [] if causes is None else causes
        self.page = 0

    @property
    def measures(self):
        """The sums, in billionths."""
        cdef int slot
        return [wide_number(self.sums[slot]) for slot in range(self.width)]

    def add(self, int slot, amount):
        """Add billionths to a sum."""
        if not 0 <= slot < self.width:
            raise IndexError(f"slot {slot} of {self.width}")
        self.sums[slot] += _wide(amount)

    def __eq__(self, other):
        if not isinstance(other, Row):
            return NotImplemented
        return (
            self.measures == other.measures and self.count == other.count
            and self.causes == other.causes
        )

    def __repr__(self):
        return f"Row({self.measures}, {self.count}, {self.causes})"


cdef object wide_number(wide number):
    """Return a sum as Python has integers."""
    cdef int64_t small = <int64_t>number
    if <wide>small == number:
        return small
    cdef object high = <int64_t>(number >> 63), low = <int64_t>(number & low_mask)
    return (high << 63) + low  # of Python's integers: 64 bits are too few


cdef wide _wide(number) except? -1:
    cdef wide high
    if -0x8000000000000000 <= number <= 0x7FFFFFFFFFFFFFFF:
        return <int64_t>number
    high = <int64_t>(number >> 63)
    return (high << 63) + <int64_t>(number & 0x7FFFFFFFFFFFFFFF)


cpdef Row row_of(line, int index, int64_t carrier, tuple key, int width):
    """Return the row to add to: see `tables.line.line.row_of_plain`."""
    cdef dict carried = <dict>(<tuple>line.windows)[index]
    cdef dict rows = <dict>carried.get(carrier)
    cdef Row row
    if rows is None:
        rows = carried[carrier] = {}
    found = rows.get(key)
    if found is None:
        row = Row([0] * width, 0, None)
        if len(rows) < shared_rows:
            row.page = len(rows) // page_rows
        else:
            row.page = line.next_page
            line.next_page = row.page + 1
        rows[key] = row
    else:
        row = <Row>found
    (<dict>line.changed_pages)[index, carrier, row.page] = key
    return row


def sums_bytes(tuple kinds, list accepted, list emitted):
    """Return what `tables.partition.stored.sums_plain` does, encoded."""
    cdef int index, count = 0
    cdef list told = []
    for index in range(len(kinds)):
        if any(<list>accepted[index]) or any(<list>emitted[index]):
            told.append(index)
    buffer.size = 0
    _put_map(len(told))
    for index in told:
        _put_text(kinds[index].short)
        _put_array(2)
        _put_numbers(<list>accepted[index])
        _put_numbers(<list>emitted[index])
    return taken(&buffer)


def rows_bytes(dict rows):
    """Return what `tables.partition.stored.rows_bytes_plain` does: rows as a store has them."""
    cdef Row row
    cdef int slot
    cdef Py_ssize_t index, size
    cdef const char* text
    buffer.size = 0
    _put_array(len(rows))
    for (start, members), row in rows.items():
        put(&buffer, b"\x95", 1)
        put_packed_int(&buffer, start)
        _put_array(len(<tuple>members))
        for member in <tuple>members:
            if member is None:
                put(&buffer, b"\xc0", 1)
            elif member is True or member is False:
                put(&buffer, b"\xc3" if member else b"\xc2", 1)
            else:
                _put_text(member)
        _put_array(row.width)
        for slot in range(row.width):
            if <wide><int64_t>row.sums[slot] == row.sums[slot]:
                put_packed_int(&buffer, <int64_t>row.sums[slot])
            else:
                _put_text(str(wide_number(row.sums[slot])))
        put_packed_int(&buffer, row.count)
        _put_array(len(row.causes))
        for cause in row.causes:
            _put_text(cause)
    return taken(&buffer)


cdef int _put_array(Py_ssize_t size) except -1:
    cdef unsigned char head[5]
    if size < 16:
        head[0] = <unsigned char>(0x90 | size)
        return put(&buffer, <const char*>head, 1)
    if size < 65_536:
        head[0], head[1], head[2] = 0xDC, <unsigned char>(size >> 8), <unsigned char>size
        return put(&buffer, <const char*>head, 3)
    head[0] = 0xDD
    head[1], head[2] = <unsigned char>(size >> 24), <unsigned char>(size >> 16)
    head[3], head[4] = <unsigned char>(size >> 8), <unsigned char>size
    return put(&buffer, <const char*>head, 5)


cdef int _put_text(str text) except -1:
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    return put_packed_text(&buffer, data, size)


def numbers_bytes(list sums):
    """Return lists of integers in MessagePack; one past 64 bits as its decimal text."""
    buffer.size = 0
    _put_array(len(sums))
    for each in sums:
        _put_numbers(<list>each)
    return taken(&buffer)


cdef int _put_numbers(list numbers) except -1:
    cdef int64_t small
    _put_array(len(numbers))
    for number in numbers:
        if -0x8000000000000000 <= number <= 0x7FFFFFFFFFFFFFFF:
            small = number
            put_packed_int(&buffer, small)
        else:
            _put_text(str(number))
    return 0


cdef int _put_map(Py_ssize_t size) except -1:
    cdef unsigned char head[3]
    if size < 16:
        head[0] = <unsigned char>(0x80 | size)
        return put(&buffer, <const char*>head, 1)
    head[0], head[1], head[2] = 0xDE, <unsigned char>(size >> 8), <unsigned char>size
    return put(&buffer, <const char*>head, 3)
