cimport cython
from libc.stdint cimport int64_t

from streams.values cimport sums
from streams.values.wide cimport wide
from tables.line.adding cimport row_of
from tables.line.episodes cimport overlaps
from tables.line.lasting cimport Lasting, first_sum
from tables.line.line cimport Line, counted_to, fall_due
from tables.line.rows cimport Row
from tables.line.timeline cimport Block, Timeline, Timelines

cdef int64_t _PER_MICRO, _FOREVER

@cython.locals(
    lasting=Lasting, timelines=Timelines, timeline=Timeline, closed=int64_t, until=int64_t,
    code=int, late=bint,
)
cpdef learn(Line line, str work_unit, int64_t at, str state)

@cython.locals(length=int64_t)
cdef int64_t _carrier(Line line) except? -1

@cython.locals(
    timelines=Timelines, lasting=Lasting, timeline=Timeline, last=Block, length=int64_t,
    limit=int64_t, key=int64_t, start=int64_t, micros=int64_t, code=int,
)
cpdef count(Line line, int64_t opened, int64_t closed)

@cython.locals(row=Row, amount=wide, index=int)
cdef int _add(
    Line line, tuple members, int64_t start, int64_t micros, int64_t carrier
) except -1

@cython.locals(
    furthest=int64_t, opened=int64_t, length=int64_t, closed=int64_t, stops=Py_ssize_t,
)
cpdef Py_ssize_t leaving_at_most(
    Line line, int64_t watermark, Py_ssize_t rows_max
) except -1

@cython.locals(timelines=Timelines, timeline=Timeline, length=int64_t, rows=Py_ssize_t)
cpdef Py_ssize_t rows_at_most(Line line, int64_t opened, int64_t closed) except -1

@cython.locals(timelines=Timelines)
cpdef int64_t settling_due(Line line) except? -1

@cython.locals(timelines=Timelines, closed=int64_t)
cpdef int64_t next_due(Line line) except? -1

@cython.locals(timelines=Timelines)
cpdef int written(Line line) except -1
