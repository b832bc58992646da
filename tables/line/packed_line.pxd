cimport cython
from libc.stdint cimport int64_t

from streams.values cimport sums as sums_, writer
from tables.line cimport packed
from tables.line.line cimport Line, Unit, sum_of

cdef Py_ssize_t _MEMBERS
cdef int _SIDES
cdef int64_t _LONG_AGO
cdef writer.Writer _to

cdef class Spot:
    cdef str name
    cdef int first
    cdef int count
    cdef int in_unit
    cdef int singly

cpdef list spots_of(rules)

@cython.locals(to=writer.Writer, spots=list, freed=bint, uom=str, unit=Unit)
cpdef bytes line_bytes(Line line, int64_t ticks, rules)

cdef bytes _boundaries_bytes(Line line)

@cython.locals(some=Py_ssize_t, spot=Spot)
cdef int _pack_sums(
    writer.Writer to, list spots, sums_.Sums accepted, sums_.Sums emitted
) except -1

@cython.locals(some=Py_ssize_t, spot=Spot, side=int)
cdef int _pack_singles(writer.Writer to, list spots, sums_.Sums singles) except -1

@cython.locals(some=Py_ssize_t, spot=Spot)
cdef int _pack_unit(writer.Writer to, list spots, Unit unit) except -1

@cython.locals(place=int)
cdef bint _is_some(sums_.Sums sums, int begin, int count) noexcept

@cython.locals(place=int)
cdef int _pack_numbers(writer.Writer to, sums_.Sums sums, int begin, int count) except -1
