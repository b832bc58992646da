from streams.codec.scanning cimport Events
from tables.known.known cimport Known

cdef class Copied:
    cdef list keys
    cdef list stored
    cdef bytes plant

    cpdef look_up(self, Events events, get_many)
    cpdef bint learn(self, Known known, Events events, Py_ssize_t number, bint parked) except -1
