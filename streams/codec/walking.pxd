# cython: cdivision=True
"""JSON in its bytes: what one object says, member by member; inline, for compiled code.

Only JSON in ordinary form: see `is_ordinary`. Whatever is odd is told as such, and left to the full
codec.
"""

from libc.stdint cimport int64_t
from libc.string cimport memchr, memcmp

from streams.values.spans cimport Span

cdef enum:
    ZERO = 48  # the digit
    MEMBERS_MAX = 24  # of an object that is read, known or not
    DEPTH_MAX = 16
    WHOLE_DIGITS_MAX = 9  # so that billionths fit 64 bits
    FRACTION_DIGITS_MAX = 9

cdef enum ValueKind:
    STRING
    NUMBER  # without an exponent
    ODD_NUMBER
    TRUE
    FALSE
    NULL_
    NESTED  # an object or a list

cdef struct Value:
    ValueKind kind
    Span text  # of a string without its quotes, of a number, of what is nested with its brackets

cdef struct Member:
    Span name
    Value value


cdef inline bint is_ordinary(const char* value, int size) noexcept nogil:
    """Return whether all is printable, of ASCII or the Latin letters of Europe, no backslash."""
    cdef unsigned char odd = 0, high = 0, byte
    cdef int index
    for index in range(size):  # without a branch: eight to sixty-four bytes at a time
        byte = <unsigned char>value[index]
        high |= byte
        odd |= (byte < 0x20) | (byte == 0x5C) | (byte == 0x7F)
    return not odd and (high < 0x80 or _latin(value, size))


cdef inline bint _latin(const char* value, int size) noexcept nogil:
    """Return whether all that isn't ASCII is UTF-8 of U+00A1 to U+017F, without the soft hyphen."""
    cdef int index = 0
    cdef unsigned char byte, next_
    while index < size:
        byte = <unsigned char>value[index]
        index += 1
        if byte < 0x80:
            continue
        if index == size or not 0xC2 <= byte <= 0xC5:
            return False
        next_ = <unsigned char>value[index]
        index += 1
        if not 0x80 <= next_ <= 0xBF or (byte == 0xC2 and (next_ <= 0xA0 or next_ == 0xAD)):
            return False
    return True


cdef inline const char* spaces(const char* at, const char* end) noexcept nogil:
    while at < end and at[0] == b" ":  # other whitespace isn't printable
        at += 1
    return at


cdef inline const char* read_name(const char* at, const char* end, Span* name) noexcept nogil:
    """Read the name of a member, and go to its value; NULL where there's none."""
    cdef const char* quote
    if at == end or at[0] != b'"':
        return NULL
    at += 1
    quote = <const char*>memchr(at, b'"', end - at)
    if quote == NULL:
        return NULL
    name.at = at
    name.size = <int>(quote - at)
    at = spaces(quote + 1, end)
    if at == end or at[0] != b":":
        return NULL
    return spaces(at + 1, end)


cdef inline bint fits(const Span* text, int characters_max) noexcept nogil:
    return (
        text.at != NULL and 0 < text.size <= characters_max
        and text.at[0] != b" " and text.at[text.size - 1] != b" "
    )


cdef inline bint is_same(const Span* one, const Span* other) noexcept nogil:
    return one.size == other.size and memcmp(one.at, other.at, one.size) == 0


cdef inline const char* read_members(
    const char* at, const char* end, Member* found, int* count
) noexcept nogil:
    """Read the members of an object after its brace; return where it ends, NULL if it's odd."""
    cdef int number = 0
    at = spaces(at, end)
    if at < end and at[0] == b"}":
        count[0] = 0
        return at + 1
    while number < MEMBERS_MAX:
        at = read_name(at, end, &found[number].name)
        if at == NULL:
            return NULL
        at = read_value(at, end, &found[number].value, 1)
        if at == NULL:
            return NULL
        number += 1
        at = spaces(at, end)
        if at == end:
            return NULL
        if at[0] == b"}":
            count[0] = number
            return at + 1
        if at[0] != b",":
            return NULL
        at = spaces(at + 1, end)
    return NULL


