cimport cython
from libc.stdint cimport int64_t, uint32_t

from streams.codec cimport scanning
from streams.values cimport hashing, spans, writer
from tables.line.plans cimport Plan

cdef writer.Writer _to
cdef int _TEXT, _MEASURE, _NO_FIELD, _PARKED, _FREED
cdef list _FLAGS

@cython.locals(to=writer.Writer)
cdef bytes identity_of(const scanning.Event* event)

@cython.locals(to=writer.Writer, index=int, kind=int, count=int, usual=bint)
cdef bytes fingerprint_of(Plan plan, const scanning.Event* event)

@cython.locals(to=writer.Writer)
cpdef bytes entry_bytes(int64_t time, bytes fingerprint, int flags=*, int64_t more=*)

cpdef int64_t entry_time(bytes entry) except? -1

cpdef bytes entry_fingerprint(bytes entry)

cpdef int entry_flags(bytes entry) except -1

cpdef int64_t entry_more(bytes entry) except? -1

cpdef bint counts(bytes entry, int64_t oldest) except -1

cdef bint is_of(bytes entry, bytes fingerprint) except -1
