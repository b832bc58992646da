cimport cython

from streams.codec cimport scanning
from streams.values cimport spans
from tables.known cimport looking
from tables.known.known cimport Known
from tables.line cimport sending
from tables.line.plans cimport Plan

cdef tuple lacking(Known known, require, Plan plan, const scanning.Event* event)
cdef tuple _lacks(str name, Known known, Plan plan, const scanning.Event* event)
cdef tuple _line(Known known, const scanning.Event* event)
cdef tuple _item(Known known, Plan plan, const scanning.Event* event)
cdef tuple _uom(Known known, Plan plan, const scanning.Event* event)
cdef tuple _lot(Known known, Plan plan, const scanning.Event* event)
cdef tuple _work_unit(Known known, Plan plan, const scanning.Event* event)
cdef tuple _reason(Known known, Plan plan, const scanning.Event* event)
cdef tuple _order(Known known, Plan plan, const scanning.Event* event)
cdef tuple _closed(Known known, Plan plan, const scanning.Event* event)
