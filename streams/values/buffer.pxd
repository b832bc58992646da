"""A buffer that grows, and how what leaves is spelt into it: inline, for compiled code."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef struct Buffer:
    char* data
    Py_ssize_t size
    Py_ssize_t room


cdef inline char* grown(Buffer* buffer, Py_ssize_t more) except NULL:
    """Make room for `more` bytes; return where they go."""
    cdef Py_ssize_t room
    cdef char* data
    if buffer.size + more > buffer.room:
        room = max(2 * buffer.room, buffer.size + more, 4096)
        data = <char*>realloc(buffer.data, room)
        if data == NULL:
            raise MemoryError
        buffer.data = data
        buffer.room = room
    return buffer.data + buffer.size


cdef inline int put(Buffer* buffer, const char* data, Py_ssize_t size) except -1:
    """Append bytes."""
    memcpy(grown(buffer, size), data, size)
    buffer.size += size
    return 0


cdef inline int put_bytes(Buffer* buffer, bytes data) except -1:
    """Append a bytes object."""
    return put(buffer, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef inline int put_number(Buffer* buffer, int64_t number, int width) except -1:
    """Append an integer, with zeros up to `width` digits."""
    cdef char digits[24]
    cdef int at = 24
    cdef uint64_t left = <uint64_t>number if number >= 0 else -<uint64_t>number
    while left or width > 0:
        at -= 1
        digits[at] = <char>(48 + left % 10)
        left //= 10
        width -= 1
    if number < 0:
        at -= 1
        digits[at] = 45
    return put(buffer, digits + at, 24 - at)


cdef inline int put_measure(Buffer* buffer, int64_t billionths) except -1:
    """Append a measure as `streams.values.quantity.text` spells it."""
    cdef uint64_t size = <uint64_t>billionths if billionths >= 0 else -<uint64_t>billionths
    if billionths < 0:
        put(buffer, b"-", 1)
    put_number(buffer, <int64_t>(size // 1_000_000_000), 1)
    return put_fraction(buffer, <int64_t>(size % 1_000_000_000))


cdef inline int put_fraction(Buffer* buffer, int64_t fraction) except -1:
    """Append billionths below a whole, without trailing zeros; nothing where there are none."""
    cdef int digits = 9
    if fraction:
        put(buffer, b".", 1)
        while fraction % 10 == 0:
            fraction //= 10
            digits -= 1
        put_number(buffer, fraction, digits)
    return 0


cdef inline int put_escaped(Buffer* buffer, const char* text, Py_ssize_t size) except -1:
    """Append a component of a posting key as `streams.contract.transactions.escape` spells it."""
    cdef char* at = grown(buffer, 3 * size)
    cdef Py_ssize_t index
    cdef char byte
    for index in range(size):
        byte = text[index]
        if byte == b"%" or byte == b"|" or byte == b":":
            memcpy(at, b"%25" if byte == b"%" else b"%7C" if byte == b"|" else b"%3A", 3)
            at += 3
        else:
            at[0] = byte
            at += 1
    buffer.size = at - buffer.data
    return 0


cdef inline bint is_plain(const char* text, Py_ssize_t size) noexcept nogil:
    """Return whether JSON spells these bytes as they are."""
    cdef unsigned char odd = 0, byte
    cdef Py_ssize_t index
    for index in range(size):
        byte = <unsigned char>text[index]
        odd |= (byte < 0x20) | (byte == 0x22) | (byte == 0x5C)
    return not odd


cdef inline bytes taken(Buffer* buffer):
    """Return what is in the buffer, and empty it."""
    cdef bytes data = PyBytes_FromStringAndSize(buffer.data, buffer.size)
    buffer.size = 0
    return data


cdef inline str text_of(const char* data, Py_ssize_t size):
    """Return UTF-8 as a string."""
    return PyUnicode_DecodeUTF8(data, size, NULL)


cdef inline int put_date(Buffer* buffer, int64_t days) except -1:
    """Append the date that lies so many days after 1970-01-01, at least 0, as "2026-11-21"."""
    cdef int64_t since, era, of_era, year_of_era, of_year, month_of_year, day, month, year
    since = days + 719_468
    era = since // 146_097
    of_era = since - era * 146_097
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_of_year = (5 * of_year + 2) // 153
    day = of_year - (153 * month_of_year + 2) // 5 + 1
    month = month_of_year + 3 if month_of_year < 10 else month_of_year - 9
    year = year_of_era + era * 400 + (month <= 2)
    put_number(buffer, year, 4)
    put(buffer, b"-", 1)
    put_number(buffer, month, 2)
    put(buffer, b"-", 1)
    return put_number(buffer, day, 2)


cdef inline int put_instant(Buffer* buffer, int64_t micros) except -1:
    """Append an instant from 1970 on as `streams.values.instant.text` spells it."""
    cdef int64_t seconds = micros // 1_000_000, fraction = micros % 1_000_000
    cdef int64_t of_day = seconds % 86_400
    put_date(buffer, seconds // 86_400)
    put(buffer, b"T", 1)
    put_number(buffer, of_day // 3600, 2)
    put(buffer, b":", 1)
    put_number(buffer, of_day // 60 % 60, 2)
    put(buffer, b":", 1)
    put_number(buffer, of_day % 60, 2)
    if fraction % 1000:
        put(buffer, b".", 1)
        put_number(buffer, fraction, 6)
    elif fraction:
        put(buffer, b".", 1)
        put_number(buffer, fraction // 1000, 3)
    return put(buffer, b"Z", 1)


cdef inline int put_packed_int(Buffer* buffer, int64_t number) except -1:
    """Append an integer in MessagePack, as short as can be."""
    cdef unsigned char* at = <unsigned char*>grown(buffer, 9)
    cdef uint64_t bits = <uint64_t>number
    cdef int size, index
    cdef unsigned char head
    if -32 <= number <= 127:
        at[0] = <unsigned char>number
        buffer.size += 1
        return 0
    if number >= 0:
        size = 1 if bits <= 0xFF else 2 if bits <= 0xFFFF else 4 if bits <= 0xFFFFFFFF else 8
        head = 0xCC
    else:
        size = (
            1 if number >= -0x80 else 2 if number >= -0x8000
            else 4 if number >= -<int64_t>0x80000000 else 8
        )
        head = 0xD0
    at[0] = head + (0 if size == 1 else 1 if size == 2 else 2 if size == 4 else 3)
    for index in range(size):
        at[1 + index] = <unsigned char>(bits >> 8 * (size - 1 - index))
    buffer.size += 1 + size
    return 0


cdef inline int put_packed_text(Buffer* buffer, const char* text, Py_ssize_t size) except -1:
    """Append a string of up to 65,535 bytes in MessagePack."""
    cdef unsigned char* at = <unsigned char*>grown(buffer, 3 + size)
    cdef int head
    if size < 32:
        at[0] = <unsigned char>(0xA0 | size)
        head = 1
    elif size < 256:
        at[0], at[1] = 0xD9, <unsigned char>size
        head = 2
    else:
        at[0], at[1], at[2] = 0xDA, <unsigned char>(size >> 8), <unsigned char>size
        head = 3
    memcpy(at + head, text, size)
    buffer.size += head + size
    return 0


cdef inline int put_packed_head(Buffer* buffer, Py_ssize_t size, int short, int long_) except -1:
    """Append the head of a list or map in MessagePack: `short` has up to 15, `long_` 16 bits."""
    cdef unsigned char head[5]
    if size < 16:
        head[0] = <unsigned char>(short | size)
        return put(buffer, <const char*>head, 1)
    if size < 65_536:
        head[0] = <unsigned char>long_
        head[1], head[2] = <unsigned char>(size >> 8), <unsigned char>size
        return put(buffer, <const char*>head, 3)
    head[0] = <unsigned char>(long_ + 1)
    head[1], head[2] = <unsigned char>(size >> 24), <unsigned char>(size >> 16)
    head[3], head[4] = <unsigned char>(size >> 8), <unsigned char>size
    return put(buffer, <const char*>head, 5)
