"""Instants, held as microseconds since the Unix epoch: RFC 3339 in, RFC 3339 in UTC out."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from streams.values.cache import keep

SECOND: Final = 1_000_000
"""Microseconds in a second."""

DAY: Final = 86_400 * SECOND

CACHED_CHARACTERS_MAX: Final = 32
"""A fraction with more digits than this isn't kept in a cache."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST: Final = 946_684_800 * SECOND
"""2000-01-01T00:00:00Z, the first instant that is read: before it, a clock was never set."""
LATEST: Final = 253_370_764_800 * SECOND - 1
"""9998-12-31T23:59:59.999999Z, the last one."""

CALENDAR_FIRST: Final = -62_135_596_800 * SECOND
"""0001-01-01T00:00:00Z, the first instant that `datetime` has."""
CALENDAR_LAST: Final = 253_402_300_800 * SECOND - 1
"""9999-12-31T23:59:59.999999Z, the last one."""

_WHOLE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}\Z")
_REST = re.compile(r"(?:\.([0-9]+))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))\Z")


def parse(value: object) -> int:
    """Return the microseconds since the epoch of an RFC 3339 date-time with an offset.

    Digits past the microsecond are cut, not rounded. Raises `ValueError` if `value` isn't one,
    has a second of 60, or lies outside the years 2000 to 9998 in UTC.
    """
    if value.__class__ is not str:
        raise ValueError("not an RFC 3339 date-time in a string")
    whole, rest = value[:19], value[19:]
    try:
        return WHOLES[whole] + RESTS[rest]
    except KeyError:
        return _parse(whole, rest)


def _parse(whole: str, rest: str) -> int:
    match = _REST.match(rest)
    if match is None or _WHOLE.match(whole) is None:
        raise ValueError("not an RFC 3339 date-time with an offset")
    fraction, sign, hours, minutes = match.groups()
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    if sign:
        offset = (int(hours) * 60 + int(minutes)) * 60 * SECOND
        micros += offset if sign == "-" else -offset
    try:
        moment = datetime.fromisoformat(whole.upper())
    except ValueError as error:
        raise ValueError(f"not a date and time of the calendar ({error})") from None
    seconds = (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(seconds=1) * SECOND
    if not EARLIEST <= seconds + micros <= LATEST:
        raise ValueError("outside the years 2000 to 9998 in UTC")
    if EARLIEST + DAY <= seconds <= LATEST - DAY:  # any offset keeps it inside: safe to cache
        keep(WHOLES, whole, seconds)
        if len(rest) <= CACHED_CHARACTERS_MAX:
            keep(RESTS, rest, micros)
    return seconds + micros


def text(micros: int) -> str:
    """Return an instant as RFC 3339 in UTC with `Z`, with 0, 3 or 6 digits of a second."""
    seconds, fraction = divmod(micros, SECOND)
    whole = _texts.get(seconds)
    if whole is None:
        whole = keep(_texts, seconds, _whole(seconds))
    if not fraction:
        return whole + "Z"
    ending = _endings.get(fraction)
    if ending is None:
        ending = f".{fraction:06d}Z" if fraction % 1000 else f".{fraction // 1000:03d}Z"
        keep(_endings, fraction, ending)
    return whole + ending


def date(micros: int, zone: tzinfo | None = None) -> str:
    """Return the calendar date of an instant in `zone` (UTC if none), as "2026-11-21"."""
    if zone is None or not CALENDAR_FIRST + DAY <= micros <= CALENDAR_LAST - DAY:
        day = micros // DAY
        written = _dates.get(day)
        if written is None:
            written = keep(_dates, day, text(micros).partition("T")[0])
        return written
    return (EPOCH + timedelta(microseconds=micros)).astimezone(zone).date().isoformat()


def _whole(seconds: int) -> str:
    # A window's end may lie past year 9999, where datetime stops: 400 Gregorian years are
    # 146,097 days, so shift by whole cycles and add the years again.
    days, rest = divmod(seconds, 86_400)
    cycles = 0
    if not -719_162 <= days < 2_932_896:
        cycles, days = divmod(days + 719_162, 146_097)
        days -= 719_162
    day = EPOCH + timedelta(days=days)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{day.year + 400 * cycles:04d}-{day.month:02d}-{day.day:02d}T{clock}"


WHOLES: dict[str, int] = {}
"""Microseconds by the first 19 characters of a date-time, for those seen lately."""
RESTS: dict[str, int] = {}
"""Microseconds by what follows them: fraction and offset."""
_texts: dict[int, str] = {}
_dates: dict[int, str] = {}
_endings: dict[int, str] = {}
