# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A batch of records through the checks and folds of a partition, compiled: the hot loop.

It does what `tables.partition.partition._Batch.take` does, and leaves to it whatever is rare: what
`streams.codec.scanning` doesn't read, what is refused, reversals, ticks, a line's first event.
Downtime is checked here and learnt there, by `tables.line.line.learn`.
What a line's rows gain is added up beside them and put into them before anybody else looks.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from streams.log.blocks cimport NO_TIMESTAMP, Block, Raw
from streams.values.buffer cimport (
    Buffer, is_plain, put, put_bytes, put_date, put_escaped, put_instant, put_measure,
    put_packed_int, put_packed_text, taken, text_of,
)
from streams.codec.scanning cimport FIELDS_MAX, Field, Scanned, scan
from tables.line.rows cimport SLOTS_MAX, Row, row_of, wide, wide_number

import ctypes

import xxhash
from msgspec.structs import replace

from streams.contract import policy

from streams.values import instant
from streams.log.blocks import block_of
from streams.codec.decode import decode
from streams.contract.events import (
    NAMES, TYPES, DowntimeEnded, DowntimeEndedData, DowntimeStarted, DowntimeStartedData,
    MachineState, MachineTelemetry, Tick, TransactionReversed,
)
from streams.contract.members import members
from streams.log.record import Outgoing
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, MES_EVENTS
from streams.log.tracing import traceparent, well_formed
from streams.contract.transactions import CAUSES_MAX, SOURCE
from tables.line.episodes import conflict, last_known
from tables.line.ledger import identity
from tables.line.line import advance, crowded, learn

cdef extern from "Python.h":
    dict _PyDict_NewPresized(Py_ssize_t entries)

cdef enum:
    CONTRIBUTIONS_MAX = 6  # as in streams.contract.policy
    KINDS_MAX = 24
    SLOTS_MIN = 1_024  # of lines: a power of two, as all their numbers are
    ROW_SLOTS_MASK = 127
    ROW_BYTES_MAX = 4_096  # of a row's members: ten of 256 characters, and their lengths

cdef int64_t NEVER = -0x8000000000000000

cdef struct Digest:  # XXH128_hash_t
    uint64_t low
    uint64_t high

ctypedef Digest (*Hash128)(const void*, size_t) noexcept nogil
ctypedef uint64_t (*Hash64)(const void*, size_t) noexcept nogil

# The functions of the library that the xxhash package is made of, called without its objects.
try:
    _library = ctypes.CDLL(xxhash._xxhash.__file__)
    _found = [
        ctypes.cast(function, ctypes.c_void_p).value
        for function in (_library.XXH3_128bits, _library.XXH3_64bits)
    ]
except (AttributeError, OSError) as error:
    raise ImportError(f"xxhash's library can't be called from compiled code: {error}") from None
cdef Hash128 hash_128 = <Hash128><size_t>_found[0]
cdef Hash64 hash_64 = <Hash64><size_t>_found[1]


def digest_of(bytes data):
    """Return what `xxhash.xxh3_128_digest` does."""
    return _entry(0, hash_128(<const char*>data, len(data)))[8:]


if digest_of(b"lineside") != xxhash.xxh3_128_digest(b"lineside"):
    raise ImportError("xxhash's library isn't the one that this core was written for")

if (CONTRIBUTIONS_MAX, KINDS_MAX) != (policy.CONTRIBUTIONS_MAX, policy.KINDS_MAX):
    raise RuntimeError("CONTRIBUTIONS_MAX and KINDS_MAX aren't those of streams.contract.policy")

cdef int causes_max = CAUSES_MAX
cdef int64_t day = 86_400_000_000
cdef int TEXT = 0, MEASURE = 1, FLAG = 2
cdef int DOWNTIME_STARTED = list(TYPES.values()).index(DowntimeStarted)


@cython.no_gc  # nothing in it leads back to it
cdef class _Row:
    """A row of each window that a line's events of one type and these members go to."""

    cdef int kind
    cdef bytes key
    cdef bint applies[CONTRIBUTIONS_MAX]
    cdef int64_t start[CONTRIBUTIONS_MAX]
    cdef int64_t carrier[CONTRIBUTIONS_MAX]
    cdef int64_t noted[CONTRIBUTIONS_MAX]  # the batch that has told that the window changes
    cdef bint full[CONTRIBUTIONS_MAX]  # it has all the causes that it can have
    cdef list members
    cdef list rows


