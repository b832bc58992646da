# cython: language_level=3, boundscheck=False, wraparound=False
"""What `lookup.py` is, compiled: what was found last isn't looked up, nor are its bytes copied."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from streams.values.hashing cimport hash_64

cdef Py_ssize_t SLOTS_MIN = 16


cdef class Lookup:
    """Objects by bytes."""

    def __init__(self):
        self.items = {}
        _spread(self, SLOTS_MIN)

    def __len__(self):
        return len(self.items)


cdef int _spread(Lookup lookup, Py_ssize_t slots) except -1:
    lookup.mask = slots - 1
    lookup.keys, lookup.values = [None] * slots, [None] * slots
    return 0


cdef object search(Lookup lookup, const char* key, Py_ssize_t size, Py_ssize_t slot):
    """Return what `found` does, for what isn't in its slot."""
    cdef bytes name = PyBytes_FromStringAndSize(key, size)
    value = lookup.items.get(name)
    if value is not None:
        lookup.keys[slot], lookup.values[slot] = name, value
    return value


cdef int keep(Lookup lookup, bytes key, value) except -1:
    """Put an object in."""
    cdef Py_ssize_t slot
    lookup.items[key] = value
    if 2 * len(lookup.items) > lookup.mask:
        _spread(lookup, 4 * (lookup.mask + 1))
    slot = hash_64(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) & lookup.mask
    lookup.keys[slot], lookup.values[slot] = key, value
    return 0


cdef int drop(Lookup lookup, bytes key) except -1:
    """Let go of an object, if it's there."""
    cdef Py_ssize_t slot = hash_64(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) & lookup.mask
    lookup.items.pop(key, None)
    lookup.keys[slot] = lookup.values[slot] = None
    return 0
