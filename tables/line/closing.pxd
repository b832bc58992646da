cimport cython
from libc.stdint cimport int64_t

from streams.values cimport sums, wide, writer
from tables.known.known cimport Known
from tables.line cimport states, windows
from tables.line.downtime cimport count_live_episodes
from tables.line.enriching cimport adds, put_more
from tables.line.line cimport Line, Unit
from tables.line.maintenance cimport next_notification, notify_overdue
from tables.line.periods cimport Period, period_at
from tables.line.rows cimport Row
from tables.line.windows cimport Cadence

cdef int64_t _SECOND, _FOREVER, _LONG_AGO
cdef writer.Writer _to
cdef dict _forms, _places

cdef class _Form:
    cdef object kind
    cdef str topic
    cdef str record
    cdef bytes head
    cdef bytes short
    cdef bint erp
    cdef bint counted
    cdef int quantity
    cdef int uom
    cdef int work_unit
    cdef int item
    cdef int first_unit_sum
    cdef list members
    cdef list measures

@cython.locals(
    form=_Form, index=int, emitted=sums.Sums, first_sum=int, changed_pages=dict, place=bytes,
    where=bytes, records=list, row_key=tuple, rows=dict, row=Row, members=tuple, period=Period,
    cadence=Cadence, start=int64_t, before=int64_t, page=int64_t, revision=int64_t,
    corrections=int64_t, time=bytes, window=bytes, dates=bytes, id=str, to=writer.Writer,
    uom=object, unit=Unit,
)
cpdef close(Line line, kind, int64_t carrier, list out)

@cython.locals(
    before=int64_t, furthest=int64_t, length=int64_t, end=int64_t, index=int, closing=list,
    carried=dict, every=tuple, kinds=tuple,
)
cpdef advance(Line line, int64_t watermark, rules, list out)

@cython.locals(furthest=int64_t)
cpdef int raise_to(Line line, int64_t watermark) except -1

@cython.locals(due=int64_t, end=int64_t, carried=dict)
cpdef int64_t next_due(Line line) except? -1

@cython.locals(due=int64_t)
cpdef int64_t due_of(Line line) except? -1

@cython.locals(known=Known, unit=str, item=str, uom=str, amount=object)
cdef int _put_more(writer.Writer to, _Form form, Line line, tuple members, Row row) except -1

@cython.locals(form=_Form)
cdef _Form _form_of(kind)

cdef tuple _place_of(Line line)

@cython.locals(slot=int, some=bint)
cdef bint _emit(
    sums.Sums emitted, int first, Row row, Unit unit, int first_of_unit
) except -1

@cython.locals(index=Py_ssize_t)
cdef str _id_of(
    writer.Writer to, _Form form, bytes place, int64_t start, tuple members, int64_t revision
)

@cython.locals(index=Py_ssize_t)
cdef int _put_row(writer.Writer to, _Form form, tuple members, Row row) except -1

@cython.locals(index=Py_ssize_t)
cdef int _put_causes(writer.Writer to, list causes) except -1
