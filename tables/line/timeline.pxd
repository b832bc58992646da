cimport cython
from libc.stdint cimport int64_t

cdef class Block:
    cdef public int64_t base
    cdef public object times
    cdef public bytearray codes
    cdef public bytearray told

cdef class Timeline:
    cdef public list blocks

    @cython.locals(block=Block, later=Block, which=Py_ssize_t, place=Py_ssize_t)
    cpdef set put(self, int64_t at, int code, bint late=*)

    @cython.locals(block=Block)
    cdef bint _follow(self, int64_t at, int code) except -1

    @cython.locals(which=Py_ssize_t)
    cpdef tuple _place(self, int64_t at)

    @cython.locals(last=Block)
    cpdef Py_ssize_t _block_for(self, int64_t at) except -1

cdef class Timelines:
    cdef public dict units
    cdef public int64_t until
    cdef public set changed
    cdef public dict late
