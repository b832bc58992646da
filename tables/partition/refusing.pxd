from libc.stdint cimport int64_t

from tables.line cimport episodes, ledger
from tables.line.line cimport Line
from tables.line.memory cimport forget_before

cpdef bint stop_passes(batch, Py_ssize_t number, Line line, int64_t oldest) except -1

cpdef bint reversal_passes(batch, Py_ssize_t number, Line line, int64_t oldest) except -1
