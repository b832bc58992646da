from streams.codec cimport scanning

cdef scanning.Events _reader

cdef scanning.Event* event_of(waiting) except NULL