@cython.no_gc  # nothing in it leads back to it
cdef class _Line:
    """A line while compiled code works on it: `line` is behind until `_flush`."""

    cdef object line
    cdef bytes key
    cdef bytes plant
    cdef bytes name
    cdef bytes place
    cdef int64_t watermark
    cdef int64_t due
    cdef int64_t events
    cdef int64_t late
    cdef int64_t bucket
    cdef bint touched
    cdef object zone
    cdef list bucket_keys
    cdef dict rows
    cdef list slots  # rows by a hash of their keys: the one seen last
    cdef tuple windows
    cdef dict changed_pages
    cdef uint32_t gaining  # a bit for each kind that has gained something
    cdef wide gained[KINDS_MAX][SLOTS_MAX]
    cdef const char* state
    cdef int state_size


cdef class _Contribution:
    cdef int index
    cdef int64_t length
    cdef int width
    cdef bint erp
    cdef tuple row  # field numbers
    cdef tuple where  # (field number, value)
    cdef int slots
    cdef int slot[SLOTS_MAX]
    cdef int slot_field[SLOTS_MAX]


cdef class _AtOnce:
    cdef str record
    cdef bytes head  # up to the id
    cdef bytes short
    cdef bint event
    cdef tuple where
    cdef tuple fields  # (field number, what stands before its value)


cdef class _Plan:
    """What becomes of an event of one type; `transaction` is off for telemetry."""

    cdef bytes name  # in MessagePack, after the head of an array of three
    cdef bytes event
    cdef bint transaction
    cdef bint stop  # it begins or ends an episode of downtime
    cdef bint state
    cdef int state_field
    cdef int field_count
    cdef int field_kind[FIELDS_MAX]
    cdef list field_names
    cdef int key_count  # the fields that tell one row from another
    cdef int key_field[FIELDS_MAX]
    cdef int count
    cdef list contributions
    cdef list at_once


