cimport cython
from libc.stdint cimport int64_t

from streams.values cimport wide, writer
from tables.line.rows cimport Row

cdef writer.Writer _to

@cython.locals(row=Row, slot=int, members=tuple, start=int64_t, to=writer.Writer)
cpdef bytes rows_bytes(dict rows)

cdef int pack_sum(writer.Writer to, wide.wide number) except -1
