cimport cython
from libc.stdint cimport int64_t

from tables.line.episodes cimport counted_until, last_known
from tables.line.line cimport Line
from tables.line.standstill cimport Standstill

@cython.locals(around=Standstill)
cpdef int place(Line line, str name, episode, int64_t limit) except -1

@cython.locals(limit=int64_t, name=str, unit=str, gone=list)
cpdef bint forget_before(Line line, event, int64_t oldest, rules) except -1

cpdef bint is_remembered(Line line, str name, int64_t oldest) except -1

cdef bint _lasts(episode, int64_t limit) except -1

@cython.locals(around=Standstill)
cdef list _over(Line line, str work_unit, int64_t oldest)

@cython.locals(around=Standstill)
cdef int _forget(Line line, names, int64_t oldest, int64_t limit) except -1
