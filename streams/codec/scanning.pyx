# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""From the bytes of an event straight to its members: what nearly all events are decoded by.

`scan` takes what is surely right and in ordinary form: one JSON object of printable text, in ASCII
or the Latin letters of Europe (whatever their order, they are in Unicode's form C), without
escapes, no member twice in what is read, small numbers, an instant in the usual notation. Whatever
else comes is left to `streams.codec.decode.decode`, which agrees with it on what it takes
(tests/codec/test_scanning.py).
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy

from streams.codec.copies cimport Copy, is_named_early, scan_copy
from streams.codec.walking cimport (
    FALSE, MEMBERS_MAX, NULL_, NUMBER, STRING, TRUE, Member, Value, fits, is_ordinary, is_same,
    read_members, read_measure, read_name, read_value, spaces,
)
from streams.log.blocks cimport NO_TIMESTAMP, Block, Raw, block_of
from streams.values.dates cimport read_instant
from streams.values.spans cimport Span, text_of
from streams.values.wide cimport number_of, wide, wide_of

import msgspec

from streams.codec.decode import decode, decode_plain
from streams.codec.document import VALUE_BYTES_MAX
from streams.contract.events import TYPES, Tick
from streams.contract.members import NAME_CHARACTERS_MAX, PLACE_CHARACTERS_MAX, members
from streams.contract.reference import Reference
from streams.contract.topics import MES_EVENTS
from streams.log.tracing import traceparent, well_formed

cdef enum:
    WHOLE = -1  # size of a trace that isn't there: it's looked for in the whole record
    TYPES_MAX = 24
    NAME_MAX = 32
    CHOICES_MAX = 64
    CHOICE_MAX = 16
    OTHERS_MAX = 16  # attributes that aren't named here
    COPIES_MIN = 64

cdef struct FieldRule:
    char name[NAME_MAX]
    int name_size
    FieldKind kind
    int choices_begin
    int choices_end
    int absent  # which choice it is where it's absent, -1 for none

cdef struct TypeRule:
    char name[NAME_MAX]
    int name_size
    bint mes
    int field_count
    uint32_t required
    uint32_t replaced  # fields that are read as something where they're absent
    FieldRule fields[FIELDS_MAX]

cdef struct Choice:
    char name[CHOICE_MAX]
    int size

cdef struct Seen:  # of the envelope, beside what has a place in `Event`
    Span kind
    Span time
    bint version
    bint trace
    int others
    Span names[OTHERS_MAX]

cdef TypeRule type_rules[TYPES_MAX]
cdef int type_count = 0
cdef Choice choices[CHOICES_MAX]
cdef int choice_count = 0
cdef int value_bytes_max = VALUE_BYTES_MAX
cdef int name_characters_max = NAME_CHARACTERS_MAX
cdef int place_characters_max = PLACE_CHARACTERS_MAX


def check_room(types):
    """Raise `RuntimeError` where event types have more of anything than the arrays here hold."""
    each = [members(struct.__annotations__["data"]) for struct in types.values()]
    choices_of = [choice for fields in each for member in fields for choice in member.choices]
    names = [*types, *(member.name for fields in each for member in fields)]
    for limit, room, count, what in (
        ("TYPES_MAX", TYPES_MAX, len(types), "types"),
        ("FIELDS_MAX", FIELDS_MAX, max(map(len, each)), "members in one type"),
        ("CHOICES_MAX", CHOICES_MAX, len(choices_of), "choices in all"),
        ("NAME_MAX", NAME_MAX, max(map(len, names)), "characters in one name"),
        ("CHOICE_MAX", CHOICE_MAX, max(map(len, choices_of), default=0), "characters in a choice"),
    ):
        if count > room:
            raise RuntimeError(
                f"streams.contract.events has {count} {what}, but streams.codec.scanning has room "
                f"for {room}: raise {limit}"
            )


def _learn():
    """Make the rules from the structs of `streams.contract.events`."""
    global type_count, choice_count
    kinds = {"text": TEXT, "measure": MEASURE, "flag": FLAG, "json": JSON, "object": OBJECT}
    cdef TypeRule* rule
    cdef FieldRule* field
    check_room(TYPES)
    for name, struct in TYPES.items():
        rule = &type_rules[type_count]
        type_count += 1
        rule.name_size = _keep(rule.name, name)
        rule.mes = struct.TOPIC == MES_EVENTS
        rule.required = rule.replaced = 0
        rule.field_count = 0
        for member in members(struct.__annotations__["data"]):
            field = &rule.fields[rule.field_count]
            field.name_size = _keep(field.name, member.name)
            field.kind = kinds[member.kind]
            field.choices_begin = choice_count
            field.absent = -1
            if member.absent:
                field.absent = choice_count + member.choices.index(member.absent)
                rule.replaced |= 1 << rule.field_count
            for choice in member.choices:
                choices[choice_count].size = _keep(choices[choice_count].name, choice)
                choice_count += 1
            field.choices_end = choice_count
            if member.required:
                rule.required |= 1 << rule.field_count
            rule.field_count += 1


cdef int _keep(char* where, str text) except -1:
    """Copy a name to where `check_room` has found room for it; return its size."""
    cdef bytes data = text.encode("ascii")
    memcpy(where, <const char*>data, len(data))
    return <int>len(data)


_learn()


cdef int scan(const char* value, int size, int topics, Event* event) noexcept nogil:
    """Read an event of one of `Topics`; return its kind, or -1 for one that isn't for this way."""
    cdef const char* end = value + size
    cdef const char* at = value
    cdef Member member
    cdef Seen seen
    cdef Member found[MEMBERS_MAX]
    cdef int count = -1, index
    event.kind = -1
    event.source.at = event.id.at = event.plant.at = event.line.at = NULL
    seen.kind.at = seen.time.at = NULL
    seen.version = seen.trace = False
    seen.others = 0
    event.trace.at, event.trace.size = NULL, 0
    if value == NULL or size > value_bytes_max or not is_ordinary(value, size):
        return -1
    at = spaces(at, end)
    if at == end or at[0] != b"{":
        return -1
    at = spaces(at + 1, end)
    while True:
        at = read_name(at, end, &member.name)
        if at == NULL:
            return -1
        if member.name.size == 4 and memcmp(member.name.at, b"data", 4) == 0:
            if count >= 0 or at == end or at[0] != b"{":
                return -1
            at = read_members(at + 1, end, found, &count)
            if at == NULL:
                return -1
        else:
            at = read_value(at, end, &member.value, 0)
            if at == NULL or not _attribute(&member, event, &seen):
                return -1
        at = spaces(at, end)
        if at == end:
            return -1
        if at[0] == b"}":
            break
        if at[0] != b",":
            return -1
        at = spaces(at + 1, end)
    if spaces(at + 1, end) != end or count < 0 or not seen.version or seen.kind.at == NULL:
        return -1
    if (
        not fits(&event.source, name_characters_max) or not fits(&event.id, name_characters_max)
        or not fits(&event.plant, place_characters_max)
        or not fits(&event.line, place_characters_max)
        or seen.time.at == NULL or not read_instant(seen.time.at, seen.time.size, &event.time)
    ):
        return -1
    for index in range(type_count):
        if (
            type_rules[index].name_size == seen.kind.size
            and (topics == ANY or type_rules[index].mes == topics)
            and memcmp(type_rules[index].name, seen.kind.at, seen.kind.size) == 0
        ):
            if _fields(&type_rules[index], found, count, event):
                event.kind = index
            break
    return event.kind


cdef inline bint _attribute(const Member* member, Event* event, Seen* seen) noexcept nogil:
    """Take an attribute of the envelope; False for what isn't for the fast way."""
    cdef const Span* name = &member.name
    cdef Span* place = NULL
    if name.size == 4:
        if memcmp(name.at, b"type", 4) == 0:
            place = &seen.kind
        elif memcmp(name.at, b"time", 4) == 0:
            place = &seen.time
        elif memcmp(name.at, b"line", 4) == 0:
            place = &event.line
    elif name.size == 6:
        if memcmp(name.at, b"source", 6) == 0:
            place = &event.source
    elif name.size == 2:
        if memcmp(name.at, b"id", 2) == 0:
            place = &event.id
    elif name.size == 5:
        if memcmp(name.at, b"plant", 5) == 0:
            place = &event.plant
    elif name.size == 11:
        if memcmp(name.at, b"specversion", 11) == 0:
            if (
                seen.version or member.value.kind != STRING or member.value.text.size != 3
                or memcmp(member.value.text.at, b"1.0", 3) != 0
            ):
                return False
            seen.version = True
            return True
        elif memcmp(name.at, b"traceparent", 11) == 0:
            if seen.trace:  # twice
                return False
            seen.trace = True
            if member.value.kind == STRING:
                event.trace = member.value.text
            return True
    elif name.size == 7 and memcmp(name.at, b"payload", 7) == 0:
        return False
    if place != NULL:
        if place.at != NULL or member.value.kind != STRING:
            return False
        place[0] = member.value.text
        return True
    return _other(name, seen)


cdef bint _other(const Span* name, Seen* seen) noexcept nogil:
    """Note the name of an attribute that has no place; False if it's twice, or one too many."""
    cdef int index
    for index in range(seen.others):
        if is_same(&seen.names[index], name):
            return False
    if seen.others == OTHERS_MAX:
        return False
    seen.names[seen.others] = name[0]
    seen.others += 1
    return True


cdef bint _fields(
    const TypeRule* rule, const Member* found, int count, Event* event
) noexcept nogil:
    """Put the members of `data` into the fields of the event's type."""
    cdef uint32_t seen = 0, present = 0, absent
    cdef int number, other, index, guess = 0
    for number in range(count):
        index = _field_of(rule, &found[number].name, guess)
        if index < 0:
            for other in range(number):
                if is_same(&found[other].name, &found[number].name):
                    return False  # twice
            continue
        if seen >> index & 1:
            return False  # twice
        seen |= 1 << index
        guess = index + 1
        if found[number].value.kind == NULL_ and rule.fields[index].kind != JSON:
            continue  # absent
        if not _field(
            &rule.fields[index], rule.required >> index & 1, &found[number].value,
            &event.fields[index],
        ):
            return False
        if rule.fields[index].kind == FLAG and not rule.required >> index & 1:
            if not event.fields[index].number:
                continue  # a flag that may be absent: absent and false mean the same
        present |= 1 << index
    absent = rule.replaced & ~present
    for index in range(rule.field_count if absent else 0):
        if absent >> index & 1:
            event.fields[index].at = choices[rule.fields[index].absent].name
            event.fields[index].number = choices[rule.fields[index].absent].size
            present |= 1 << index
    event.present = present
    return present & rule.required == rule.required


cdef inline int _field_of(const TypeRule* rule, const Span* name, int guess) noexcept nogil:
    cdef int index
    if guess < rule.field_count and _is(&rule.fields[guess], name):
        return guess
    for index in range(rule.field_count):
        if _is(&rule.fields[index], name):
            return index
    return -1


cdef inline bint _is(const FieldRule* field, const Span* name) noexcept nogil:
    return field.name_size == name.size and memcmp(field.name, name.at, name.size) == 0


cdef inline bint _field(
    const FieldRule* rule, bint required, const Value* value, Field* field
) noexcept nogil:
    cdef int number
    if rule.kind == TEXT:
        if value.kind != STRING or not fits(&value.text, name_characters_max):
            return False
        field.at = value.text.at
        field.number = value.text.size
        if rule.choices_begin == rule.choices_end:
            return True
        for number in range(rule.choices_begin, rule.choices_end):
            if (
                choices[number].size == value.text.size
                and memcmp(choices[number].name, value.text.at, value.text.size) == 0
            ):
                return True
        return False
    if rule.kind == MEASURE:
        if value.kind != STRING and value.kind != NUMBER:
            return False
        if not read_measure(value.text.at, value.text.size, &field.number):
            return False
        field.at = <const char*><int64_t>(-1 if field.number < 0 else 0)  # the upper bits
        return True
    if rule.kind == FLAG:
        field.number = value.kind == TRUE
        return value.kind == TRUE or value.kind == FALSE
    return rule.kind == JSON


cdef dict _numbers = {struct: number for number, struct in enumerate(TYPES.values())}
cdef list _members_of = [members(struct.__annotations__["data"]) for struct in TYPES.values()]
cdef dict _kinds = {"text": TEXT, "measure": MEASURE, "flag": FLAG, "json": JSON, "object": OBJECT}


cdef class Events:
    """Records of an input partition, read: see `scanning.py`."""

    def __cinit__(self):
        self.each, self.copies = NULL, NULL
        self.count = self.room = self.copy_count = self.copies_room = 0

    def __dealloc__(self):
        free(self.each)
        free(self.copies)

    def read(self, records, int64_t seen, str topic, known=None):
        """Read records; those up to the offset `seen` are passed over."""
        cdef Block block = records if isinstance(records, Block) else block_of(records)
        cdef Py_ssize_t number
        cdef Event* event
        cdef Event* grown
        cdef const Raw* raw
        cdef int topics = topic == MES_EVENTS
        if block.count and block.raw[0].offset <= seen:
            block = block.after(seen)
        self.block, self.decoded, self.kept = block, {}, []
        self.count = block.count
        if block.count > self.room:
            grown = <Event*>realloc(self.each, block.count * sizeof(Event))
            if grown == NULL:
                raise MemoryError
            self.each, self.room = grown, block.count
        self.copy_count = 0
        for number in range(block.count):
            event = &self.each[number]
            raw = &block.raw[number]
            if not raw.binary and topics and is_named_early(raw.value, raw.value_size):
                if _take_copy(self, raw, event):
                    continue
            if raw.binary or scan(raw.value, raw.value_size, topics, event) < 0:
                decoded = None if known is None else known[number]
                if decoded is None:
                    record = block.at(number)
                    decoded = decode(record.value, record.headers, topic)
                self.decoded[number] = decoded
                _fill(self, event, decoded)

    def offset_at(self, Py_ssize_t number):
        """Return the offset of a record."""
        return self.block.offset_at(number)

    def record_at(self, Py_ssize_t number):
        """Return a record."""
        return self.block.at(number)

    cpdef decoded_at(self, Py_ssize_t number):
        """Return what a record is, as `streams.codec.decode.decode` does; JSON left out."""
        found = self.decoded.get(number)
        if found is None:
            if self.each[number].kind == REFERENCE:
                found = decode_plain(self.block.at(number).value, (), MES_EVENTS)
            else:
                found = _struct_of(&self.each[number])
            self.decoded[number] = found
        return found

    cpdef trace_at(self, Py_ssize_t number):
        """Return the traceparent of a record, None where it has none that is well formed."""
        cdef const Event* event = &self.each[number]
        if event.trace.at == NULL and event.trace.size == WHOLE:
            record = self.block.at(number)
            return traceparent(record.value, record.headers)
        if event.trace.at != NULL:
            return well_formed(event.trace.at[: event.trace.size])
        if self.block.records is None and not self.block.raw[number].traced:
            return None
        headers = self.block.headers_at(number)
        return traceparent(None, headers) if headers else None


cdef bint _take_copy(Events events, const Raw* raw, Event* event) except -1:
    """Read a reference record; return whether it is one that `scan_copy` takes."""
    cdef Copy* grown
    if events.copy_count == events.copies_room:
        events.copies_room = max(2 * events.copies_room, COPIES_MIN)
        grown = <Copy*>realloc(events.copies, events.copies_room * sizeof(Copy))
        if grown == NULL:
            raise MemoryError
        events.copies = grown
    if not scan_copy(raw.value, raw.value_size, &events.copies[events.copy_count]):
        return False
    event.kind, event.copy = REFERENCE, <int>events.copy_count
    event.trace.at, event.trace.size = NULL, WHOLE
    events.copy_count += 1
    return True


cdef list _structs = list(TYPES.values())
cdef list _data_structs = [struct.__annotations__["data"] for struct in _structs]
_no_json = msgspec.Raw(b"null")


cdef _struct_of(const Event* event):
    """Return an event that `scan` has read."""
    cdef int index = -1, kind
    values = []
    for member in <tuple>_members_of[event.kind]:
        index += 1
        kind = _kinds[member.kind]
        if not has(event, index):
            values.append(None)
        elif kind == TEXT:
            values.append(text_of(span_at(event, index)))
        elif kind == MEASURE:
            values.append(number_of(number_at(event, index)))
        elif kind == FLAG:
            values.append(flag_at(event, index))
        else:
            values.append(_no_json)
    return _structs[event.kind](
        specversion="1.0",
        source=text_of(event.source),
        id=text_of(event.id),
        time=event.time,
        plant=text_of(event.plant),
        line=text_of(event.line),
        data=_data_structs[event.kind](*values),
    )


cdef int _fill(Events events, Event* event, decoded) except -1:
    """Put what the full codec has read where `scan` puts it."""
    number = _numbers.get(decoded.__class__)
    event.trace.at, event.trace.size = NULL, WHOLE
    if number is None:
        event.kind = REFUSED
        if decoded.__class__ is Tick:
            event.kind, event.time = TICK, decoded.time
        elif decoded.__class__ is Reference:
            event.kind, event.copy = REFERENCE, -1
        return 0
    event.kind, event.time = number, decoded.time
    event.source = _span(events, decoded.source)
    event.id = _span(events, decoded.id)
    event.plant = _span(events, decoded.plant)
    event.line = _span(events, decoded.line)
    return _fill_fields(events, event, decoded.data)


cdef int _fill_fields(Events events, Event* event, data) except -1:
    cdef int index = -1, kind
    cdef Span span
    cdef wide number
    event.present = 0
    for member in <tuple>_members_of[event.kind]:
        index += 1
        value = getattr(data, member.name)
        if value is None:
            continue
        kind = _kinds[member.kind]
        if kind == TEXT:
            span = _span(events, value)
            event.fields[index].at, event.fields[index].number = span.at, span.size
        elif kind == MEASURE:
            number = wide_of(value)
            event.fields[index].at = <const char*><int64_t>(number >> 64)
            event.fields[index].number = <int64_t>number
        elif kind == FLAG:
            event.fields[index].number = value is True
        event.present |= <uint32_t>1 << index
    return 0


cdef Span _span(Events events, str text):
    cdef Span span
    cdef bytes data = text.encode()
    events.kept.append(data)
    span.at, span.size = PyBytes_AS_STRING(data), <int>len(data)
    return span


cdef Event* event_of_original(Events events, original) except NULL:
    """Return the original of a reversal as an event; valid until the next one."""
    events.original.kind = _numbers[TYPES[original.type]]
    events.original.time = original.time
    _fill_fields(events, &events.original, original.data)
    return &events.original


cdef Event* event_of_decoded(Events events, decoded) except NULL:
    """Return an event that the full codec has read; valid until the next one."""
    events.kept = []
    _fill(events, &events.original, decoded)
    return &events.original


def placed_by(bytes line):
    """Return what says where an event of a log belongs, None for what isn't for the fast way.

    It's b"1" for a MES event or b"0" for a machine's, then plant, slash and line.
    """
    cdef Event event
    cdef const char* value = <const char*>line
    cdef int size = <int>len(line)
    if scan(value, size, ANY, &event) < 0:
        return None
    cdef bytes where = PyBytes_FromStringAndSize(NULL, 2 + event.plant.size + event.line.size)
    cdef char* at = PyBytes_AS_STRING(where)
    at[0] = b"1" if type_rules[event.kind].mes else b"0"
    memcpy(at + 1, event.plant.at, event.plant.size)
    at[1 + event.plant.size] = b"/"
    memcpy(at + 2 + event.plant.size, event.line.at, event.line.size)
    return where


def scanned(bytes value, str topic):
    """Return what `scan` reads as (type, source, id, time, plant, line, data), None for -1.

    `data` has the members that are there: texts, billionths, flags; None for JSON. For tests.
    """
    cdef Event event
    cdef int index
    if scan(<const char*>value, <int>len(value), topic == MES_EVENTS, &event) < 0:
        return None
    cdef TypeRule* rule = &type_rules[event.kind]
    data = {}
    for index in range(rule.field_count):
        if not event.present >> index & 1:
            continue
        kind = rule.fields[index].kind
        name = rule.fields[index].name[: rule.fields[index].name_size].decode()
        if kind == TEXT:
            data[name] = event.fields[index].at[: event.fields[index].number].decode()
        elif kind == JSON:
            data[name] = None
        else:
            number = event.fields[index].number
            data[name] = bool(number) if kind == FLAG else number
    return (
        rule.name[: rule.name_size].decode(), _text(&event.source), _text(&event.id), event.time,
        _text(&event.plant), _text(&event.line), data,
    )  # fmt: skip


cdef str _text(const Span* span):
    return span.at[: span.size].decode()
