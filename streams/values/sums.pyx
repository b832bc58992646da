# cython: language_level=3
"""What `sums.py` is, compiled; `add_to` is inline, in `sums.pxd`, and looks at no bound."""

cimport cython
from libc.stdlib cimport calloc, free

from streams.values.wide cimport number_of, wide, wide_of


@cython.no_gc
cdef class Sums:
    """Sums of billionths by number."""

    def __cinit__(self, Py_ssize_t count):
        self.each = <wide*>calloc(count, sizeof(wide))
        if self.each == NULL:
            raise MemoryError
        self.count = count

    def __dealloc__(self):
        free(self.each)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return number_of(self.each[self._place(index)])

    def __setitem__(self, index, number):
        self.each[self._place(index)] = wide_of(number)

    def __eq__(self, other):
        return list(self) == list(other) if isinstance(other, Sums) else NotImplemented

    def __repr__(self):
        return f"Sums({list(self)})"

    cdef Py_ssize_t _place(self, Py_ssize_t index) except -1:
        if not 0 <= index < self.count:
            raise IndexError(f"sum {index} of {self.count}")
        return index
