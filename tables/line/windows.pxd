cimport cython
from libc.stdint cimport int64_t

cdef int64_t _FOREVER, _LONG_AGO

cdef class Cadence:
    cdef readonly int64_t length
    cdef readonly int64_t begin
    cdef readonly object zone
    cdef readonly bint daily
    cdef readonly int64_t unit
    cdef readonly int64_t rank
    cdef public tuple last

@cython.locals(start=int64_t)
cpdef int64_t start_of(Cadence cadence, int64_t at) except? -1

cpdef int64_t end_of(Cadence cadence, int64_t start) except? -1

@cython.locals(last=tuple)
cdef tuple _local(Cadence cadence, int64_t at)

cpdef int64_t carrier_of(
    Cadence cadence, int64_t end, int64_t watermark, int64_t furthest
) except? -1

cpdef int64_t revision_of(Cadence cadence, int64_t start, int64_t carrier) except? -1
