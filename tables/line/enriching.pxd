cimport cython

from streams.values cimport writer
from tables.known cimport looking
from tables.known.known cimport Known

cdef object _BASE_MAX, _SCALE

cpdef bint adds(Known known) except -1

@cython.locals(center=str)
cpdef put_more(
    writer.Writer to, Known known, str plant, str line, str work_unit, str item, str uom, amount
)

cpdef str cost_center_of(Known known, str plant, str line, str work_unit=*)

cdef _factor(item, str uom)
