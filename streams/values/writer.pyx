# cython: language_level=3
"""What `writer.py` is, compiled; its functions are inline, in `writer.pxd`."""

cimport cython
from libc.stdint cimport int64_t
from libc.stdlib cimport free

from streams.values cimport buffer as _buffer

import msgspec

from streams.values import instant

_json = msgspec.json.Encoder().encode


@cython.no_gc  # nothing in it leads back to it
cdef class Writer:
    """Bytes that grow, and are taken as a whole."""

    def __cinit__(self):
        self.buffer.data = NULL
        self.buffer.size = self.buffer.room = 0

    def __dealloc__(self):
        free(self.buffer.data)


cdef int put_odd_text(Writer to, str text) except -1:
    """Append a string that JSON doesn't spell as it is."""
    return _buffer.put_bytes(&to.buffer, <bytes>_json(text))


cdef int put_odd_instant(Writer to, int64_t micros) except -1:
    """Append an instant from before 1970."""
    return _buffer.put_bytes(&to.buffer, (<str>instant.text(micros)).encode())
