"""A plant's clock: from its dates and times of day to instants, over changes of the clock."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from streams.values.instant import EPOCH, SECOND

MINUTE: Final = 60 * SECOND
QUARTER: Final = 15 * MINUTE
"""All offsets of today's time zones are multiples of it, so each full hour begins a quarter."""
DAY_MINUTES: Final = 1_440

YEAR_FIRST: Final = 2000
YEAR_LAST: Final = 9997
"""A day behind these, too, is one of the calendar."""


def local(at: int, zone: tzinfo) -> datetime:
    """Return what the plant's clock shows at an instant."""
    return (EPOCH + timedelta(microseconds=at)).astimezone(zone)


def micros(moment: datetime) -> int:
    """Return the instant of an aware moment."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def instant_of(day: date, minutes: int, zone: tzinfo) -> int:
    """Return when the clock first shows so many minutes past midnight of a date, or more.

    `minutes` may be a day or more: 1,440 is the next midnight. A time that the clock jumps over is
    the instant of the jump; one that it shows twice is the first.
    """
    days, rest = divmod(minutes, DAY_MINUTES)
    naive = datetime.combine(day + timedelta(days=days), datetime.min.time()) + timedelta(
        minutes=rest
    )
    first = micros(naive.replace(tzinfo=zone, fold=0).astimezone(UTC))
    second = micros(naive.replace(tzinfo=zone, fold=1).astimezone(UTC))
    return first if first <= second else _jump(second, first, zone)


def _jump(before: int, behind: int, zone: tzinfo) -> int:
    """Return the instant between two at which the clock jumps ahead."""
    offset = local(before, zone).utcoffset()
    while behind - before > SECOND:
        middle = (before + behind) // 2 // SECOND * SECOND
        if local(middle, zone).utcoffset() == offset:
            before = middle
        else:
            behind = middle
    return behind


def full_hours(begin: int, end: int, zone: tzinfo) -> list[int]:
    """Return the instants within [begin, end) at which the clock shows a full hour."""
    quarter = -(-begin // QUARTER) * QUARTER
    found = []
    while quarter < end:
        shown = local(quarter, zone)
        if shown.minute == 0 and shown.second == 0:
            found.append(quarter)
            quarter += 2 * QUARTER  # no clock shows two full hours closer than that
        else:
            quarter += QUARTER
    return found
