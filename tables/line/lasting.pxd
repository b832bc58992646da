from libc.stdint cimport int64_t

cdef int _MEASURES_MAX

cdef class Lasting:
    cdef readonly int64_t length
    cdef readonly int64_t episode_limit
    cdef readonly int64_t state_limit
    cdef readonly int downtime
    cdef readonly int availability
    cdef readonly int states

cpdef Lasting lasting_of(rules)

cpdef int first_sum(int index) except -1
