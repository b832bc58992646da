"""`Sums`, compiled: 128 bits each."""

from streams.values.wide cimport wide

cdef class Sums:
    cdef wide* each
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t _place(self, Py_ssize_t index) except -1


cdef inline int add_to(Sums sums, Py_ssize_t index, wide amount) except -1:
    sums.each[index] += amount
    return 0


cdef inline wide at(Sums sums, Py_ssize_t index) noexcept:
    return sums.each[index]
