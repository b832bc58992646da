cimport cython
from libc.stdint cimport int64_t

cdef int64_t _FOREVER
cdef Py_ssize_t _BLOCK_POINTS

cdef class Block:
    cdef public int64_t base
    cdef public object times
    cdef public bytearray codes
    cdef public bytearray told
    cdef public int64_t latest
    cdef public int64_t noted

    @cython.locals(place=Py_ssize_t)
    cpdef Py_ssize_t first_since(self, int64_t at) except -1

cdef class Timeline:
    cdef public list blocks

    @cython.locals(block=Block, later=Block, which=Py_ssize_t, place=Py_ssize_t)
    cpdef set put(self, int64_t at, int code, bint late=*)

    @cython.locals(
        found=dict, which=Py_ssize_t, place=Py_ssize_t, block=Block, codes=bytearray,
        following=Block, times=object,
        start=int64_t, until=int64_t, since=int64_t, upto=int64_t, window=int64_t, stop=int64_t,
        index=Py_ssize_t, key=object, known=object, micros=int64_t,
    )
    cpdef dict lasted(self, int64_t begin, int64_t end, int64_t limit, int64_t length)

    @cython.locals(block=Block)
    cpdef bint follow(self, int64_t at, int code) except -1

    @cython.locals(which=Py_ssize_t)
    cpdef tuple _place(self, int64_t at)

    @cython.locals(last=Block)
    cpdef Py_ssize_t _block_for(self, int64_t at) except -1

    @cython.locals(count=Py_ssize_t, which=Py_ssize_t, place=Py_ssize_t, block=Block)
    cpdef Py_ssize_t count_since(self, int64_t at) except -1

cdef class Timelines:
    cdef public dict units
    cdef public int64_t until
    cdef public set changed
    cdef public dict late
    cdef public int64_t writes

    cpdef int note(self, str unit, Block block) except -1
    cpdef int written(self) except -1
