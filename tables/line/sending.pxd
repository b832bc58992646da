cimport cython
from libc.stdint cimport int64_t

from streams.codec cimport scanning
from streams.values cimport spans, writer
from tables.known.known cimport Known
from tables.line.enriching cimport adds, cost_center_of, put_more
from tables.line.line cimport Line
from tables.line.periods cimport period_at
from tables.line.plans cimport AtOnce, Plan

cdef writer.Writer _to
cdef int _TEXT, _MEASURE, _NO_FIELD
cdef int64_t _DAY
cdef list _today
cdef bytes _REVERSAL_HEAD

@cython.locals(posted=int64_t)
cdef int send_at_once(
    Line line, Plan plan, AtOnce record, const scanning.Event* event, zone, trace, list out
) except -1

@cython.locals(to=writer.Writer, id=str)
cdef int send_singly(
    Line line, Plan plan, AtOnce record, const scanning.Event* event, zone, int64_t posted,
    trace, list out,
) except -1

@cython.locals(to=writer.Writer, id=str, reversed=str, posted=int64_t)
cdef int send_reversal(
    Line line, Plan plan, AtOnce record, const scanning.Event* original, reversal, zone, trace,
    list out,
) except -1

@cython.locals(known=Known, unit=str, item=str, uom=str, amount=object)
cdef int _put_more(writer.Writer to, Plan plan, Line line, const scanning.Event* event) except -1

cdef bint has(const scanning.Event* event, int field) noexcept

cdef str text_at(const scanning.Event* event, int field)

cdef int _begin(writer.Writer to, bytes head, str id, int64_t time, Line line) except -1

@cython.locals(index=int, kind=int, number=Py_ssize_t)
cdef int _put_members(
    writer.Writer to, Plan plan, AtOnce record, const scanning.Event* event
) except -1

cdef int _end(writer.Writer to, int64_t time, int64_t posted, zone) except -1

@cython.locals(to=writer.Writer)
cdef str id_of(Line line, AtOnce record, const scanning.Event* event)

@cython.locals(begin=int64_t)
cdef bytes _date_of(int64_t at, zone)
