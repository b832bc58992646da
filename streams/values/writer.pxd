"""A `Writer` in compiled code: the functions of `writer.py`, inline."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, memcpy

from streams.values cimport buffer as _buffer
from streams.values.buffer cimport Buffer, PyUnicode_AsUTF8AndSize, grown, is_plain
from streams.values.wide cimport is_small, wide


cdef class Writer:
    cdef Buffer buffer


cdef int put_odd_text(Writer to, str text) except -1
cdef int put_odd_instant(Writer to, int64_t micros) except -1


cdef inline int begin(Writer to) except -1:
    to.buffer.size = 0
    return 0


cdef inline int put(Writer to, bytes data) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    if size == 1:  # a comma, mostly: no call
        grown(&to.buffer, 1)[0] = PyBytes_AS_STRING(data)[0]
        to.buffer.size += 1
        return 0
    return _buffer.put(&to.buffer, PyBytes_AS_STRING(data), size)


cdef inline int put_number(Writer to, int64_t number) except -1:
    return _buffer.put_number(&to.buffer, number, 1)


cdef inline int put_measure(Writer to, wide billionths) except -1:
    cdef wide high = 10 ** 18
    cdef wide size
    if is_small(billionths):
        return _buffer.put_measure(&to.buffer, <int64_t>billionths)
    size = billionths if billionths > 0 else -billionths
    high = high * 1_000_000_000  # 10^27 billionths are 10^18
    if billionths < 0:
        _buffer.put(&to.buffer, b"-", 1)
    if size >= high:
        _buffer.put_number(&to.buffer, <int64_t>(size // high), 1)
        _buffer.put_number(&to.buffer, <int64_t>(size % high // 1_000_000_000), 18)
    else:
        _buffer.put_number(&to.buffer, <int64_t>(size // 1_000_000_000), 1)
    return _buffer.put_fraction(&to.buffer, <int64_t>(size % 1_000_000_000))


cdef inline int put_instant(Writer to, int64_t micros) except -1:
    if micros < 0:
        return put_odd_instant(to, micros)
    return _buffer.put_instant(&to.buffer, micros)


cdef inline int put_big(Writer to, int64_t number) except -1:
    cdef char* at = grown(&to.buffer, 8)
    cdef uint64_t bits = <uint64_t>number ^ <uint64_t>1 << 63
    cdef int index
    for index in range(8):
        at[index] = <char>(bits >> 8 * (7 - index))
    to.buffer.size += 8
    return 0


cdef inline int64_t big_at(bytes data) noexcept:
    cdef const unsigned char* at = <const unsigned char*>PyBytes_AS_STRING(data)
    cdef uint64_t bits = 0
    cdef int index
    for index in range(8):
        bits = bits << 8 | at[index]
    return <int64_t>(bits ^ <uint64_t>1 << 63)


cdef inline bint holds(bytes data, Py_ssize_t begin, bytes part) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(part)
    return begin + size <= PyBytes_GET_SIZE(data) and memcmp(
        PyBytes_AS_STRING(data) + begin, PyBytes_AS_STRING(part), size
    ) == 0


cdef inline int put_escaped(Writer to, str text) except -1:
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    return _buffer.put_escaped(&to.buffer, data, size)


cdef inline int put_bare(Writer to, str text) except -1:
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    return _buffer.put(&to.buffer, data, size)


cdef inline int put_text(Writer to, str text) except -1:
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    cdef char* at
    if not is_plain(data, size):
        return put_odd_text(to, text)
    at = grown(&to.buffer, size + 2)
    at[0] = at[size + 1] = b'"'
    memcpy(at + 1, data, size)
    to.buffer.size += size + 2
    return 0


cdef inline bytes taken(Writer to):
    return _buffer.taken(&to.buffer)


cdef inline str taken_text(Writer to):
    cdef str text = _buffer.text_of(to.buffer.data, to.buffer.size)
    to.buffer.size = 0
    return text


cdef inline int pack_list(Writer to, Py_ssize_t size) except -1:
    return _buffer.put_packed_head(&to.buffer, size, 0x90, 0xDC)


cdef inline int pack_map(Writer to, Py_ssize_t size) except -1:
    return _buffer.put_packed_head(&to.buffer, size, 0x80, 0xDE)


cdef inline int pack_number(Writer to, int64_t number) except -1:
    return _buffer.put_packed_int(&to.buffer, number)


cdef inline int pack_text(Writer to, str text) except -1:
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    return _buffer.put_packed_text(&to.buffer, data, size)


cdef inline int pack_constant(Writer to, value) except -1:
    return _buffer.put(
        &to.buffer, b"\xc0" if value is None else b"\xc3" if value is True else b"\xc2", 1
    )


cdef inline int pack_wide(Writer to, wide number) except -1:
    if not is_small(number):
        raise OverflowError("past 64 bits")
    return _buffer.put_packed_int(&to.buffer, <int64_t>number)
