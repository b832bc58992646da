# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Many records as pointers into the RecordBatches that they came in: no object for each of them.

The layout is Kafka's RecordBatch, version 2 (KIP-98): a header of 61 bytes, then records whose
lengths and deltas are zigzag varints.
"""

cimport cython
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from streams.values.buffer cimport Buffer, grown, taken

from streams.log import headers as headers_
from streams.log.record import BatchError, Record
from streams.log.record import HEADERS_BYTES_MAX as _HEADERS_BYTES_MAX

cdef enum:
    BOUNDS_MAX = 32
    VARINT_BYTES_MAX = 10

cdef Py_ssize_t HEADERS_BYTES_MAX = _HEADERS_BYTES_MAX
cdef Py_ssize_t HEADERS_BYTES_FEW = 4096
cdef Py_ssize_t HEADERS_FACTOR = 12  # an exception spells a byte of them with up to 13

cdef int64_t NO_TIMESTAMP = -0x8000000000000000
cdef int HEADER_BYTES = 61
cdef Py_ssize_t ROOM_MIN = 256
cdef bytes BINARY = headers_.BINARY.encode()
cdef bytes CONTENT_TYPE = headers_.CONTENT_TYPE.encode()
cdef bytes WHOLE = headers_.WHOLE
cdef bytes TRACE = headers_.TRACE.encode()
cdef Py_ssize_t RECORD_BYTES_MAX = headers_.RECORD_BYTES_MAX


cdef bytes _text(bytes text):
    return bytes([2 * len(text)]) + text  # a short length is one byte: a zigzag varint


cdef bytes _STRUCTURED = _text(headers_.STRUCTURED[0].encode()) + _text(headers_.STRUCTURED[1])
cdef bytes NO_HEADERS = b"\x00"
cdef bytes ALONE = b"\x02" + _STRUCTURED
cdef bytes TRACED = b"\x04" + _STRUCTURED + _text(TRACE)
"""The headers of a record: how many there are, and all but the trace, which comes last."""

cdef Buffer payload
payload.data = NULL
payload.size = payload.room = 0


@cython.no_gc  # nothing in it leads back to it
cdef class Block:
    """Records of one input partition, in the order of their offsets: a sequence of `Record`.

    A `Record` is made when it's asked for; compiled code reads the bytes where they are.
    """

    def __cinit__(self):
        self.raw = NULL
        self.count = self.room = 0
        self.kept = []
        self.records = None
        self.cuts = None

    def __dealloc__(self):
        free(self.raw)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self.at(each) for each in range(*index.indices(self.count))]
        cdef Py_ssize_t place = index
        if place < 0:
            place += self.count
        if not 0 <= place < self.count:
            raise IndexError(f"record {index} of {self.count}")
        return self.at(place)

    def __iter__(self):
        cdef Py_ssize_t index
        for index in range(self.count):
            yield self.at(index)

    @property
    def first_offset(self):
        """The offset of the first record."""
        return self.raw[0].offset

    @property
    def last_offset(self):
        """The offset of the last record."""
        return self.raw[self.count - 1].offset

    def offset_at(self, Py_ssize_t index):
        """Return the offset of a record."""
        if not 0 <= index < self.count:
            raise IndexError(f"record {index} of {self.count}")
        return self.raw[index].offset

    @property
    def bytes(self):
        """How many bytes its records have; those of many headers count as what they lead to."""
        cdef Py_ssize_t index, headers, size = 0
        cdef Raw* raw
        for index in range(self.count):
            raw = &self.raw[index]
            size += raw.size
            headers = raw.size - raw.key_size - raw.value_size
            if headers > HEADERS_BYTES_FEW:
                size += HEADERS_FACTOR * min(headers, HEADERS_BYTES_MAX)
        return size

    def extend(self, Block more):
        """Take the records of another block, too."""
        cdef Py_ssize_t index
        if self.records is not None or more.records is not None:
            self.records = [*self, *more]
        for index in range(more.count):
            self.add()[0] = more.raw[index]
        self.kept += more.kept
        if more.cuts is not None:
            self.cuts = more.cuts if self.cuts is None else self.cuts | more.cuts

    def mark_cut(self, value):
        """Tell that the only record was cut: its value is this `CutValue`."""
        self.cuts = {self.raw[0].offset: value}
        self.raw[0].binary = True  # not for the fast way

    def after(self, int64_t offset):
        """Return the records behind an offset, as a block."""
        cdef Py_ssize_t begin = 0
        while begin < self.count and self.raw[begin].offset <= offset:
            begin += 1
        return self.part(begin, self.count)

    def parts(self, Py_ssize_t records_max, Py_ssize_t bytes_max):
        """Return the same records in blocks of at most so many, and so many bytes or one record."""
        cdef Py_ssize_t begin = 0, end, size = 0
        parts = []
        for end in range(self.count):
            if end > begin and (
                end - begin == records_max or size + self.raw[end].size > bytes_max
            ):
                parts.append(self.part(begin, end))
                begin, size = end, 0
            size += self.raw[end].size
        if begin == 0:
            return [self]
        parts.append(self.part(begin, self.count))
        return parts

    cdef Block part(self, Py_ssize_t begin, Py_ssize_t end):
        cdef Block block = Block()
        cdef Py_ssize_t index
        block.kept, block.cuts = self.kept, self.cuts
        for index in range(begin, end):
            block.add()[0] = self.raw[index]
        if self.records is not None:
            block.records = self.records[begin:end]
        return block

    cdef Raw* add(self) except NULL:
        cdef Raw* grown
        if self.count == self.room:
            self.room = max(2 * self.room, ROOM_MIN)
            grown = <Raw*>realloc(self.raw, self.room * sizeof(Raw))
            if grown == NULL:
                raise MemoryError
            self.raw = grown
        self.count += 1
        return &self.raw[self.count - 1]

    cdef object at(self, Py_ssize_t index):
        if self.records is not None:
            return self.records[index]
        cdef Raw* raw = &self.raw[index]
        key = None if raw.key == NULL else PyBytes_FromStringAndSize(raw.key, raw.key_size)
        if self.cuts is not None and raw.offset in self.cuts:
            value = self.cuts[raw.offset]
        else:
            value = _value(raw)
        timestamp = None if raw.timestamp == NO_TIMESTAMP else raw.timestamp
        return Record(raw.offset, timestamp, key, value, _headers(raw.headers))

    cdef object headers_at(self, Py_ssize_t index):
        """Return the headers of a record."""
        if self.records is not None:
            return self.records[index].headers
        return _headers(self.raw[index].headers)


cdef inline object _value(const Raw* raw):
    return None if raw.value == NULL else PyBytes_FromStringAndSize(raw.value, raw.value_size)


cpdef Block block_of(records):
    """Return a block of records that are objects already."""
    cdef Block block = Block()
    cdef Raw* raw
    cdef bytes data
    block.records = list(records)
    for record in block.records:
        raw = block.add()
        raw.offset = record.offset
        raw.timestamp = NO_TIMESTAMP if record.timestamp is None else record.timestamp
        raw.key = raw.value = raw.headers = NULL
        raw.key_size = raw.value_size = 0
        if record.key is not None:
            data = record.key
            raw.key, raw.key_size = PyBytes_AS_STRING(data), <int>PyBytes_GET_SIZE(data)
        if record.value is not None:
            data = record.value
            raw.value, raw.value_size = PyBytes_AS_STRING(data), <int>PyBytes_GET_SIZE(data)
        raw.binary = bool(record.headers) and headers_.is_binary(record.headers)
        raw.traced = bool(record.headers)
        raw.size = raw.key_size + raw.value_size
        for name, header in record.headers:
            raw.size += <int>(len(name) + _length(header))
    return block


def whole_records(const unsigned char[::1] data, int64_t count):
    """Return how many of `count` records are whole in `data`, and where they end.

    What `streams.kafka.unpacking.whole_records_plain` does.
    """
    if data.shape[0] == 0:
        return 0, 0
    cdef const char* begin = <const char*>&data[0]
    cdef const char* at = begin
    cdef const char* whole = begin
    cdef const char* end = begin + data.shape[0]
    cdef int64_t number, size
    for number in range(count):
        if not _varint(&at, end, &size):
            if end - whole >= VARINT_BYTES_MAX:
                raise BatchError("a number in it has no end")
            return number, whole - begin
        if size < 0:
            raise BatchError("a record of it can't be read")
        if size > end - at:
            return number, whole - begin
        whole = at = at + size
    return count, whole - begin


def block_from(const unsigned char[::1] batch, bytes data, int64_t first, int64_t count=-1):
    """Return those of a RecordBatch's records that are in `data`, from the offset `first` on.

    `data` is what follows the header, unpacked, or whole records of it: `count`, if it isn't all.
    The batch's timestamps are in milliseconds, below zero where there is none. Raises `BatchError`
    if it isn't what the header says.
    """
    cdef Block block = Block()
    cdef const unsigned char* header = &batch[0]
    cdef int64_t base = <int64_t>_big(header, 8)
    cdef int attributes = <int>_big(header + 21, 2)
    cdef int64_t begin_ms = <int64_t>_big(header + 27, 8), end_ms = <int64_t>_big(header + 35, 8)
    cdef const char* at = PyBytes_AS_STRING(data)
    cdef const char* end = at + PyBytes_GET_SIZE(data)
    cdef int64_t ms, offset, size, number
    cdef const char* stop
    cdef Raw raw
    block.kept.append(data)
    if count < 0:
        count = <int64_t>_big(header + 57, 4)
    for number in range(count):
        if not _varint(&at, end, &size) or size < 0 or size > end - at:
            raise BatchError("a record of it is cut short")
        stop = at + size
        raw.size = <int>size
        at += 1  # attributes: none are defined
        if not _varint(&at, stop, &ms) or not _varint(&at, stop, &offset):
            raise BatchError("a record of it can't be read")
        ms += begin_ms
        if attributes & 8:  # the broker's own time, on the whole batch
            ms = end_ms
        raw.offset = base + offset
        raw.timestamp = NO_TIMESTAMP if ms < 0 else ms * 1000
        if (
            not _bytes(&at, stop, &raw.key, &raw.key_size)
            or not _bytes(&at, stop, &raw.value, &raw.value_size)
            or not _look_at_headers(at, stop, &raw)
        ):
            raise BatchError("a record of it can't be read")
        at = stop
        if raw.offset >= first:
            block.add()[0] = raw
    return block


cdef uint64_t _big(const unsigned char* at, int size) noexcept nogil:
    cdef uint64_t value = 0
    cdef int index
    for index in range(size):
        value = value << 8 | at[index]
    return value


cdef inline bint _varint(const char** at, const char* end, int64_t* value) noexcept nogil:
    """Read a zigzag varint."""
    cdef uint64_t read = 0
    cdef int shift = 0
    cdef unsigned char byte
    while at[0] < end and shift < 64:
        byte = <unsigned char>at[0][0]
        at[0] += 1
        read |= <uint64_t>(byte & 0x7F) << shift
        if not byte & 0x80:
            value[0] = <int64_t>(read >> 1) ^ -<int64_t>(read & 1)
            return True
        shift += 7
    return False


cdef inline bint _bytes(
    const char** at, const char* end, const char** found, int* found_size
) noexcept nogil:
    cdef int64_t size
    if not _varint(at, end, &size) or size > end - at[0]:
        return False
    found[0] = NULL
    found_size[0] = 0
    if size >= 0:
        found[0] = at[0]
        found_size[0] = <int>size
        at[0] += size
    return True


cdef bint _look_at_headers(const char* at, const char* end, Raw* raw) noexcept:
    """Check the headers of a record, and what they say: as `streams.log.headers.is_binary` does."""
    cdef int64_t count, number
    cdef const char* name
    cdef const char* found
    cdef int name_size, size
    cdef const char* begin = at
    cdef bint whole = False
    raw.binary = raw.traced = False
    raw.headers = NULL
    if not _varint(&at, end, &count) or count < 0:
        return False
    for number in range(count):
        if not _bytes(&at, end, &name, &name_size) or name == NULL:
            return False
        if not _bytes(&at, end, &found, &size):
            return False
        if _is(name, name_size, BINARY):
            raw.binary = True
        elif _is(name, name_size, TRACE):
            raw.traced = True
        elif _is(name, name_size, CONTENT_TYPE) and found != NULL and _whole(found, size):
            whole = True
    if whole:
        raw.binary = False
    if count:
        raw.headers = begin
    return at == end


cdef inline bint _is(const char* name, int size, bytes other) noexcept:
    return size == PyBytes_GET_SIZE(other) and memcmp(name, PyBytes_AS_STRING(other), size) == 0


cdef bint _whole(const char* at, int size) noexcept:
    """Return whether a content type begins as that of a whole CloudEvent, in any case."""
    cdef int index
    cdef char letter
    if size < PyBytes_GET_SIZE(WHOLE):
        return False
    for index in range(<int>PyBytes_GET_SIZE(WHOLE)):
        letter = at[index]
        if c"A" <= letter <= c"Z":
            letter += 32
        if letter != PyBytes_AS_STRING(WHOLE)[index]:
            return False
    return True


cdef _headers(const char* at):
    if at == NULL:
        return ()
    cdef int64_t count, number
    cdef const char* end = at + (1 << 30)  # `_look_at_headers` has seen where they end
    cdef const char* found
    cdef int size
    headers = []
    _varint(&at, end, &count)
    for number in range(count):
        _bytes(&at, end, &found, &size)
        name = PyBytes_FromStringAndSize(found, size).decode("utf-8", "backslashreplace")
        _bytes(&at, end, &found, &size)
        headers.append((name, None if found == NULL else PyBytes_FromStringAndSize(found, size)))
    return tuple(headers)


def add_ages(Block block, int64_t now, list bounds, list counts):
    """Count records by how long ago they were, in microseconds; return the sum of the ages.

    The place in `counts` is that of the first of `bounds`, which ascend, that an age isn't past;
    the last is for what is past all. Records without a timestamp are left out, and none is of the
    future. What `agents.partition.meter.add_ages_plain` does.
    """
    cdef int64_t limits[BOUNDS_MAX]
    cdef int64_t found[BOUNDS_MAX + 1]
    cdef int64_t age, total = 0
    cdef Py_ssize_t index, place, count = len(bounds)
    if count > BOUNDS_MAX:
        raise ValueError(f"{count} bounds: there can be {BOUNDS_MAX}")
    for place in range(count):
        limits[place] = bounds[place]
    memset(found, 0, sizeof(found))
    for index in range(block.count):
        if block.raw[index].timestamp == NO_TIMESTAMP:
            continue
        age = now - block.raw[index].timestamp
        if age < 0:
            age = 0
        total += age
        place = 0
        while place < count and age > limits[place]:
            place += 1
        found[place] += 1
    for place in range(count + 1):
        counts[place] += found[place]
    return total


def pairs_payload(pairs):
    """Return the records of a RecordBatch, uncompressed, of (key, value) pairs, and their count.

    Offsets count from 0; the timestamps are the batch's own; None is a null (a tombstone).
    """
    cdef int64_t number = 0
    payload.size = 0
    for key, value in pairs:
        _put_record(number, key, value, NO_HEADERS, None)
        number += 1
    return taken(&payload), number


def outgoing_payload(list records):
    """Return the same of a list of `streams.log.record.Outgoing`, each with its headers.

    Those are what `streams.log.headers.headers_of` says.
    """
    cdef int64_t number = 0
    payload.size = 0
    for record in records:
        trace = record.trace
        _put_record(number, record.key, record.value, ALONE if trace is None else TRACED, trace)
        number += 1
    return taken(&payload), number


cdef int _put_record(int64_t number, key, value, bytes headers, bytes trace) except -1:
    # attributes, timestamp delta 0, offset delta, key, value, headers
    cdef Py_ssize_t key_size = _length(key), value_size = _length(value)
    cdef Py_ssize_t trace_size = _length(trace)
    cdef Py_ssize_t headers_size = PyBytes_GET_SIZE(headers)
    cdef int body = <int>(
        2 + _varint_size(number) + _field_size(key_size, key is None)
        + _field_size(value_size, value is None) + headers_size
    )
    if trace is not None:
        body += _field_size(trace_size, False)
    cdef unsigned char* at = <unsigned char*>grown(
        &payload, key_size + value_size + trace_size + RECORD_BYTES_MAX
    )
    at = _put_varint(at, body)
    at[0] = at[1] = 0
    at = _put_varint(at + 2, number)
    at = _put_field(at, key)
    at = _put_field(at, value)
    memcpy(at, PyBytes_AS_STRING(headers), headers_size)
    at += headers_size
    if trace is not None:
        at = _put_field(at, trace)
    payload.size = <char*>at - payload.data
    return 0


@cython.no_gc  # nothing in it leads back to it
cdef class _Group:
    """The records for a place: those that don't make a whole batch yet."""

    cdef object place
    cdef list records
    cdef Py_ssize_t size


