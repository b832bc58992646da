cimport cython
from libc.stdint cimport int64_t

from tables.line.episodes cimport overlaps

cdef int64_t _LONG_AGO

cdef class Standstill:
    cdef public list names
    cdef public list untils
    cdef public list reaches

    @cython.locals(key=tuple, place=Py_ssize_t)
    cpdef int put(self, str name, int64_t start, int64_t until) except -1

    @cython.locals(key=tuple, place=Py_ssize_t)
    cpdef int drop(self, str name, int64_t start) except -1

    @cython.locals(first=Py_ssize_t, last=Py_ssize_t, place=Py_ssize_t)
    cpdef list between(self, int64_t start, int64_t end)

    cpdef list over(self, int64_t oldest)

    @cython.locals(count=Py_ssize_t)
    cpdef int forget(self, int64_t oldest) except -1

    @cython.locals(place=Py_ssize_t)
    cpdef int64_t first_reach(self) except? -1

    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t _count_over(self, int64_t oldest) except -1

    cdef bint _begins_group(self, Py_ssize_t place) except -1

    @cython.locals(reach=int64_t, each=Py_ssize_t)
    cdef _reach_from(self, Py_ssize_t place)

@cython.locals(
    ordered=list, lasted=dict, start=int64_t, end=int64_t, window=int64_t, micros=int64_t,
    down=int64_t, planned=int64_t,
)
cpdef dict standing(spans, int64_t length)

@cython.locals(parts=list, begin=int64_t, end=int64_t, start=int64_t, until=int64_t)
cdef list _union(list ordered)
