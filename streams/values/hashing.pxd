"""The functions of `hashing.py`, compiled: those of the library in the xxhash package."""

from libc.stdint cimport uint64_t

from streams.values.writer cimport Writer

ctypedef uint64_t (*Hash64)(const void*, size_t) noexcept nogil

cdef Hash64 hash_64

cdef bytes digest_written(Writer to)
