# cython: cdivision=True
"""From the text of an instant to microseconds: `instant.py` for text of ordinary form, inline."""

from libc.stdint cimport int64_t


cdef inline int _two(const char* at) noexcept nogil:
    cdef int tens = at[0] - 48, ones = at[1] - 48
    return 10 * tens + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else -1


cdef inline bint read_instant(const char* at, int size, int64_t* micros) noexcept nogil:
    """Read an RFC 3339 date-time with an offset, of the years 2001 to 9997, in capitals."""
    cdef int year, month, day, hour, minute, second, digit = 0, offset = 0
    cdef int64_t fraction = 0, days
    cdef const char* end = at + size
    if (
        size < 20 or at[4] != b"-" or at[7] != b"-" or at[10] != b"T" or at[13] != b":"
        or at[16] != b":"
    ):
        return False
    year = 100 * _two(at) + _two(at + 2)
    month, day = _two(at + 5), _two(at + 8)
    hour, minute, second = _two(at + 11), _two(at + 14), _two(at + 17)
    if (
        _two(at) < 0 or _two(at + 2) < 0 or not 2001 <= year <= 9997 or not 1 <= month <= 12
        or not 1 <= day <= _days_of(year, month) or not 0 <= hour <= 23
        or not 0 <= minute <= 59 or not 0 <= second <= 59
    ):
        return False
    at += 19
    if at[0] == b".":
        at += 1
        while at < end and b"0" <= at[0] <= b"9":
            if digit < 6:
                fraction = 10 * fraction + (at[0] - 48)
            digit += 1
            at += 1
        if digit == 0:
            return False
        while digit < 6:
            fraction *= 10
            digit += 1
    if at == end:
        return False
    if at[0] == b"Z":
        if at + 1 != end:
            return False
    elif end - at == 6 and (at[0] == b"+" or at[0] == b"-") and at[3] == b":":
        if not 0 <= _two(at + 1) <= 23 or not 0 <= _two(at + 4) <= 59:
            return False
        offset = 60 * _two(at + 1) + _two(at + 4)
        if at[0] == b"-":
            offset = -offset
    else:
        return False
    days = _days_to(year, month, day)
    micros[0] = (
        (days * <int64_t>86_400 + hour * 3600 + minute * 60 + second - offset * 60) * 1_000_000
        + fraction
    )
    return True


cdef inline int _days_of(int year, int month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


cdef inline int64_t _days_to(int64_t year, int month, int day) noexcept nogil:
    """Return the days from 1970-01-01 to a date of the Gregorian calendar."""
    cdef int64_t era, of_era, of_year
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
