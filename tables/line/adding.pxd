cimport cython
from libc.stdint cimport int64_t, uint32_t

from streams.codec cimport scanning
from streams.values cimport cycles, lookup, spans, sums, writer
from streams.values.wide cimport wide
from tables.line cimport units, windows
from tables.line.line cimport Line, Unit, fall_due
from tables.line.periods cimport Period
from tables.line.plans cimport Condition, Contribution, Plan
from tables.line.rows cimport Row, empty_row
from tables.line.windows cimport Cadence

cdef Py_ssize_t _PAGE_ROWS, _SHARED_ROWS, _CAUSES_MAX
cdef int _TEXT, _FLAG, _SUMMARIES, _POSTINGS
cdef writer.Writer _to

cdef class Place:
    cdef readonly Contribution contribution
    cdef readonly tuple members
    cdef readonly Unit unit
    cdef readonly Row row
    cdef int64_t start
    cdef int64_t carrier
    cdef int64_t kept_to
    cdef int64_t batch
    cdef bint full

cdef class Cell:
    cdef readonly list places

@cython.locals(carried=dict, rows=dict, row=Row)
cpdef Row row_of(Line line, int index, int64_t carrier, tuple key, int width)

@cython.locals(
    place=Place, part=Contribution, row=Row, cadence=Cadence, start=int64_t, own=int64_t,
    carrier=int64_t, at=int64_t, late=bint, index=Py_ssize_t, amount=wide, slot=int, causes=list,
)
cdef int contribute(
    Line line, Plan plan, Period period, const scanning.Event* event, int sign, cause, int parts,
    int64_t batch,
) except -1

@cython.locals(part=Contribution, unit=Unit, index=Py_ssize_t, amount=wide, where=int)
cdef int park(Line line, Plan plan, const scanning.Event* event, int sign) except -1

@cython.locals(to=writer.Writer, index=int, kind=int, found=Cell)
cdef Cell _cell_of(Line line, Plan plan, const scanning.Event* event, int parts)

@cython.locals(part=Contribution)
cdef Cell _new_cell(Line line, Plan plan, const scanning.Event* event, int parts)

@cython.locals(index=int)
cdef _member_of(Plan plan, const scanning.Event* event, int index)

@cython.locals(condition=Condition)
cdef bint applies(list where, const scanning.Event* event) except -1

@cython.locals(kept=dict, cell=Cell, place=Place, part=Contribution)
cpdef drop_closed(Line line)
