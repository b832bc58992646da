cimport cython
from libc.stdint cimport int64_t

from streams.values cimport sums as sums_, wide, writer
from tables.line.line cimport Unit
from tables.line.rows cimport Row

cdef writer.Writer _to

@cython.locals(row=Row, slot=int, members=tuple, start=int64_t)
cpdef bytes rows_bytes(dict rows)

@cython.locals(begin=int, place=int, some=list)
cpdef bytes sums_bytes(tuple kinds, sums_.Sums accepted, sums_.Sums emitted)

cpdef bytes numbers_bytes(tuple kinds, sums_.Sums sums)

@cython.locals(some=list, sums=sums_.Sums)
cpdef bytes unit_bytes(tuple kinds, Unit unit)

cdef int _pack_sums(kind, sums_.Sums sums) except -1

@cython.locals(place=int, number=wide.wide)
cdef int _pack_numbers(sums_.Sums sums, int begin, int count) except -1