cdef inline const char* read_value(
    const char* at, const char* end, Value* value, int depth
) noexcept nogil:
    """Read a value; return where it ends, NULL where there's none."""
    cdef const char* stop
    cdef char first
    if at == end:
        return NULL
    first = at[0]
    if first == b'"':
        stop = <const char*>memchr(at + 1, b'"', end - at - 1)
        if stop == NULL:
            return NULL
        value.kind = STRING
        value.text.at = at + 1
        value.text.size = <int>(stop - at - 1)
        return stop + 1
    if first == b"-" or b"0" <= first <= b"9":
        value.text.at = at
        stop = _number(at, end, &value.kind)
        if stop != NULL:
            value.text.size = <int>(stop - at)
        return stop
    if first == b"t" and end - at >= 4 and memcmp(at, b"true", 4) == 0:
        value.kind = TRUE
        return at + 4
    if first == b"f" and end - at >= 5 and memcmp(at, b"false", 5) == 0:
        value.kind = FALSE
        return at + 5
    if first == b"n" and end - at >= 4 and memcmp(at, b"null", 4) == 0:
        value.kind = NULL_
        return at + 4
    if first != b"{" and first != b"[":
        return NULL
    stop = _nested(at, end, depth + 1)
    if stop != NULL:
        value.kind = NESTED
        value.text.at = at
        value.text.size = <int>(stop - at)
    return stop


cdef inline const char* _nested(const char* at, const char* end, int depth) noexcept nogil:
    """Pass over an object or array, of whatever is in it; NULL if it's no JSON, or deep."""
    cdef bint object_ = at[0] == b"{"
    cdef char close = b"}" if object_ else b"]"
    cdef Span name
    cdef Value value
    if depth > DEPTH_MAX:
        return NULL
    at = spaces(at + 1, end)
    if at < end and at[0] == close:
        return at + 1
    while True:
        if object_:
            at = read_name(at, end, &name)
            if at == NULL:
                return NULL
        at = read_value(at, end, &value, depth)
        if at == NULL:
            return NULL
        at = spaces(at, end)
        if at == end:
            return NULL
        if at[0] == close:
            return at + 1
        if at[0] != b",":
            return NULL
        at = spaces(at + 1, end)


cdef inline const char* _digits(const char* at, const char* end) noexcept nogil:
    while at < end and b"0" <= at[0] <= b"9":
        at += 1
    return at


cdef inline const char* _number(const char* at, const char* end, ValueKind* kind) noexcept nogil:
    """Pass over a number in JSON's grammar; NULL if it isn't one."""
    cdef const char* begin
    kind[0] = NUMBER
    if at[0] == b"-":
        at += 1
    begin = at
    at = _digits(at, end)
    if at == begin or (begin[0] == b"0" and at > begin + 1):
        return NULL
    if at < end and at[0] == b".":
        begin = at + 1
        at = _digits(begin, end)
        if at == begin:
            return NULL
    if at < end and (at[0] == b"e" or at[0] == b"E"):
        kind[0] = ODD_NUMBER
        at += 1
        if at < end and (at[0] == b"+" or at[0] == b"-"):
            at += 1
        begin = at
        at = _digits(at, end)
        if at == begin:
            return NULL
    return at


cdef inline bint read_measure(const char* at, int size, int64_t* billionths) noexcept nogil:
    """Read a number in JSON's grammar of at most nine digits before and after its point."""
    cdef const char* end = at + size
    cdef const char* begin
    cdef bint negative = False
    cdef int64_t number = 0
    cdef int digit
    if at < end and at[0] == b"-":
        negative = True
        at += 1
    begin = at
    while at < end and b"0" <= at[0] <= b"9":
        if at - begin == WHOLE_DIGITS_MAX:
            return False
        number = 10 * number + (at[0] - ZERO)
        at += 1
    if at == begin or (begin[0] == b"0" and at > begin + 1):
        return False
    digit = 0
    if at < end:
        if at[0] != b".":
            return False
        at += 1
        if at == end or end - at > FRACTION_DIGITS_MAX:
            return False
        while at < end:
            if not b"0" <= at[0] <= b"9":
                return False
            number = 10 * number + (at[0] - ZERO)
            at += 1
            digit += 1
    while digit < FRACTION_DIGITS_MAX:
        number *= 10
        digit += 1
    billionths[0] = -number if negative else number
    return True
