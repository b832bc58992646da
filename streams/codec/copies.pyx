# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""From the bytes of a reference record straight to its members: how nearly all copies are read.

`scan_copy` takes records of the kinds of which there are many, in ordinary form (see
`streams.codec.walking`): what is surely right, and deletes nothing. Whatever else comes is left to
`streams.codec.reference`, which agrees with it on what it takes (tests/partition/test_copies.py).
"""

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memchr, memcmp

from streams.codec.copy_rules cimport (
    CONVERSIONS, KINDS_MAX, SAID_FLAG, SAID_INSTANT, SAID_MEASURE, KindRule, SaidRule, rules,
)
from streams.codec.walking cimport (
    FALSE, MEMBERS_MAX, NESTED, NULL_, NUMBER, STRING, TRUE, ZERO, Member, Value, fits, is_ordinary,
    is_same, read_members, read_measure, read_name, read_value, spaces,
)
from streams.values.dates cimport read_instant

from streams.codec.document import VALUE_BYTES_MAX
from streams.contract.members import NAME_CHARACTERS_MAX, PLACE_CHARACTERS_MAX
from streams.contract.reference_values import FACTOR_MAX
from streams.contract.transactions import SOURCE
from streams.values.quantity import SCALE

cdef enum:
    ATTRIBUTES_MAX = 20
    SEQ_DIGITS_MAX = 18
    EARLY = 64  # what lineside writes has its type there

cdef int value_bytes_max = VALUE_BYTES_MAX
cdef int name_characters_max = NAME_CHARACTERS_MAX
cdef int place_characters_max = PLACE_CHARACTERS_MAX
cdef int64_t factor_end = FACTOR_MAX * SCALE
cdef bytes _source = SOURCE.encode()
cdef const char* source = _source
cdef int source_size = <int>len(_source)

cdef bint is_named_early(const char* value, int size) noexcept nogil:
    """Return whether `"reference.` is near the begin of a value: it's worth a try."""
    cdef const char* at = value
    cdef const char* end = value + (size if size < EARLY else EARLY)
    if value == NULL:
        return False
    while True:
        at = <const char*>memchr(at, b"r", end - at)
        if at == NULL or value + size - at < 10:
            return False
        if memcmp(at, b"reference.", 10) == 0:
            return True
        at += 1


cdef bint scan_copy(const char* value, int size, Copy* copy) noexcept nogil:
    """Read a reference record; return whether it is one for this way."""
    cdef const char* end = value + size
    cdef const char* at
    cdef Member attributes[ATTRIBUTES_MAX]
    cdef Member found[MEMBERS_MAX]
    cdef int count = 0, found_count = -1
    if size > value_bytes_max or not is_ordinary(value, size):
        return False
    at = spaces(value, end)
    if at == end or at[0] != b"{":
        return False
    at = spaces(at + 1, end)
    while True:
        if count == ATTRIBUTES_MAX:
            return False
        at = read_name(at, end, &attributes[count].name)
        if at == NULL:
            return False
        if _is(&attributes[count].name, b"data", 4):
            if found_count >= 0 or at == end or at[0] != b"{":
                return False
            at = read_members(at + 1, end, found, &found_count)
        else:
            at = read_value(at, end, &attributes[count].value, 0)
            count += 1
        if at == NULL:
            return False
        at = spaces(at, end)
        if at == end:
            return False
        if at[0] == b"}":
            break
        if at[0] != b",":
            return False
        at = spaces(at + 1, end)
    return (
        spaces(at + 1, end) == end
        and found_count >= 0
        and _envelope(attributes, count, copy)
        and _said(&rules[copy.kind], found, found_count, copy)
    )


cdef bint _envelope(const Member* attributes, int count, Copy* copy) noexcept nogil:
    """Take the attributes: kind, source, plant and seq; False where one is odd, or twice."""
    cdef int number, other
    cdef const Span* name
    cdef const Value* value
    cdef bint ours = False
    copy.kind = copy.seq = -1
    copy.plant.at, copy.plant.size = NULL, 0
    for number in range(count):
        name, value = &attributes[number].name, &attributes[number].value
        for other in range(number):
            if is_same(&attributes[other].name, name):
                return False  # twice
        if _is(name, b"type", 4):
            if value.kind != STRING:
                return False
            copy.kind = _kind_of(&value.text)
        elif _is(name, b"source", 6):
            if value.kind != STRING or not _is(&value.text, source, source_size):
                return False
            ours = True
        elif _is(name, b"plant", 5):
            if value.kind != STRING:
                return False
            copy.plant = value.text
        elif _is(name, b"seq", 3) and value.kind != NULL_:
            if value.kind != NUMBER or not _whole(&value.text, &copy.seq):
                return False
    if not ours or copy.kind < 0:
        return False
    if rules[copy.kind].everywhere and _is(&copy.plant, b"*", 1):
        return True
    return _is_place(&copy.plant)


