cimport cython
from libc.stdint cimport int64_t

from streams.codec cimport scanning
from tables.line cimport adding, kept, sending, singles, windows
from tables.line.line cimport Line
from tables.line.periods cimport Period
from tables.line.plans cimport AtOnce, Plan
from tables.line.windows cimport Cadence

cdef int _LEFT

@cython.locals(cadence=Cadence, start=int64_t, end=int64_t, carrier=int64_t, each=AtOnce)
cdef int wait(
    Line line, Plan plan, Period period, const scanning.Event* event, told
) except -1

@cython.locals(cadence=Cadence, best=Cadence, end=int64_t, last=int64_t)
cdef Cadence _last_of(Period period, int64_t at)

@cython.locals(each=AtOnce)
cdef list _records_of(Plan plan, const scanning.Event* event)

cpdef bint stop_waiting(Line line, list keys) except -1

@cython.locals(event=scanning.EventAt, period=Period, plan=Plan, each=AtOnce, posted=int64_t)
cdef int _send(Line line, str key, waiting, list out) except -1
