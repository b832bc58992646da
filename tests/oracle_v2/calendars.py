"""Local clocks: full hours, the begins of dates (section 12).

Since 2000 every zone's offset is a whole number of quarters of an hour, so that every full hour and
every begin of a date is an instant of that grid.
"""

from datetime import date, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from .values import EPOCH, SECOND, moment

QUARTER = 900 * SECOND
HOUR = 4 * QUARTER


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local_date(zone: str, time: int) -> date:
    return moment(time).astimezone(_zone(zone)).date()


def _is_full_hour(zone: str, time: int) -> bool:
    """Does the local clock show a full hour at this instant?"""
    offset = moment(time).astimezone(_zone(zone)).utcoffset()
    assert offset is not None
    assert not offset % timedelta(minutes=15), zone
    return (time + offset // timedelta(microseconds=1)) % HOUR == 0


def hour_window(zone: str, time: int) -> tuple[int, int]:
    """ "from one full hour ... of the plant's local clock to the next" """
    start = time // QUARTER * QUARTER
    while not _is_full_hour(zone, start):
        start -= QUARTER
    end = time // QUARTER * QUARTER + QUARTER
    while not _is_full_hour(zone, end):
        end += QUARTER
    return start, end


@lru_cache(maxsize=4096)
def begin_of_date(zone: str, day: date) -> int:
    """Return the first instant of a local date; of one that a zone left out, of the next one."""
    midnight = (day - EPOCH.date()).days * 24 * HOUR
    instant = midnight - 27 * HOUR
    while local_date(zone, instant) < day:
        instant += QUARTER
    return instant


def day_window(zone: str, time: int) -> tuple[int, int]:
    """From one local midnight to the next."""
    days = [local_date(zone, time) + timedelta(days=count) for count in (-1, 0, 1, 2, 3)]
    begins = [begin_of_date(zone, day) for day in days]
    return max(b for b in begins if b <= time), min(b for b in begins if b > time)


def first_midnight(zone: str, at_or_past: int, past: int | None) -> int:
    """Return the first local midnight that is at or past the one instant and past the other."""
    least = at_or_past if past is None else max(at_or_past, past + 1)
    day = local_date(zone, least)
    while (begin := begin_of_date(zone, day)) < least:
        day += timedelta(days=1)
    return begin
