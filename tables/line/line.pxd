cimport cython
from libc.stdint cimport int64_t

from streams.values cimport cycles, lookup, sums
from tables.known.known cimport Known
from tables.line.lasting cimport Lasting
from tables.line.timeline cimport Timelines
from tables.line.periods cimport Period, Timings

cdef class Unit:
    cdef public sums.Sums accepted
    cdef public sums.Sums emitted
    cdef public sums.Sums parked

cdef class Line:
    cdef public str plant
    cdef public str line
    cdef public bytes key
    cdef public str place
    cdef public Timings timings
    cdef public Known known
    cdef public int64_t watermark
    cdef public int64_t furthest
    cdef public int64_t reach
    cdef public int64_t freed_from
    cdef public int64_t freed_at
    cdef public int64_t due
    cdef public tuple windows
    cdef public sums.Sums accepted
    cdef public sums.Sums emitted
    cdef public sums.Sums singles
    cdef public dict finals
    cdef public dict parked
    cdef public dict units
    cdef public list boundaries
    cdef public dict episodes
    cdef public object forgotten_open
    cdef public int64_t closed_to
    cdef public int64_t sweep_due
    cdef public int64_t oldest_bucket
    cdef public set live
    cdef public set pending
    cdef public int64_t accepted_events
    cdef public int64_t late_events
    cdef public int64_t duplicate_events
    cdef public int64_t refused_events
    cdef public int64_t corrections
    cdef public str state
    cdef public Timelines timelines
    cdef public int64_t next_page
    cdef public tuple leaving
    cdef public dict changed_pages
    cdef public set changed_episodes
    cdef public set changed_finals
    cdef public dict expiring
    cdef public bytes plant_bytes
    cdef public bytes line_bytes
    cdef public bytes place_bytes
    cdef public object rules
    cdef public Lasting lasting
    cdef public list periods
    cdef public Period period
    cdef public bint old_layout
    cdef public dict standstills
    cdef public lookup.Lookup cells
    cdef public int64_t batch
    cdef public int64_t bucket
    cdef public list bucket_keys

cpdef int fall_due(Line line, int64_t at) except -1

@cython.locals(closed=int64_t)
cpdef int64_t counted_to(Line line) except? -1

cpdef int sum_of(kind, int slot) except -1

