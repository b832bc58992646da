cimport cython
from libc.stdint cimport int64_t

from streams.codec cimport scanning
from streams.values cimport spans, writer
from tables.line.line cimport Line
from tables.line.plans cimport AtOnce, Plan

cdef writer.Writer _to
cdef int _TEXT, _MEASURE
cdef int64_t _DAY
cdef list _today

@cython.locals(to=writer.Writer, index=int, kind=int, number=Py_ssize_t, id=str)
cdef int send_at_once(
    Line line, Plan plan, AtOnce record, const scanning.Event* event, trace, list out
) except -1

@cython.locals(to=writer.Writer)
cdef str _id_of(Line line, AtOnce record, const scanning.Event* event)

@cython.locals(begin=int64_t)
cdef bytes _date_of(int64_t at, zone)
