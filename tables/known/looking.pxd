cimport cython

from streams.values cimport lookup, spans, writer
from streams.values.spans cimport Span
from tables.known.known cimport Fact, Known

cdef writer.Writer _to

cdef line_of(Known known, Span plant, Span line)
cdef work_unit_of(Known known, Span plant, Span line, Span work_unit)
cdef order_of(Known known, Span plant, Span order)
cdef item_of(Known known, Span plant, Span item)
cdef reason_of(Known known, Span plant, Span reason)
cdef item_named(Known known, str plant, str item)
cdef line_named(Known known, str plant, str line)
cdef work_unit_named(Known known, str plant, str line, str work_unit)

@cython.locals(to=writer.Writer)
cdef _named(Known known, str kind, bytes head, str plant, str first, str second)

@cython.locals(to=writer.Writer)
cdef _data(Known known, str kind, bytes head, Span plant, Span first, Span second)

@cython.locals(fact=Fact)
cdef _written(Known known, str kind, writer.Writer to)