cdef class Folding:
    """Takes batches for a partition, with what it remembers of the partition's lines."""

    cdef object partition
    cdef object rules
    cdef str topic
    cdef bint mes
    cdef dict known
    cdef dict lines
    cdef list plans
    cdef int64_t grace
    cdef int64_t future_max
    cdef int64_t retention
    cdef int64_t bucket
    cdef Scanned* scanned
    cdef Py_ssize_t room
    cdef Buffer buffer
    cdef Buffer small
    cdef bytes today
    cdef int64_t today_begin
    cdef dict date_texts
    cdef list at_work
    cdef list slots  # lines by a hash of their keys: the one seen last
    cdef Py_ssize_t slots_mask
    cdef int64_t batch

    def __cinit__(self):
        self.scanned = NULL
        self.room = 0
        self.buffer.data = self.small.data = NULL
        self.buffer.size = self.buffer.room = self.small.size = self.small.room = 0

    def __dealloc__(self):
        free(self.scanned)
        free(self.buffer.data)
        free(self.small.data)

    def __init__(self, partition):
        self.partition = partition
        rules = self.rules = partition.rules
        self.topic = partition.topic
        self.mes = partition.topic == MES_EVENTS
        self.lines = partition.lines
        self.known = {}
        self.grace, self.future_max = rules.grace, rules.future_max
        self.retention, self.bucket = rules.retention, rules.bucket
        self.plans = [_plan(name, struct, rules) for name, struct in TYPES.items()]
        self.today, self.today_begin = b"", NEVER
        self.slots, self.slots_mask = [None] * SLOTS_MIN, SLOTS_MIN - 1
        self.at_work = []

    def read(self, records, int64_t seen, known=None):
        """Return (block, decoded, keys, asked): what is read before the ledger is asked.

        `decoded` has (record, decoded), by number, of what isn't for the fast way; `keys` a ledger
        key or None for each record, `asked` those that are there. Records up to the offset `seen`
        are passed over. `known`: what the records are, None where they haven't been decoded yet.
        """
        cdef Block block = records if isinstance(records, Block) else block_of(records)
        cdef Py_ssize_t number
        cdef Raw* raw
        cdef Scanned* event
        cdef Scanned* grown
        cdef list keys = [], asked = []
        if block.count and block.raw[0].offset <= seen:
            block = block.after(seen)
        if block.count > self.room:
            grown = <Scanned*>realloc(self.scanned, block.count * sizeof(Scanned))
            if grown == NULL:
                raise MemoryError
            self.scanned, self.room = grown, block.count
        decoded = {}
        for number in range(block.count):
            raw = &block.raw[number]
            event = &self.scanned[number]
            event.kind = -1
            if raw.binary or raw.key == NULL or scan(
                raw.value, raw.value_size, self.mes, event
            ) < 0 or self.plans[event.kind] is None:
                record = block.at(number)
                cold = None if known is None else known[number]
                if cold is None:
                    cold = decode(record.value, record.headers, self.topic)
                event.kind = -1
                decoded[number] = record, cold
                key = None
                if cold.__class__ in NAMES and cold.__class__ is not MachineTelemetry:
                    key = identity(cold.plant, cold.line, cold.source, cold.id)
            elif (<_Plan>self.plans[event.kind]).transaction:
                key = _identity(event)
            else:
                key = None
            keys.append(key)
            if key is not None:
                asked.append(key)
        return block, decoded, keys, asked

    def take(self, batch, Block block, dict decoded, list keys, list found):
        """Let the first check that applies decide what becomes of each record; see
        `tables.partition.partition._Batch.take` for what is returned.

        `found` has the ledger's entry for each key that was asked for, None where there's none.
        """
        cdef Py_ssize_t number, begin, taken = block.count, counted = 0, place = -1
        cdef bint bounded = batch.partition.bounds is not None
        cdef Py_ssize_t rows_max = batch.partition.bounds.rows if bounded else 0
        cdef Py_ssize_t room = batch.partition.bounds.output_bytes if bounded else 0
        cdef int64_t accepted = 0, duplicates = 0, at, oldest, bucket
        cdef Raw* raw
        cdef Scanned* event
        cdef _Line line
        cdef _Plan plan
        cdef object stop
        cdef bytes key, entry, stored
        cdef Digest digest
        cdef const char* data
        cdef dict fresh = _PyDict_NewPresized(block.count)
        batch.fresh = fresh
        cdef dict touched = batch.touched
        cdef list out = batch.out
        cdef PyObject* there
        self.at_work = []
        self.batch += 1
        for number in range(block.count):
            if bounded and number:  # what `batch.full` looks at
                while counted < len(out):
                    room -= PyBytes_GET_SIZE(<bytes>(<object>PyList_GET_ITEM(out, counted)).value)
                    counted += 1
                if room <= 0:
                    taken = number
                    break
            raw = &block.raw[number]
            event = &self.scanned[number]
            stored = None
            key = <bytes>keys[number]
            if key is not None:
                place += 1
                stored = <bytes>found[place]
            if event.kind < 0:
                if not self._leave(batch, decoded[number][0], decoded[number][1], key, stored):
                    taken = number
                    break
                continue
            line = self._line(raw.key, raw.key_size)
            at = event.time
            if (
                line is None
                or not _same(line.plant, event.plant.at, event.plant.size)
                or not _same(line.name, event.line.at, event.line.size)
                or (raw.timestamp != NO_TIMESTAMP and at - raw.timestamp > self.future_max)
            ):
                if not self._leave_record(batch, block, number, key, stored):
                    taken = number
                    break
                continue
            plan = <_Plan>self.plans[event.kind]
            if plan.transaction:
                oldest = line.watermark - self.retention
                if at < oldest:
                    if not self._leave_record(batch, block, number, key, stored):
                        taken = number
                        break
                    continue
                digest = self._fingerprint(plan, event)
                there = PyDict_GetItem(fresh, key)
                entry = <bytes>there if there != NULL else stored
                if entry is not None:
                    data = PyBytes_AS_STRING(entry)
                    if _time_of(data) >= oldest:
                        if _big(data + 8) == digest.high and _big(data + 16) == digest.low:
                            duplicates += 1
                            line.line.duplicate_events += 1
                        elif not self._leave_record(batch, block, number, key, stored):
                            taken = number
                            break
                        continue
                if plan.stop:
                    stop = _downtime(event)
                    if not self._fits(line, stop, oldest):
                        if not self._leave_record(batch, block, number, key, stored):
                            taken = number
                            break
                        continue
            if at > line.watermark:
                if at < line.due:
                    line.watermark = at
                elif bounded and self._crowded(line, at, rows_max):
                    self._flush(line)
                    batch.begin(line.line, at)
                    taken = number
                    break
                else:
                    self._advance(line, at, out)
            accepted += 1
            line.events += 1
            if not line.touched:
                line.touched = True
                line.bucket_keys = None
                self.at_work.append(line)
                touched[line.key] = line.line
            if not plan.transaction:
                continue
            if entry is not None and there == NULL:  # it had expired
                batch.partition.ledger_grown -= 1
            fresh[key] = _entry(at, digest)
            bucket = at // self.bucket
            if line.bucket_keys is None or bucket != line.bucket:
                line.bucket = bucket
                line.bucket_keys = line.line.expiring.setdefault(bucket, [])
            line.bucket_keys.append(key)
            if plan.count:
                self._contribute(line, plan, event)
            for at_once in plan.at_once:
                if _applies((<_AtOnce>at_once).where, event):
                    self._send(
                        line, plan, <_AtOnce>at_once, event, _trace(event, block, number), out
                    )
            if plan.stop:
                self._flush(line)
                begin = len(out)
                learn(line.line, stop, self.rules, out)
                if len(line.changed_pages) >= 4 * rows_max:
                    room = 0
                if len(out) > begin:
                    _mark(out, begin, _trace(event, block, number))
                _recall(line)
            if plan.state:
                line.state = event.fields[plan.state_field].at
                line.state_size = <int>event.fields[plan.state_field].number
        for line in self.at_work:
            self._flush(line)
            line.touched = False
            line.bucket_keys = None
        self.at_work = []
        batch.counts.accepted += accepted
        batch.counts.duplicate += duplicates
        return taken

    def forget(self, list gone):
        """Let go of lines that leave memory."""
        cdef _Line line
        for key in gone:
            line = <_Line>self.known.pop(key, None)
            if line is not None:
                self.slots[hash_64(<char*><bytes>key, len(<bytes>key)) & self.slots_mask] = None

    cdef bint _crowded(self, _Line line, int64_t watermark, Py_ssize_t rows_max) except -1:
        """Return whether too many rows would leave: at least where `crowded` of line.py says so."""
        cdef Py_ssize_t rows = 0
        for carried in line.windows:
            for each in (<dict>carried).values():
                rows += len(<dict>each)
        return (rows > rows_max or line.line.live) and crowded(
            line.line, watermark, self.rules, rows_max
        )

    cdef bint _leave_record(
        self, batch, Block block, Py_ssize_t number, bytes key, bytes stored
    ) except -1:
        record = block.at(number)
        cold = decode(record.value, record.headers, self.topic)
        return self._leave(batch, record, cold, key, stored)

    cdef bint _leave(self, batch, record, cold, bytes key, bytes stored) except -1:
        """Leave a record to the plain way, with its line as it is; return whether it's taken."""
        cdef _Line line = None
        if stored is not None:
            batch.entries[key] = stored
        if cold.__class__ is Tick:
            for line in self.at_work:
                self._flush(line)
        else:
            line = <_Line>self.known.get(record.key)
            if line is not None:
                self._flush(line)
        cdef bint taken = batch.take([record], [cold], [key])
        if cold.__class__ is Tick:
            for line in self.known.values():
                _recall(line)
        elif line is not None:
            _recall(line)
        return taken

    cdef _Line _line(self, const char* key, int size):
        cdef _Line line
        cdef Py_ssize_t slot = hash_64(key, size) & self.slots_mask
        seen = <object>PyList_GET_ITEM(self.slots, slot)
        if seen is not None and _same((<_Line>seen).key, key, size):
            return <_Line>seen
        line = self._found(key, size)
        if line is not None:
            self.slots[hash_64(key, size) & self.slots_mask] = line
        return line

    cdef _Line _found(self, const char* key, int size):
        cdef bytes name = PyBytes_FromStringAndSize(key, size)
        cdef PyObject* there = PyDict_GetItem(self.known, name)
        if there != NULL:
            return <_Line>there
        given = self.lines.get(name)
        if given is None:
            return None
        cdef _Line line = _Line()
        line.line = given
        line.key = given.key
        line.plant, line.name = given.plant.encode(), given.line.encode()
        line.place = given.place.encode()
        line.rows, line.slots = {}, [None] * (ROW_SLOTS_MASK + 1)
        line.windows, line.changed_pages = given.windows, given.changed_pages
        line.events = line.late = line.gaining = 0
        memset(line.gained, 0, sizeof(line.gained))
        line.touched = False
        line.bucket_keys = None
        line.state = NULL
        line.zone = self.rules.zones.get(given.plant)
        _recall(line)
        self.known[line.key] = line
        if 2 * len(self.known) > self.slots_mask:
            self.slots_mask = 4 * self.slots_mask + 3
            self.slots = [None] * (self.slots_mask + 1)
        return line

    cdef _advance(self, _Line line, int64_t at, list out):
        self._flush(line)
        advance(line.line, at, self.rules, out)
        _recall(line)
        self._drop_closed(line)

    cdef _drop_closed(self, _Line line):
        """Forget the rows of a line that have been in no window since the last one closed."""
        cdef _Row row
        cdef _Plan plan
        cdef _Contribution contribution
        cdef int number
        cdef dict kept = {}
        for key, row in line.rows.items():
            plan = <_Plan>self.plans[row.kind]
            for number in range(plan.count):
                contribution = <_Contribution>plan.contributions[number]
                if (
                    row.applies[number]
                    and row.carrier[number] + 2 * contribution.length + self.grace > line.watermark
                ):
                    kept[key] = row
                    break
        if len(kept) < len(line.rows):
            line.rows, line.slots = kept, [None] * (ROW_SLOTS_MASK + 1)

    cdef bint _fits(self, _Line line, stop, int64_t oldest) except -1:
        """Whether a downtime event goes with its episode (check 15), which isn't forgotten."""
        episode = line.line.episodes.get(stop.data.episode)
        return episode is None or (
            last_known(episode, self.rules.episode_limit) >= oldest
            and conflict(episode, stop.time, stop.data) is None
        )

    cdef Digest _fingerprint(self, _Plan plan, const Scanned* event) except *:
        """Return what `tables.line.ledger.fingerprint` does."""
        cdef Buffer* buffer = &self.small
        cdef int index
        cdef const Field* field
        buffer.size = 0
        put_bytes(buffer, plan.name)
        put_packed_int(buffer, event.time)
        put_packed_map(buffer, event.present)
        for index in range(plan.field_count):
            if not event.present >> index & 1:
                continue
            field = &event.fields[index]
            put_bytes(buffer, <bytes>plan.field_names[index])
            if plan.field_kind[index] == TEXT:
                put_packed_text(buffer, field.at, field.number)
            elif plan.field_kind[index] == MEASURE:
                put_packed_int(buffer, field.number)
            else:
                put(buffer, b"\xc3" if field.number else b"\xc2", 1)
        return hash_128(buffer.data, buffer.size)

    cdef int _contribute(self, _Line line, _Plan plan, const Scanned* event) except -1:
        """Add an event to its rows, as `tables.line.line._contribute` does."""
        cdef _Row row = self._row(line, plan, event)
        cdef _Contribution contribution
        cdef int number, slot
        cdef int64_t start, carrier, at = event.time, gain
        cdef Row found
        cdef list causes
        cdef int64_t watermark = line.watermark
        cdef bint late = False
        cause = None
        for number in range(plan.count):
            if not row.applies[number]:
                continue
            contribution = <_Contribution>plan.contributions[number]
            start = carrier = at - at % contribution.length
            if start + contribution.length + self.grace <= watermark:
                carrier = watermark - watermark % contribution.length
                late = True
            if start != row.start[number] or carrier != row.carrier[number]:
                self._bind(line, row, contribution, number, start, carrier)
            elif row.noted[number] != self.batch:
                row.noted[number] = self.batch
                found = <Row>row.rows[number]
                line.changed_pages[contribution.index, carrier, found.page] = (
                    start, row.members[number]
                )
            found = <Row>row.rows[number]
            line.gaining |= 1 << contribution.index
            for slot in range(contribution.slots):
                gain = event.fields[contribution.slot_field[slot]].number
                found.sums[contribution.slot[slot]] += gain
                line.gained[contribution.index][contribution.slot[slot]] += gain
            found.count += 1
            if contribution.erp and not row.full[number]:
                causes = found.causes
                if len(causes) < causes_max:
                    if cause is None:
                        cause = text_of(event.id.at, event.id.size)
                    causes.append(cause)
                else:
                    row.full[number] = True
        line.late += late
        return 0

    cdef _Row _row(self, _Line line, _Plan plan, const Scanned* event):
        """Return the row of an event, made if there's none."""
        cdef char name[ROW_BYTES_MAX]
        cdef char* at = name + 1
        cdef int index, number
        cdef int64_t size
        cdef const Field* field
        cdef PyObject* there
        cdef _Row row
        cdef _Contribution contribution
        name[0] = <char>event.kind
        for number in range(plan.key_count):
            index = plan.key_field[number]
            field = &event.fields[index]
            if not event.present >> index & 1:
                at[0] = at[1] = 0
                at += 2
            elif plan.field_kind[index] == TEXT:
                size = field.number
                at[0], at[1] = <char>(size >> 8 | 0x40), <char>size
                memcpy(at + 2, field.at, size)
                at += 2 + size
            else:
                at[0], at[1] = 1, <char>field.number
                at += 2
        cdef Py_ssize_t slot = hash_64(name, at - name) & ROW_SLOTS_MASK
        seen = <object>PyList_GET_ITEM(line.slots, slot)
        if seen is not None and _same((<_Row>seen).key, name, at - name):
            return <_Row>seen
        key = PyBytes_FromStringAndSize(name, at - name)
        there = PyDict_GetItem(line.rows, key)
        if there != NULL:
            line.slots[slot] = <object>there
            return <_Row>there
        row = _Row()
        row.kind = event.kind
        row.members = []
        row.rows = [None] * plan.count
        for number in range(plan.count):
            contribution = <_Contribution>plan.contributions[number]
            row.applies[number] = _applies(contribution.where, event)
            row.start[number] = NEVER
            row.members.append(
                tuple([_member(plan, event, each) for each in contribution.row])
            )
        row.key = key
        line.rows[key] = line.slots[slot] = row
        return row

    cdef _bind(
        self, _Line line, _Row row, _Contribution contribution, int number, int64_t start,
        int64_t carrier,
    ):
        """Find the row of a window, or make it."""
        key = start, row.members[number]
        row.rows[number] = row_of(line.line, contribution.index, carrier, key, contribution.width)
        row.start[number], row.carrier[number] = start, carrier
        row.full[number] = False
        row.noted[number] = self.batch

    cdef int _flush(self, _Line line) except -1:
        """Put into a line what it has gained."""
        cdef object state = line.line
        state.watermark = line.watermark
        if line.events:
            state.accepted_events += line.events
            line.events = 0
        if line.late:
            state.late_events += line.late
            line.late = 0
        if line.state != NULL:
            state.state = text_of(line.state, line.state_size)
            line.state = NULL
        if line.gaining:
            self._book(line)
        return 0

    cdef int _book(self, _Line line) except -1:
        """Add what a line has gained to its books: what was accepted, by kind and measure."""
        cdef int kind, slot
        for kind in range(len(line.windows)):
            if not line.gaining >> kind & 1:
                continue
            sums = <list>line.line.accepted[kind]
            for slot in range(len(sums)):
                if line.gained[kind][slot]:
                    sums[slot] += wide_number(line.gained[kind][slot])
                    line.gained[kind][slot] = 0
        line.gaining = 0
        return 0

    cdef int _send(
        self, _Line line, _Plan plan, _AtOnce record, const Scanned* event, trace, list out
    ) except -1:
        """Append what an event sends at once, as `tables.line.line._send_at_once` does."""
        cdef Buffer* buffer = &self.buffer
        cdef const Field* field
        cdef Py_ssize_t begin
        cdef int index
        buffer.size = 0
        put_bytes(buffer, record.head)
        begin = buffer.size
        put_bytes(buffer, record.short)
        put_bytes(buffer, line.place)
        put(buffer, b":", 1)
        put_escaped(buffer, event.source.at, event.source.size)
        put(buffer, b"|", 1)
        put_escaped(buffer, event.id.at, event.id.size)
        id = text_of(buffer.data + begin, buffer.size - begin)
        put(buffer, b'","time":"', 10)
        put_instant(buffer, event.time)
        put(buffer, b'","plant":"', 11)
        put_bytes(buffer, line.plant)
        put(buffer, b'","line":"', 10)
        put_bytes(buffer, line.name)
        put(buffer, b'","data":{', 10)
        for index, before in record.fields:
            if not event.present >> index & 1:
                continue
            field = &event.fields[index]
            put_bytes(buffer, <bytes>before)
            if plan.field_kind[index] == TEXT:
                put(buffer, b'"', 1)
                put(buffer, field.at, field.number)
                put(buffer, b'",', 2)
            elif plan.field_kind[index] == MEASURE:
                put(buffer, b'"', 1)
                put_measure(buffer, field.number)
                put(buffer, b'",', 2)
            elif field.number:
                put(buffer, b"true,", 5)
            else:
                put(buffer, b"false,", 6)
        if record.event:
            put(buffer, b'"event":"', 9)
            put_bytes(buffer, plan.event)
            put(buffer, b'",', 2)
        put(buffer, b'"causes":["', 11)
        put(buffer, event.id.at, event.id.size)
        put(buffer, b'"],"cause_count":1,"posting_date":"', 35)
        if line.zone is None:
            put_bytes(buffer, self._date(event.time))
        else:
            put_bytes(buffer, (<str>instant.date(event.time, line.zone)).encode())
        put(buffer, b'"}}', 3)
        out.append(Outgoing(ERP_TRANSACTIONS, line.key, id, record.record, taken(buffer), trace))
        return 0

    cdef bytes _date(self, int64_t at):
        if not self.today_begin <= at < self.today_begin + day:
            self.today_begin = at - at % day
            self.small.size = 0
            put_date(&self.small, at // day)
            self.today = taken(&self.small)
        return self.today


cdef _trace(const Scanned* event, Block block, Py_ssize_t number):
    """Return the traceparent of an event, as `streams.log.tracing.traceparent` does."""
    if event.trace.at != NULL:
        return well_formed(event.trace.at[: event.trace.size])
    if block.records is None and not block.raw[number].traced:
        return None
    headers = block.headers_at(number)
    return traceparent(None, headers) if headers else None


cdef _mark(list out, Py_ssize_t begin, trace):
    """Give what has left since `begin` a trace, where there is one."""
    if trace is not None:
        out[begin:] = [replace(one, trace=trace) for one in out[begin:]]


cdef _recall(_Line line):
    line.watermark, line.due = line.line.watermark, line.line.due


cdef inline int put_packed_map(Buffer* buffer, uint32_t present) except -1:
    cdef char head = <char>0x80
    while present:
        head += 1
        present &= present - 1
    return put(buffer, &head, 1)


cdef inline bint _same(bytes one, const char* other, Py_ssize_t size):
    return PyBytes_GET_SIZE(one) == size and memcmp(PyBytes_AS_STRING(one), other, size) == 0


cdef inline bytes _identity(const Scanned* event):
    """Return the ledger key, as `tables.line.ledger.identity` does."""
    cdef Py_ssize_t size = (
        4 + event.plant.size + event.line.size + event.source.size + event.id.size
    )
    cdef bytes key = PyBytes_FromStringAndSize(NULL, size)
    cdef char* at = PyBytes_AS_STRING(key)
    at[0] = b"l"
    at = _laid(at + 1, event.plant.at, event.plant.size, b"/")
    at = _laid(at, event.line.at, event.line.size, 0)
    at = _laid(at, event.source.at, event.source.size, 0)
    memcpy(at, event.id.at, event.id.size)
    return key


cdef inline char* _laid(char* at, const char* text, int size, char after) noexcept:
    memcpy(at, text, size)
    at[size] = after
    return at + size + 1


cdef inline uint64_t _big(const char* at) noexcept:
    cdef uint64_t value = 0
    cdef int index
    for index in range(8):
        value = value << 8 | <unsigned char>at[index]
    return value


cdef inline int64_t _time_of(const char* entry) noexcept:
    return <int64_t>(_big(entry) ^ 0x8000000000000000)


cdef inline void _put_big(char* at, uint64_t value) noexcept:
    cdef int index
    for index in range(8):
        at[index] = <char>(value >> 8 * (7 - index))


cdef inline bytes _entry(int64_t at, Digest digest):
    """Return a ledger entry, as `tables.line.ledger.entry_bytes` does."""
    cdef bytes entry = PyBytes_FromStringAndSize(NULL, 24)
    cdef char* data = PyBytes_AS_STRING(entry)
    _put_big(data, <uint64_t>at ^ 0x8000000000000000)
    _put_big(data + 8, digest.high)
    _put_big(data + 16, digest.low)
    return entry


cdef bint _applies(tuple where, const Scanned* event) except -1:
    cdef int index
    for index, value in where:
        if not event.present >> index & 1 or not _same(
            <bytes>value, event.fields[index].at, event.fields[index].number
        ):
            return False
    return True


cdef _member(_Plan plan, const Scanned* event, int index):
    """Return a member of a row: a text, a flag, or None for an absent one."""
    if not event.present >> index & 1:
        return None
    if plan.field_kind[index] == FLAG:
        return bool(event.fields[index].number)
    return text_of(event.fields[index].at, event.fields[index].number)


cdef _downtime(const Scanned* event):
    """Return a downtime event as `streams.codec.decode.decode` does."""
    cdef const Field* field = event.fields
    if event.kind == DOWNTIME_STARTED:
        kind = DowntimeStarted
        data = DowntimeStartedData(
            text_of(field[0].at, field[0].number), text_of(field[1].at, field[1].number),
            text_of(field[2].at, field[2].number), bool(field[3].number),
        )
    else:
        kind = DowntimeEnded
        data = DowntimeEndedData(
            text_of(field[0].at, field[0].number), text_of(field[1].at, field[1].number)
        )
    return kind(
        specversion="1.0",
        source=text_of(event.source.at, event.source.size),
        id=text_of(event.id.at, event.id.size),
        time=event.time,
        plant=text_of(event.plant.at, event.plant.size),
        line=text_of(event.line.at, event.line.size),
        data=data,
    )


def _plan(name, struct, rules):
    """Return the plan of an event type, None for one that goes the plain way."""
    given = rules.plans[struct]
    each = members(struct.__annotations__["data"])
    if struct is TransactionReversed:
        return None  # checks 11 to 14
    if len(rules.kinds) > KINDS_MAX or len(given.contributions) > CONTRIBUTIONS_MAX:
        raise ValueError(f"{name}: more record types than streams.contract.policy lets be")
    cdef _Plan plan = _Plan()
    cdef int index
    cdef _Contribution kept
    numbers = {member.name: number for number, member in enumerate(each)}
    kinds = {"text": TEXT, "measure": MEASURE, "flag": FLAG, "json": 3}
    plan.name = b"\x93" + _packed(name)
    plan.event = name.encode()
    plan.transaction = struct is not MachineTelemetry
    plan.stop = struct is DowntimeStarted or struct is DowntimeEnded
    plan.state = struct is MachineState
    plan.state_field = numbers.get("state", 0)
    plan.field_count = len(each)
    for index, member in enumerate(each):
        plan.field_kind[index] = kinds[member.kind]
    plan.field_names = [_packed(member.name) for member in each]
    plan.contributions = []
    telling = []
    for contribution, row in zip(given.contributions, given.rows, strict=True):
        if any(each[numbers[one]].kind != "text" for one in contribution.where):
            return None
        kept = _contribution(contribution, row, numbers)
        telling += [*kept.row, *[one for one, _ in kept.where]]
        plan.contributions.append(kept)
    plan.count = len(plan.contributions)
    plan.key_count = 0
    for number in sorted(set(telling)):
        plan.key_field[plan.key_count] = number
        plan.key_count += 1
    plan.at_once = []
    for record in given.at_once:
        if any(each[numbers[one]].kind != "text" for one in record.where):
            return None
        plan.at_once.append(_at_once(record, numbers))
    return plan


cdef _Contribution _contribution(given, row, numbers):
    cdef _Contribution contribution = _Contribution()
    cdef int slot = 0
    if given.width > SLOTS_MAX:
        raise ValueError(
            f"a row has {given.width} measures: more than streams.contract.policy lets be"
        )
    contribution.index, contribution.length = given.kind_index, given.length
    contribution.width, contribution.erp = given.width, given.erp
    contribution.row = tuple(numbers[name] for name in row)
    contribution.where = tuple(
        (numbers[name], value.encode()) for name, value in given.where.items()
    )
    contribution.slots = len(given.slots)
    for place, member in given.slots:
        contribution.slot[slot] = place
        contribution.slot_field[slot] = numbers[member]
        slot += 1
    return contribution


cdef _at_once(given, numbers):
    cdef _AtOnce record = _AtOnce()
    record.record = given.record
    record.head = (
        f'{{"specversion":"1.0","type":"{given.record}","source":"{SOURCE}","id":"'.encode()
    )
    record.short = f"{given.short}:".encode()
    record.event = given.event
    record.where = tuple((numbers[name], value.encode()) for name, value in given.where.items())
    record.fields = tuple((numbers[name], f'"{name}":'.encode()) for name in given.names)
    return record


cdef bytes _packed(str text):
    cdef Buffer buffer
    buffer.data, buffer.size, buffer.room = NULL, 0, 0
    cdef bytes data = text.encode()
    put_packed_text(&buffer, data, len(data))
    try:
        return taken(&buffer)
    finally:
        free(buffer.data)


def count_types(counts, list records):
    """Count records by their type, but for exceptions."""
    cdef Py_ssize_t number = 0
    last = None
    for record in records:
        kind = record.type
        if kind is not last:
            if number and last is not None:
                counts[last] = counts.get(last, 0) + number
            last = None if record.topic == EXCEPTIONS else kind
            number = 0
        number += 1
    if number and last is not None:
        counts[last] = counts.get(last, 0) + number
