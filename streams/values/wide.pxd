"""Sums of 128 bits: what the integers of `wide.py` are in compiled code.

A measure is less than 10^24 billionths, so 10^13 of them fit.
"""

from libc.stdint cimport int64_t

cdef extern from *:
    """
    typedef __int128 wide;
    """
    ctypedef long long wide  # 128 bits to C


cdef inline bint is_small(wide number) noexcept:
    return <wide><int64_t>number == number


cdef inline object number_of(wide number):
    cdef int64_t small = <int64_t>number
    if <wide>small == number:
        return small
    cdef object high = <int64_t>(number >> 63), low = <int64_t>(number & <wide>0x7FFFFFFFFFFFFFFF)
    return (high << 63) + low  # of Python's integers: 64 bits are too few


cdef inline wide wide_of(number) except? -1:
    cdef wide high
    if -0x8000000000000000 <= number <= 0x7FFFFFFFFFFFFFFF:
        return <int64_t>number
    high = <int64_t>(number >> 63)
    return (high << 63) + <int64_t>(number & 0x7FFFFFFFFFFFFFFF)
