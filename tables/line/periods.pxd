cimport cython
from libc.stdint cimport int64_t

from tables.line.windows cimport Cadence

cdef class Timings:
    cdef readonly int64_t grace
    cdef readonly int64_t idle_grace
    cdef readonly int64_t breakdown
    cdef readonly int64_t future_max

cdef class Period:
    cdef readonly int64_t begin
    cdef public int64_t end
    cdef readonly object zone
    cdef readonly list plans
    cdef readonly list cadences
    cdef readonly list waits

cdef class Boundary:
    cdef readonly int64_t begin
    cdef readonly int64_t valid_from
    cdef readonly object zone
    cdef readonly dict cadences

cpdef Period period_at(list periods, Period last, int64_t at)
