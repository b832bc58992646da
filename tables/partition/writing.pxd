cimport cython
from libc.stdint cimport int64_t

from streams.values cimport writer
from tables.line cimport states
from tables.line.line cimport Line
from tables.line.packed cimport rows_bytes
from tables.line.packed_line cimport line_bytes
from tables.line.rows cimport Row
from tables.line.timeline cimport Block, Timeline, Timelines

cdef Py_ssize_t _PAGE_ROWS, _SHARED_PAGES, _EXPIRING_BYTES
cdef bytes _LINE, _WINDOW, _EXPIRY, _POINTS
cdef writer.Writer _to

cdef class Places:
    cdef tuple kinds
    cdef bytes offset
    cdef dict pages
    cdef dict buckets

@cython.locals(
    places=Places, bucket=int64_t, line=Line, number=int64_t, keys=list, begin=int64_t,
)
cpdef int put_lines(
    dict made, lines, int64_t offset, int64_t ticks, rules, bint lasting
) except -1

@cython.locals(
    prefix=bytes, windows=tuple, kinds=tuple, page=tuple, key=tuple, number=int64_t,
    rows=dict, found=dict, index=Py_ssize_t, each=dict,
)
cdef int _put_pages(dict made, Line line, Places places) except -1

@cython.locals(place=bytes)
cdef bytes _page_place(Places places, tuple page)

@cython.locals(row=Row, found=dict)
cdef dict _on_page(dict rows, int64_t page, tuple key, kind)

@cython.locals(row=Row)
cdef bint _has_only(dict rows, int64_t page) except -1

@cython.locals(
    timelines=Timelines, timeline=Timeline, prefix=bytes, unit=str, block=Block, key=bytes,
)
cdef int _put_points(dict made, Line line) except -1

@cython.locals(to=writer.Writer, before=int64_t, at=int64_t)
cdef bytes _block_bytes(Block block)

@cython.locals(bucket=bytes, where=bytes, part=list, size=Py_ssize_t, key=bytes, number=object)
cdef _put_expiring(dict made, Line line, int64_t begin, Places places, list keys)
