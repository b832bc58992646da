cimport cython
from libc.stdint cimport int64_t

from streams.values.wide cimport wide
from streams.values cimport cycles, wide as wide_

cdef enum:
    SLOTS_MAX = 4

cdef class Row:
    cdef wide sums[SLOTS_MAX]
    cdef readonly int width
    cdef public int64_t count
    cdef public int64_t page
    cdef public list causes

@cython.locals(row=Row)
cpdef Row empty_row(int width)
