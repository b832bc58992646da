cimport cython
from libc.stdint cimport int64_t

from streams.values cimport sums
from streams.values.wide cimport wide
from tables.line.adding cimport row_of
from tables.line.episodes cimport overlaps
from tables.line.line cimport Line, counted_to, fall_due, sum_of
from tables.line.rows cimport Row
from tables.line.timeline cimport Block, Timeline, Timelines

cdef int64_t _PER_MICRO

@cython.locals(
    timelines=Timelines, timeline=Timeline, limit=int64_t, length=int64_t, closed=int64_t,
    late=bint,
)
cpdef learn(Line line, str work_unit, int64_t at, str state, rules)

@cython.locals(
    timelines=Timelines, timeline=Timeline, length=int64_t, limit=int64_t, start=int64_t,
    micros=int64_t,
)
cpdef count(Line line, int64_t opened, int64_t closed, rules)

@cython.locals(row=Row, amount=wide)
cdef int _add(
    Line line, tuple members, int64_t start, int64_t micros, int64_t carrier, kind
) except -1
