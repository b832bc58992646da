cimport cython

from streams.codec cimport scanning
from streams.values cimport spans
from tables.known cimport looking
from tables.known.known cimport Known
from tables.line cimport sending
from tables.line.plans cimport Plan

@cython.locals(refusal=tuple)
cdef tuple lacking(Known known, frozenset require, Plan plan, const scanning.Event* event)

cdef tuple _line(Known known, const scanning.Event* event)

@cython.locals(span=spans.Span, uom=str)
cdef tuple _of_item(Known known, frozenset require, Plan plan, const scanning.Event* event)

@cython.locals(unit=spans.Span)
cdef tuple _work_unit(Known known, Plan plan, const scanning.Event* event)

@cython.locals(reason=spans.Span)
cdef tuple _reason(Known known, Plan plan, const scanning.Event* event)

@cython.locals(span=spans.Span)
cdef tuple _order(Known known, Plan plan, const scanning.Event* event)