cdef int _kind_of(const Span* name) noexcept nogil:
    cdef int number
    for number in range(KINDS_MAX):
        if _is(name, rules[number].type, rules[number].type_size):
            return number
    return -1


cdef inline bint _is(const Span* text, const char* other, int size) noexcept nogil:
    return text.size == size and memcmp(text.at, other, size) == 0


cdef inline bint _is_place(const Span* text) noexcept nogil:
    return (
        fits(text, place_characters_max)
        and memchr(text.at, b"/", text.size) == NULL
        and not _is(text, b"*", 1)
    )


cdef inline bint _whole(const Span* text, int64_t* number) noexcept nogil:
    """Read a whole number of 0 or more, in digits only."""
    cdef int index
    if text.size > SEQ_DIGITS_MAX:
        return False
    number[0] = 0
    for index in range(text.size):
        if not b"0" <= text.at[index] <= b"9":
            return False
        number[0] = 10 * number[0] + (text.at[index] - ZERO)
    return True


cdef bint _said(
    const KindRule* rule, const Member* found, int count, Copy* copy
) noexcept nogil:
    """Take the members of `data`; False where one is odd, twice, missing, or says `deleted`."""
    cdef int number, other, index, guess = 0
    cdef const Said* base
    copy.present = 0
    for number in range(count):
        for other in range(number):
            if is_same(&found[other].name, &found[number].name):
                return False  # twice
        index = _member_of(rule, &found[number].name, guess)
        if index < 0:
            if found[number].value.kind == NESTED or _is(&found[number].name, b"deleted", 7):
                return False
            continue
        guess = index + 1
        if found[number].value.kind == NULL_:
            continue  # absent
        if not _member(&rule.said[index], &found[number].value, &copy.said[index]):
            return False
        copy.present |= <uint32_t>1 << index
    if copy.present & rule.required != rule.required:
        return False
    if rule.base < 0:
        return True
    base = &copy.said[rule.base]
    for index in range(rule.count):
        if rule.said[index].kind == CONVERSIONS and copy.present >> index & 1:
            return _conversions(&copy.said[index], base)
    return True


cdef inline int _member_of(const KindRule* rule, const Span* name, int guess) noexcept nogil:
    cdef int index
    if guess < rule.count and _is(name, rule.said[guess].name, rule.said[guess].name_size):
        return guess
    for index in range(rule.count):
        if _is(name, rule.said[index].name, rule.said[index].name_size):
            return index
    return -1


cdef bint _member(const SaidRule* rule, const Value* value, Said* said) noexcept nogil:
    """Take the value of a member; False where it is odd."""
    cdef int index
    if rule.kind == SAID_FLAG:
        said.number = value.kind == TRUE
        return value.kind == TRUE or value.kind == FALSE
    if rule.kind == SAID_MEASURE:
        return (value.kind == STRING or value.kind == NUMBER) and read_measure(
            value.text.at, value.text.size, &said.number
        )
    if rule.kind == CONVERSIONS:
        said.at, said.number = value.text.at, value.text.size
        return value.kind == NESTED and value.text.at[0] == b"{"
    if value.kind != STRING:
        return False
    if rule.kind == SAID_INSTANT:
        return read_instant(value.text.at, value.text.size, &said.number)
    said.at, said.number = value.text.at, value.text.size
    if rule.place:
        return _is_place(&value.text)
    if not rule.choice_count:
        return fits(&value.text, name_characters_max)
    for index in range(rule.choice_count):
        if _is(&value.text, rule.choices[index], rule.choice_sizes[index]):
            return True
    return False


cdef bint _conversions(const Said* said, const Said* base) noexcept nogil:
    """Return whether conversions are right, each a unit and a factor; none is of the base unit."""
    cdef Member found[MEMBERS_MAX]
    cdef int number, other, count = 0
    cdef int64_t factor
    if read_members(said.at + 1, said.at + said.number, found, &count) == NULL:
        return False
    for number in range(count):
        for other in range(number):
            if is_same(&found[other].name, &found[number].name):
                return False  # twice
        if not factor_of(&found[number], &factor):
            if found[number].value.kind != NULL_:
                return False
        elif _is(&found[number].name, base.at, <int>base.number):
            return False
    return True


cdef bint factor_of(const Member* member, int64_t* factor) noexcept nogil:
    """Read a conversion; False where it is absent or odd."""
    return (
        (member.value.kind == STRING or member.value.kind == NUMBER)
        and fits(&member.name, name_characters_max)
        and read_measure(member.value.text.at, member.value.text.size, factor)
        and 0 < factor[0] < factor_end
    )
