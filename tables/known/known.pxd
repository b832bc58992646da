from streams.values cimport lookup

cdef class Fact:
    cdef readonly object seq
    cdef readonly object data
    cdef public bint touched

cdef class Known:
    cdef object get_stored
    cdef public dict changed
    cdef public lookup.Lookup cached
    cdef public dict plants
    cdef public bint orders
    cdef public bint items
    cdef public bint places
    cdef public bint requires
    cdef public bint holds

    cpdef Fact found(self, str kind, bytes key)
