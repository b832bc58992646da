from streams.codec cimport scanning
from streams.values cimport spans
from tables.known cimport looking
from tables.known.known cimport Known
from tables.line cimport sending
from tables.line.plans cimport Plan

cdef tuple touchable_of(Plan plan, const scanning.Event* event)
cpdef bint is_touched(Known known, str plant, tuple touchable) except -1
cdef bint may_touch(Known known, str plant, Plan plan, const scanning.Event* event) except -1
cdef bint is_backflushed(Known known, Plan plan, const scanning.Event* event) except -1
