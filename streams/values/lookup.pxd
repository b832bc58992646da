"""A `Lookup`, compiled: the functions of `lookup.py`, inline."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from libc.string cimport memcmp

from streams.values.hashing cimport hash_64
from streams.values.spans cimport Span
from streams.values.writer cimport Writer

cdef extern from "Python.h":
    dict _PyDict_NewPresized(Py_ssize_t entries)

cdef class Lookup:
    cdef readonly dict items
    cdef list keys  # by a hash: the one seen last
    cdef list values
    cdef Py_ssize_t mask

cdef object search(Lookup lookup, const char* key, Py_ssize_t size, Py_ssize_t slot)
cdef int keep(Lookup lookup, bytes key, value) except -1
cdef int drop(Lookup lookup, bytes key) except -1


cdef inline object _seen(Lookup lookup, const char* key, Py_ssize_t size):
    cdef Py_ssize_t slot = hash_64(key, size) & lookup.mask
    seen = <object>PyList_GET_ITEM(lookup.keys, slot)
    if (
        seen is not None and PyBytes_GET_SIZE(<bytes>seen) == size
        and memcmp(PyBytes_AS_STRING(<bytes>seen), key, size) == 0
    ):
        return <object>PyList_GET_ITEM(lookup.values, slot)
    return search(lookup, key, size, slot)


cdef inline object found(Lookup lookup, Span key):
    return _seen(lookup, key.at, key.size)


cdef inline object found_written(Lookup lookup, Writer to):
    return _seen(lookup, to.buffer.data, to.buffer.size)


cdef inline dict sized_dict(Py_ssize_t entries):
    return _PyDict_NewPresized(entries)
