from libc.stdint cimport int64_t, uint32_t, uint64_t

from streams.codec.copies cimport Copy
from streams.log.blocks cimport NO_TIMESTAMP, Block
from streams.values.spans cimport Span, text_of
from streams.values.wide cimport wide

cdef enum:
    FIELDS_MAX = 10

cdef enum FieldKind:
    TEXT = 0
    MEASURE = 1
    FLAG = 2
    JSON = 3
    OBJECT = 4

cdef struct Field:
    const char* at  # of a text; of a measure the upper 64 bits
    int64_t number  # a text's size, a measure's lower 64 bits, a flag's 0 or 1

cdef struct Event:
    int kind  # which of `streams.contract.events.TYPES`, or one of `Kinds`
    uint32_t present  # a bit for each field that is there
    int copy  # of a reference record: which of the batch's copies it is, -1: the full codec read it
    int64_t time
    Span source
    Span id
    Span plant
    Span line
    Span trace  # the attribute `traceparent`, where it's a string
    Field fields[FIELDS_MAX]  # in the order of the struct's members

ctypedef Event* EventAt

cdef enum Topics:
    MACHINE = 0
    MES = 1
    ANY = 2

cdef enum Kinds:
    REFUSED = -1
    TICK = -2
    REFERENCE = -3

cdef int scan(const char* value, int size, int topics, Event* event) noexcept nogil


cdef class Events:
    cdef readonly Py_ssize_t count
    cdef readonly dict decoded
    cdef Event* each
    cdef Py_ssize_t room
    cdef Event original
    cdef Copy* copies
    cdef readonly Py_ssize_t copy_count
    cdef Py_ssize_t copies_room
    cdef Block block
    cdef list kept
    cpdef trace_at(self, Py_ssize_t number)
    cpdef decoded_at(self, Py_ssize_t number)

cdef Event* event_of_original(Events events, original) except NULL
cdef Event* event_of_decoded(Events events, decoded) except NULL


cdef inline Event* event_at(Events events, Py_ssize_t number) noexcept:
    return &events.each[number]


cdef inline Span key_at(Events events, Py_ssize_t number) noexcept:
    cdef Span key
    key.at, key.size = events.block.raw[number].key, events.block.raw[number].key_size
    return key


cdef inline int64_t timestamp_at(Events events, Py_ssize_t number) noexcept:
    return events.block.raw[number].timestamp


cdef inline bint has(const Event* event, int index) noexcept:
    return event.present >> index & 1


cdef inline Span span_at(const Event* event, int index) noexcept:
    cdef Span span
    span.at, span.size = event.fields[index].at, <int>event.fields[index].number
    return span


cdef inline wide number_at(const Event* event, int index) noexcept:
    return <wide><int64_t>event.fields[index].at << 64 | <uint64_t>event.fields[index].number


cdef inline bint flag_at(const Event* event, int index) noexcept:
    return event.fields[index].number
