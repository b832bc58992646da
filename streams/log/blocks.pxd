from libc.stdint cimport int64_t

cdef int64_t NO_TIMESTAMP

cdef struct Raw:
    int64_t offset
    int64_t timestamp  # microseconds since the epoch, NO_TIMESTAMP where there is none
    const char* key  # NULL: none
    const char* value  # NULL: none
    const char* headers  # NULL: none; as a RecordBatch has them, the count first
    int key_size
    int value_size
    int size  # of all of it
    bint binary  # a CloudEvent in binary mode
    bint traced  # a header names a trace

cdef class Block:
    cdef Raw* raw
    cdef Py_ssize_t count
    cdef Py_ssize_t room
    cdef list kept
    cdef list records
    cdef dict cuts  # the values of records that were cut, by offset; mostly None
    cdef Block part(self, Py_ssize_t begin, Py_ssize_t end)
    cdef Raw* add(self) except NULL
    cdef object at(self, Py_ssize_t index)
    cdef object headers_at(self, Py_ssize_t index)

cpdef Block block_of(records)
