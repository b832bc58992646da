cimport cython

from streams.codec cimport scanning
from streams.values cimport sums
from tables.line cimport adding
from tables.line.line cimport Line
from tables.line.plans cimport AtOnce, Plan

cdef int _SIDES

@cython.locals(record=AtOnce)
cdef int count_event(
    Line line, Plan plan, const scanning.Event* event, bint whole, int side, int amount
) except -1

cdef int count(Line line, AtOnce record, int side, int amount) except -1
