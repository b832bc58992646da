"""Local clocks: the full hours and the midnights of a time zone, as instants.

Since 2000 the offset of every zone is a whole number of quarters of an hour (the earliest event is
of 2000): so each full hour and each begin of a date is an instant on that grid.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from streams.values import instant

QUARTER = 900 * instant.SECOND
HOUR = 4 * QUARTER
DAY = 24 * HOUR
_EPOCH = instant.EPOCH.date()


def hour_of(zone: tzinfo | None, at: int) -> tuple[int, int]:
    """Return the instants between which a local clock shows one hour: full hour to full hour.

    Where the clock leaps over a full hour, the hour is as long as it takes to the next one.
    """
    start = at - at % QUARTER
    while not _is_full_hour(zone, start):
        start -= QUARTER
    end = at - at % QUARTER + QUARTER
    while not _is_full_hour(zone, end):
        end += QUARTER
    return start, end


def day_of(zone: tzinfo | None, at: int) -> tuple[int, int]:
    """Return the begin of a local date at or before an instant, and the next one after it."""
    day = date_of(zone, at)
    begins = [midnight(zone, day + timedelta(days=days)) for days in range(-1, 4)]
    return max(each for each in begins if each <= at), min(each for each in begins if each > at)


def first_midnight(zone: tzinfo | None, least: int) -> int:
    """Return the first begin of a local date at or past an instant."""
    day = date_of(zone, least)
    while (begin := midnight(zone, day)) < least:
        day += timedelta(days=1)
    return begin


def date_of(zone: tzinfo | None, at: int) -> date:
    """Return the local date of an instant."""
    return _moment(at).astimezone(zone or UTC).date()


@lru_cache(maxsize=4096)
def midnight(zone: tzinfo | None, day: date) -> int:
    """Return the first instant of a local date; of one that the clock leapt over, of the next."""
    at = (day - _EPOCH).days * DAY
    if zone is None:
        return at
    at -= 27 * HOUR
    while date_of(zone, at) < day:
        at += QUARTER
    return at


def _is_full_hour(zone: tzinfo | None, at: int) -> bool:
    if zone is None:
        return at % HOUR == 0
    offset = _moment(at).astimezone(zone).utcoffset()
    return (at + (offset or timedelta()) // timedelta(microseconds=1)) % HOUR == 0


def _moment(at: int) -> datetime:
    return instant.EPOCH + timedelta(microseconds=at)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name; raises `ZoneInfoNotFoundError`."""
    return ZoneInfo(name)
