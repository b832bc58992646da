cimport cython
from libc.stdint cimport int64_t

from streams.values cimport sums
from streams.values.wide cimport wide
from tables.line cimport episodes, maintenance, memory, standstill
from tables.line.adding cimport row_of
from tables.line.lasting cimport Lasting, first_sum
from tables.line.line cimport Line, counted_to, fall_due, sum_of
from tables.line.rows cimport Row
from tables.line.standstill cimport Standstill

cdef int64_t _PER_MICRO, _SCALE

@cython.locals(
    lasting=Lasting, name=str, limit=int64_t, closed=int64_t, stops=dict, stood=dict,
)
cpdef learn(Line line, event, rules, list out)

@cython.locals(
    limit=int64_t, since=int64_t, was=tuple, now=tuple, upto=int64_t, around=Standstill,
    others=list, length=int64_t, old=dict, new=dict, gained=dict,
)
cdef dict _stood_learnt(Line line, str name, before, after, int64_t closed, rules)

@cython.locals(begin=int64_t, until=int64_t)
cdef tuple _clipped(episode, int64_t start, int64_t end, int64_t limit)

@cython.locals(
    limit=int64_t, length=int64_t, stood=dict, start=int64_t, until=int64_t, members=tuple,
    window=int64_t, micros=int64_t, span=tuple, lasting=Lasting, kind=int,
)
cpdef count_live_episodes(Line line, int64_t opened, int64_t closed)

@cython.locals(window=int64_t, down=int64_t, planned=int64_t, key=tuple)
cdef int _count_standing(Line line, dict stood, int kind, int64_t length) except -1

@cython.locals(carrier=int64_t, carried=dict, rows=dict, row=Row, micros=int64_t, other=int64_t)
cdef int _carry(Line line, kind, dict gained, int64_t scale) except -1

@cython.locals(row=Row, where=int)
cdef Row _add(Line line, int kind, int64_t carrier, tuple key, wide first, wide second)
