cimport cython

from tables.line.line cimport Line, Unit

cdef Py_ssize_t _UNITS_MAX

@cython.locals(unit=Unit)
cpdef Unit unit_of(Line line, str uom)
