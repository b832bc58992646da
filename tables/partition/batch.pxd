cimport cython
from libc.stdint cimport int64_t

from streams.codec cimport scanning
from streams.values cimport lookup, spans
from tables.known.copied cimport Copied
from tables.known.known cimport Known
from tables.line cimport adding, closing, finals, ledger, sending, singles, states
from tables.line cimport kept as kept_
from tables.line.downtime cimport learn
from tables.line.line cimport Line
from tables.line.periods cimport Period, period_at
from tables.line.plans cimport AtOnce, Plan
from tables.partition cimport holds, refusing, required

cdef int64_t NO_TIMESTAMP, _NEVER
cdef int _NO_FIELD, _SUMMARIES, _POSTINGS, _ACCEPTED, _LEFT, _PARKED, _TAKEN_OUT
cdef Py_ssize_t _WAITED

cdef class Batch:
    cdef readonly object partition
    cdef readonly object rules
    cdef readonly dict lines
    cdef readonly object counts
    cdef readonly scanning.Events events
    cdef readonly dict fresh
    cdef readonly dict touched
    cdef readonly list out
    cdef list plans
    cdef readonly Known known
    cdef Copied copied
    cdef readonly object parking
    cdef list freeing
    cdef object waiting
    cdef lookup.Lookup seen
    cdef list keys
    cdef public dict of_reversed
    cdef int64_t number
    cdef int64_t retention
    cdef int64_t bucket
    cdef readonly bint bounded
    cdef readonly Py_ssize_t rows_max
    cdef readonly Py_ssize_t lines_max
    cdef Py_ssize_t bytes_max
    cdef Py_ssize_t room
    cdef Py_ssize_t counted
    cdef Py_ssize_t changed
    cdef int64_t accepted
    cdef int64_t duplicates

    @cython.locals(event=scanning.EventAt, plan=Plan, number=Py_ssize_t)
    cdef list _keys_of(self)

    @cython.locals(number=Py_ssize_t, taken=Py_ssize_t, asked=Py_ssize_t)
    cpdef Py_ssize_t take(self, list found) except -1

    @cython.locals(record=object)
    cpdef bint is_full(self) except -1

    @cython.locals(
        event=scanning.EventAt, plan=Plan, line=Line, at=int64_t, oldest=int64_t,
        timestamp=int64_t, future_max=int64_t, flags=int, entry=bytes, known=bytes,
        fingerprint=bytes,
    )
    cdef bint _take(self, Py_ssize_t number, bytes key, bytes stored) except -1

    @cython.locals(key=spans.Span, line=Line)
    cdef Line _line_of(self, Py_ssize_t number, const scanning.Event* event)

    cpdef int touch(self, Line line) except -1

    @cython.locals(number=int64_t)
    cdef int _enter(self, Line line, bytes key, int64_t at, bytes entry) except -1

    @cython.locals(plant=str, refusal=tuple)
    cdef bint _known_passes(
        self, Plan plan, const scanning.Event* event, Line line, Py_ssize_t number
    ) except -1

    cdef bint _learn(self, Py_ssize_t number) except -1

    @cython.locals(period=Period, plan=Plan, state=spans.Span, begin=Py_ssize_t)
    cdef int _fold(self, Line line, const scanning.Event* event, Py_ssize_t number) except -1

    @cython.locals(record=AtOnce, sends=bint)
    cdef bint _sends(self, Plan plan, const scanning.Event* event) except -1

    @cython.locals(
        plan=Plan, key=bytes, entry=bytes, flags=int, more=int64_t, touchable=tuple, single=bint,
    )
    cdef bint _is_held_back(
        self, Line line, Period period, const scanning.Event* event, Py_ssize_t number
    ) except -1

    @cython.locals(known=Known)
    cdef bint _may_hold_back(self, Line line) except -1

    cdef bint _is_single(self, Plan plan, const scanning.Event* event) except -1

    cdef int _count_parked(
        self, Line line, Plan plan, const scanning.Event* event, bint single, int amount
    ) except -1

    @cython.locals(event=scanning.EventAt, period=Period, plan=Plan, key=bytes, at=int64_t)
    cpdef int go_on(self, Line line, waiting) except -1

    cdef int _post(
        self, Line line, Plan plan, Period period, const scanning.Event* event,
        Py_ssize_t number, int parts,
    ) except -1

    cdef _kept(self, Py_ssize_t number)

    cdef _trace_of(self, Py_ssize_t number)

    cdef int _contribute(
        self, Line line, Plan plan, Period period, const scanning.Event* event, int parts
    ) except -1

    @cython.locals(record=AtOnce)
    cdef int _send(
        self, Line line, Plan plan, list records, const scanning.Event* event, Period period,
        Py_ssize_t number,
    ) except -1

    @cython.locals(period=Period)
    cdef Period _period_of(self, Line line, int64_t at)

    @cython.locals(
        plan=Plan, period=Period, original=scanning.EventAt, entry=bytes, flags=int,
        more=int64_t, at=int64_t, single=bint, touchable=tuple,
    )
    cdef int _take_back(self, Line line, Py_ssize_t number) except -1

    @cython.locals(record=AtOnce, each=AtOnce)
    cdef int _take_back_posted(
        self, Line line, Plan plan, Period period, const scanning.Event* original,
        Py_ssize_t number,
    ) except -1

    cdef int _add_back(
        self, Line line, Plan plan, Period period, const scanning.Event* original, str cause,
        int parts,
    ) except -1

    cpdef bytes known_entry(self, bytes key)

    cdef int64_t _future_max(self, Py_ssize_t number) except? -1

    cdef bytes _fingerprint_of(
        self, Plan plan, const scanning.Event* event, Py_ssize_t number
    )

    @cython.locals(rows=Py_ssize_t, carried=dict, each=dict, waiting=dict)
    cdef bint _is_crowded(self, Line line, int64_t watermark) except -1

@cython.locals(number=Py_ssize_t)
cpdef count_types(counts, list records)
