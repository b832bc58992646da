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

@cython.locals(to=writer.Writer, fact=Fact)
cdef _data(Known known, str kind, bytes head, Span plant, Span first, Span second)
