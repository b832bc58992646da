# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What `copied.py` is, compiled: from a copy's bytes to what the store has, without an object.

A key and a value are what `tables.known.known` makes of the same record (`fact_key`, `fact_bytes`).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp

from streams.codec.copies cimport Copy, Said, factor_of
from streams.codec.copy_rules cimport (
    CONVERSIONS, KINDS_MAX, NAME, SAID_FLAG, SAID_INSTANT, SAID_MAX, SaidKind,
)
from streams.codec.scanning cimport Event, Events, event_at
from streams.codec.walking cimport MEMBERS_MAX, Member, read_members
from streams.values cimport lookup
from streams.values.buffer cimport (
    Buffer, put, put_bytes, put_number, put_packed_head, put_packed_int, put_packed_text, taken,
    text_of,
)
from tables.known.known cimport Known

import msgspec

from streams.codec.copy_rules import COPIED_AS_THEY_ARE
from streams.contract.reference import KINDS, told
from tables.known.known import FACT, LETTERS, MEASURES, OfPlant

cdef enum:
    NIL = 0xC0
    UNSIGNED = 0xCC  # of one byte; then of two, four and eight

cdef struct Packing:
    int count
    int ids  # how many members the id has: they come first
    bint orders
    bint items
    bint places
    SaidKind kinds[SAID_MAX]

cdef Packing packings[KINDS_MAX]
cdef list _heads = [FACT + LETTERS[kind] for kind in COPIED_AS_THEY_ARE]
"""How keys begin, by kind."""
cdef list _names = [
    [msgspec.msgpack.encode(member.name) for member in told(KINDS[kind])]
    for kind in COPIED_AS_THEY_ARE
]
"""The names of members as they are packed."""

cdef dict _kinds = {"flag": SAID_FLAG, "instant": SAID_INSTANT, "conversions": CONVERSIONS}

cdef Buffer made
made.data = NULL
made.size = made.room = 0


def _prepare():
    cdef Packing* packing
    for number, kind in enumerate(COPIED_AS_THEY_ARE):
        members = told(KINDS[kind])
        packing = &packings[number]
        packing.count, packing.ids = len(members), len(KINDS[kind].ID)
        assert tuple(member.name for member in members[: packing.ids]) == KINDS[kind].ID
        packing.orders, packing.items = kind == "order", kind == "item"
        packing.places = kind in ("line", "work_unit")
        for index, member in enumerate(members):
            packing.kinds[index] = _kinds.get(member.kind, NAME)
            if member.kind == "measure":
                assert member.name in MEASURES
                packing.kinds[index] = SaidKind.SAID_MEASURE


_prepare()


cdef class Copied:
    """What is known under the keys of a batch's copies, looked up at once."""

    def __init__(self):
        self.keys, self.stored, self.plant = [], [], b""

    cpdef look_up(self, Events events, get_many):
        """Look up what the store has under the keys of copies that `learn` may be asked for."""
        cdef Py_ssize_t number
        self.keys = [_key_of(&events.copies[number]) for number in range(events.copy_count)]
        self.stored = get_many(self.keys) if self.keys else []

    cpdef bint learn(self, Known known, Events events, Py_ssize_t number, bint parked) except -1:
        """Learn the record of a number; return False for one that is to be learnt another way.

        With events `parked` an order is, since it may free some.
        """
        cdef const Event* event = event_at(events, number)
        cdef const Copy* copy
        cdef const Packing* packing
        cdef int64_t seq
        if event.copy < 0:
            return False
        copy = &events.copies[event.copy]
        packing = &packings[copy.kind]
        if parked and packing.orders:
            return False
        key = self.keys[event.copy]
        before = known.changed.get(key)
        seq = _seq_of(self.stored[event.copy] if before is None else before)
        if copy.seq >= 0:
            if seq >= copy.seq:
                return True
            seq = copy.seq
        known.changed[key] = _fact(copy, packing, seq)
        if key in known.cached.items:
            lookup.drop(known.cached, key)
        if packing.orders:
            known.orders = True
        elif packing.items:
            known.items = True
        elif packing.places:
            known.places = True
        if not _is_last(self.plant, copy):
            plant = text_of(copy.plant.at, copy.plant.size)
            if plant not in known.plants:
                known.plants[plant] = OfPlant()
            self.plant = plant.encode()
        return True


cdef bint _is_last(bytes plant, const Copy* copy) noexcept:
    return (
        PyBytes_GET_SIZE(plant) == copy.plant.size
        and memcmp(PyBytes_AS_STRING(plant), copy.plant.at, copy.plant.size) == 0
    )


cdef bytes _key_of(const Copy* copy):
    """Return a copy's key of the store: `tables.known.known.fact_key`."""
    cdef int index
    made.size = 0
    put_bytes(&made, _heads[copy.kind])
    put(&made, copy.plant.at, copy.plant.size)
    for index in range(packings[copy.kind].ids):
        put(&made, b"\0", 1)
        put(&made, copy.said[index].at, copy.said[index].number)
    return taken(&made)


cdef bytes _fact(const Copy* copy, const Packing* packing, int64_t seq):
    """Return what the store has of a copy: `tables.known.known.fact_bytes`."""
    cdef int index, count = 0
    cdef list names = _names[copy.kind]
    made.size = 0
    put(&made, b"\x92", 1)
    if seq < 0:
        put(&made, b"\xc0", 1)
    else:
        put_packed_int(&made, seq)
    for index in range(packing.count):
        count += copy.present >> index & 1
    put_packed_head(&made, count, 0x80, 0xDE)
    for index in range(packing.count):
        if copy.present >> index & 1:
            put_bytes(&made, names[index])
            _put_said(packing.kinds[index], &copy.said[index])
    return taken(&made)


cdef int _put_said(SaidKind kind, const Said* said) except -1:
    cdef Py_ssize_t begin
    if kind == NAME:
        return put_packed_text(&made, said.at, said.number)
    if kind == SAID_FLAG:
        return put(&made, b"\xc3" if said.number else b"\xc2", 1)
    if kind == SAID_INSTANT:
        return put_packed_int(&made, said.number)
    if kind == CONVERSIONS:
        return _put_conversions(said)
    begin = made.size  # a measure is packed as its digits, 19 and a sign at most: after one byte
    put(&made, b"\0", 1)
    put_number(&made, said.number, 1)
    made.data[begin] = <char>(0xA0 | (made.size - begin - 1))
    return 0


cdef int _put_conversions(const Said* said) except -1:
    cdef Member found[MEMBERS_MAX]
    cdef int64_t factors[MEMBERS_MAX]
    cdef bint there[MEMBERS_MAX]
    cdef int index, count = 0, present = 0
    read_members(said.at + 1, said.at + said.number, found, &count)
    for index in range(count):
        there[index] = factor_of(&found[index], &factors[index])
        present += there[index]
    put_packed_head(&made, present, 0x80, 0xDE)
    for index in range(count):
        if there[index]:
            put_packed_text(&made, found[index].name.at, found[index].name.size)
            put_packed_int(&made, factors[index])
    return 0


cdef int64_t _seq_of(bytes fact) except? -1:
    """Return the `seq` of what the store has, -1 where there is none."""
    cdef const unsigned char* at
    cdef int64_t seq = 0
    cdef int index
    if fact is None:
        return -1
    at = <const unsigned char*>PyBytes_AS_STRING(fact) + 1  # after the head of a list
    if at[0] == NIL:
        return -1
    if at[0] < 0x80:
        return at[0]
    for index in range(1 << (at[0] - UNSIGNED)):
        seq = seq << 8 | at[1 + index]
    return seq