def grouped(list records, dict places, place_of, Py_ssize_t bytes_max):
    """Return [(place, records)] in order, each group of at most `bytes_max` before compression.

    `places` remembers the place of each topic and key, `place_of(topic, key)` finds it. What
    `streams.kafka.writer.grouped_plain` does.
    """
    cdef dict by_place = {}, by_topic = {}, by_key
    cdef list groups = []
    cdef _Group group
    cdef Py_ssize_t size
    topic = by_key = None
    for record in records:
        if record.topic is not topic:
            topic = record.topic
            by_key = <dict>by_topic.get(topic)
            if by_key is None:
                by_key = by_topic[topic] = {}
        key = record.key
        group = <_Group>by_key.get(key)
        if group is None:
            place = places.get((topic, key)) or place_of(topic, key)
            group = <_Group>by_place.get(place)
            if group is None:
                group = _Group()
                group.place, group.records, group.size = place, None, 0
                by_place[place] = group
            by_key[key] = group
        size = _length(record.value) + _length(key) + _length(record.trace) + RECORD_BYTES_MAX
        if group.records is None or group.size + size > bytes_max:
            group.records = []
            group.size = 0
            groups.append((group.place, group.records))
        group.records.append(record)
        group.size += size
    return groups


cdef inline Py_ssize_t _length(object data) except -1:
    return 0 if data is None else PyBytes_GET_SIZE(data)


cdef inline int _varint_size(int64_t value) noexcept nogil:
    cdef uint64_t left = (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)
    cdef int size = 1
    while left >= 0x80:
        left >>= 7
        size += 1
    return size


cdef inline int _field_size(Py_ssize_t size, bint absent) noexcept nogil:
    return 1 if absent else <int>(_varint_size(size) + size)


cdef inline unsigned char* _put_varint(unsigned char* at, int64_t value) noexcept nogil:
    cdef uint64_t left = (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)
    while left >= 0x80:
        at[0] = <unsigned char>(left & 0x7F | 0x80)
        at += 1
        left >>= 7
    at[0] = <unsigned char>left
    return at + 1


cdef inline unsigned char* _put_field(unsigned char* at, object data) except NULL:
    cdef Py_ssize_t size
    if data is None:
        return _put_varint(at, -1)
    size = PyBytes_GET_SIZE(data)
    at = _put_varint(at, size)
    memcpy(at, PyBytes_AS_STRING(data), size)
    return at + size
