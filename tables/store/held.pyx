# cython: language_level=3, boundscheck=False, wraparound=False
"""What changes that are held say about keys: `tables.store.overlay.lay_over_plain`, compiled."""

from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject


def lay_over(list found, list keys, dict held):
    """Put into `found`, the values of `keys`, what `held` has for them."""
    cdef Py_ssize_t index
    cdef PyObject* there
    for index in range(len(keys)):
        there = PyDict_GetItem(held, <object>PyList_GET_ITEM(keys, index))
        if there != NULL:
            found[index] = <object>there
