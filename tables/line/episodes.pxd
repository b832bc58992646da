cimport cython
from libc.stdint cimport int64_t

cpdef told(before, event)

cpdef conflict(episode, event)

cpdef int64_t last_known(episode, int64_t limit) except? -1

cpdef int64_t counted_until(episode, int64_t limit) except? -1

cpdef tuple row_of(episode)

@cython.locals(window=int64_t, upto=int64_t, found=list)
cpdef list overlaps(int64_t start, int64_t end, int64_t length)

cpdef bint moves(before, after) except -1

cpdef int64_t told_from(before, after, int64_t limit) except? -1

cpdef int64_t differs_from(before, after, int64_t limit) except? -1

@cython.locals(
    gained=dict, anew=bint, since=int64_t, sign=int64_t, row=tuple, first=int64_t,
    window=int64_t, micros=int64_t, seen=tuple,
)
cpdef dict learnt(before, after, int64_t closed, int64_t length, int64_t limit)
