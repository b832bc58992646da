from libc.stdint cimport int64_t, uint32_t

cdef enum:
    FIELDS_MAX = 10

cdef enum FieldKind:
    TEXT = 0
    MEASURE = 1
    FLAG = 2
    JSON = 3
    OBJECT = 4

cdef struct Span:
    const char* at
    int size

cdef struct Field:
    const char* at  # of a text
    int64_t number  # a text's size, a measure's billionths, a flag's 0 or 1

cdef struct Scanned:
    int kind  # which of `streams.contract.events.TYPES`; below zero: not for the fast way
    uint32_t present  # a bit for each field that is there
    int64_t time
    Span source
    Span id
    Span plant
    Span line
    Span trace  # the attribute `traceparent`, where it's a string
    Field fields[FIELDS_MAX]  # in the order of the struct's members

cdef enum Topics:
    MACHINE = 0
    MES = 1
    ANY = 2

cdef int scan(const char* value, int size, int topics, Scanned* event) noexcept nogil
