from libc.stdint cimport int64_t

cdef extern from *:
    """
    typedef __int128 wide;
    """
    ctypedef long long wide  # 128 bits to C

cdef enum:
    SLOTS_MAX = 4

cdef class Row:
    cdef wide sums[SLOTS_MAX]
    cdef int width
    cdef public int64_t count
    cdef public int64_t page
    cdef public list causes

cdef object wide_number(wide number)

cpdef Row row_of(line, int index, int64_t carrier, tuple key, int width)
