"""A text as bytes that lie in a record: the functions of `spans.py`, inline."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp

from streams.values cimport buffer as _buffer
from streams.values.buffer cimport PyUnicode_AsUTF8AndSize, is_plain
from streams.values.writer cimport Writer, put_odd_text

cdef struct Span:
    const char* at  # NULL: there is none
    int size


cdef inline Span nothing() noexcept:
    cdef Span span
    span.at, span.size = NULL, 0
    return span


cdef inline bint is_there(Span span) noexcept:
    return span.at != NULL


cdef inline bint is_same(Span span, bytes other) noexcept:
    return (
        PyBytes_GET_SIZE(other) == span.size
        and memcmp(PyBytes_AS_STRING(other), span.at, span.size) == 0
    )


cdef inline bint is_text(Span span, str other) except -1:
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(other, &size)
    return size == span.size and memcmp(data, span.at, size) == 0


cdef inline str text_of(Span span):
    return _buffer.text_of(span.at, span.size)


cdef inline bytes bytes_of(Span span):
    return PyBytes_FromStringAndSize(span.at, span.size)


cdef inline int put_span(Writer to, Span span) except -1:
    return _buffer.put(&to.buffer, span.at, span.size)


cdef inline int put_escaped_span(Writer to, Span span) except -1:
    return _buffer.put_escaped(&to.buffer, span.at, span.size)


cdef inline int put_text_span(Writer to, Span span) except -1:
    if not is_plain(span.at, span.size):
        return put_odd_text(to, text_of(span))
    _buffer.put(&to.buffer, b'"', 1)
    _buffer.put(&to.buffer, span.at, span.size)
    return _buffer.put(&to.buffer, b'"', 1)


cdef inline int pack_span(Writer to, Span span) except -1:
    return _buffer.put_packed_text(&to.buffer, span.at, span.size)
