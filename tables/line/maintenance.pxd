cimport cython
from libc.stdint cimport int64_t

from tables.line cimport memory
from tables.line.line cimport Line

cdef int64_t _FOREVER

@cython.locals(name=str, known=bint)
cpdef look(Line line, event, before, list out)

cpdef bint is_unplanned(episode) except -1

@cython.locals(due=int64_t)
cpdef int64_t due_at(Line line, episode) except? -1

@cython.locals(due=int64_t)
cpdef int64_t next_notification(Line line) except? -1

@cython.locals(overdue=list)
cpdef int notify_overdue(Line line, int64_t before, rules, list out) except -1

@cython.locals(due=int64_t)
cdef int _wait(Line line, str name, list out) except -1

cdef bint _was_shorter(Line line, episode) except -1
