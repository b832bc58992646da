cimport cython
from libc.stdint cimport int64_t

cpdef int64_t horizon(int64_t watermark, int64_t length, int64_t grace) except? -1

@cython.locals(start=int64_t)
cpdef int64_t carrier_of(int64_t at, int64_t watermark, int64_t length, int64_t grace) except? -1

@cython.locals(due=int64_t, boundary=int64_t, length=int64_t, grace=int64_t)
cpdef int64_t next_boundary(int64_t watermark, rules) except? -1
