from libc.stdint cimport int64_t, uint32_t

from streams.codec.copy_rules cimport SAID_MAX
from streams.codec.walking cimport Member
from streams.values.spans cimport Span

cdef struct Said:
    const char* at  # of a text; of conversions their object
    int64_t number  # a size, billionths, microseconds, or a flag's 0 or 1

cdef struct Copy:
    int kind  # which of `streams.codec.copy_rules.COPIED_AS_THEY_ARE`
    uint32_t present  # a bit for each member that is there
    int64_t seq  # -1: there is none
    Span plant
    Said said[SAID_MAX]  # in the order of the struct's members

cdef bint is_named_early(const char* value, int size) noexcept nogil
cdef bint scan_copy(const char* value, int size, Copy* copy) noexcept nogil
cdef bint factor_of(const Member* member, int64_t* factor) noexcept nogil
