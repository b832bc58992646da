# cython: language_level=3
"""What `hashing.py` is, compiled: XXH3 without the objects of the xxhash package."""

import ctypes

import xxhash

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t

from streams.values cimport writer

cdef struct Digest:  # XXH128_hash_t
    uint64_t low
    uint64_t high

ctypedef Digest (*Hash128)(const void*, size_t) noexcept nogil

cdef Hash128 hash_128 = NULL

try:
    _library = ctypes.CDLL(xxhash._xxhash.__file__)
    _found = [
        ctypes.cast(function, ctypes.c_void_p).value
        for function in (_library.XXH3_128bits, _library.XXH3_64bits)
    ]
    hash_128, hash_64 = <Hash128><size_t>_found[0], <Hash64><size_t>_found[1]
except (AttributeError, OSError):  # a package that hides its library: its objects are used
    hash_64 = fnv_1a


cdef uint64_t fnv_1a(const void* data, size_t size) noexcept nogil:
    """Return FNV-1a of some bytes: it tells places in a table apart, and is stored nowhere."""
    cdef const unsigned char* at = <const unsigned char*>data
    cdef uint64_t found = <uint64_t>0xCBF29CE484222325
    cdef size_t index
    for index in range(size):
        found = (found ^ at[index]) * <uint64_t>0x100000001B3
    return found


cdef bytes digest_written(writer.Writer to):
    """Return 16 bytes: the XXH3 of what has been written, which is then gone."""
    cdef Digest digest
    cdef bytes made
    cdef char* at
    cdef int index
    if hash_128 == NULL:
        return xxhash.xxh3_128_digest(writer.taken(to))
    digest = hash_128(to.buffer.data, to.buffer.size)
    made = PyBytes_FromStringAndSize(NULL, 16)
    at = PyBytes_AS_STRING(made)
    to.buffer.size = 0
    for index in range(8):
        at[index] = <char>(digest.high >> 8 * (7 - index))
        at[8 + index] = <char>(digest.low >> 8 * (7 - index))
    return made


_writer = writer.Writer()


def digest_of(bytes data):
    """Return what `xxhash.xxh3_128_digest` does."""
    cdef writer.Writer to = _writer
    writer.put(to, data)
    return digest_written(to)


if digest_of(b"lineside") != xxhash.xxh3_128_digest(b"lineside"):
    hash_128 = NULL  # another library than the one that this core was written for
