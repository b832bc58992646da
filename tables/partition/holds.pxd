from libc.stdint cimport int64_t

from streams.codec cimport scanning
from streams.values cimport spans
from tables.known.known cimport Known
from tables.line cimport sending
from tables.line.plans cimport Plan

cdef tuple touchable_of(Plan plan, const scanning.Event* event)
cpdef bint is_touched(Known known, str plant, tuple touchable) except -1
cpdef bint is_backflushed(Known known, str plant, str item, int64_t at) except -1
