"""Local clocks: days of 23 and 25 hours, offsets that aren't whole hours, clocks that leap over midnight."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle_v2 import calendars
from streams.values.instant import EARLIEST, LATEST
from tables.line.clocks import HOUR, date_of, day_of, first_midnight, hour_of, midnight, zone

BERLIN = "Europe/Berlin"
LORD_HOWE = "Australia/Lord_Howe"
ST_JOHNS = "America/St_Johns"
KATHMANDU = "Asia/Kathmandu"
SAMOA = "Pacific/Apia"
HAVANA = "America/Havana"

names = st.sampled_from([BERLIN, LORD_HOWE, ST_JOHNS, KATHMANDU, SAMOA, HAVANA, "UTC"])
instants = st.integers(EARLIEST, LATEST - 10 * 24 * HOUR)
changes = st.sampled_from(
    [
        "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-10-03T15:30:00Z",
        "2026-04-04T15:00:00Z", "2011-03-13T03:31:00Z", "2010-11-07T02:31:00Z",
        "2011-12-30T10:00:00Z", "2026-03-08T05:00:00Z", "2026-11-01T05:00:00Z",
    ]
)  # fmt: skip
"""Instants at which the clock of one of these zones leaps."""


def at(text: str) -> int:
    since = datetime.fromisoformat(text).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)


near_changes = st.builds(
    lambda change, off: at(change) + off, changes, st.integers(-30 * HOUR, 30 * HOUR)
)


# Laws.


@given(names, instants | near_changes)
def test_hours_days_and_midnights_are_those_of_the_oracle(name: str, instant: int) -> None:
    local = zone(name)
    assert hour_of(local, instant) == calendars.hour_window(name, instant)
    assert day_of(local, instant) == calendars.day_window(name, instant)
    assert date_of(local, instant) == calendars.local_date(name, instant)
    day = date_of(local, instant)
    assert midnight(local, day) == calendars.begin_of_date(name, day)


@given(names, instants | near_changes)
def test_hours_and_days_follow_one_another_without_a_gap(name: str, instant: int) -> None:
    local = zone(name)
    for window_of in (hour_of, day_of):
        start, end = window_of(local, instant)
        assert start <= instant < end
        assert window_of(local, start) == window_of(local, end - 1) == (start, end)
        assert window_of(local, end)[0] == end
        assert window_of(local, start - 1)[1] == start


@given(names, instants | near_changes)
def test_the_first_midnight_is_the_next_begin_of_a_day(name: str, instant: int) -> None:
    local = zone(name)
    found = first_midnight(local, instant)
    assert found >= instant
    assert midnight(local, date_of(local, found)) == found
    start, end = day_of(local, instant)
    assert found == (start if start == instant else end)


@given(instants)
def test_without_a_zone_the_clock_is_that_of_utc(instant: int) -> None:
    assert hour_of(None, instant) == (instant - instant % HOUR, instant - instant % HOUR + HOUR)
    begin = instant - instant % (24 * HOUR)
    assert day_of(None, instant) == (begin, begin + 24 * HOUR)


# Examples.


@pytest.mark.parametrize(
    ("name", "day", "begin", "end"),
    [
        (BERLIN, "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),  # 23 h
        (BERLIN, "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),  # 25 h
        (LORD_HOWE, "2026-10-04", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"),  # 23.5 h
        (LORD_HOWE, "2026-04-05", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"),  # 24.5 h
        (KATHMANDU, "2026-11-21", "2026-11-20T18:15:00Z", "2026-11-21T18:15:00Z"),
        # Until 2011 the clock of St John's went back at 00:01: the date begins once.
        (ST_JOHNS, "2010-11-07", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"),
        # Samoa left out the 30th: the 29th is followed by the 31st.
        (SAMOA, "2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        (SAMOA, "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        # In Havana the clock leaps over midnight in spring: the date begins at 01:00.
        (HAVANA, "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
    ],
)
def test_a_day_lasts_from_the_first_instant_of_its_date_to_that_of_the_next(
    name: str, day: str, begin: str, end: str
) -> None:
    local = zone(name)
    assert midnight(local, date.fromisoformat(day)) == at(begin)
    assert day_of(local, at(begin)) == (at(begin), at(end))
    assert day_of(local, at(end) - 1) == (at(begin), at(end))
    assert first_midnight(local, at(begin) + 1) == at(end)


def test_a_date_that_a_zone_left_out_begins_with_the_next() -> None:
    local = zone(SAMOA)
    assert midnight(local, date(2011, 12, 30)) == midnight(local, date(2011, 12, 31))


@pytest.mark.parametrize(
    ("name", "instant", "begin", "end"),
    [
        (BERLIN, "2026-03-29T00:59:59Z", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
        (BERLIN, "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
        (KATHMANDU, "2026-11-21T06:00:00Z", "2026-11-21T05:15:00Z", "2026-11-21T06:15:00Z"),
        # The clock of Lord Howe leaps from 02:00 to 02:30: the hour begins before, and lasts on.
        (LORD_HOWE, "2026-10-03T15:15:00Z", "2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z"),
        # It goes back from 02:00 to 01:30: full is the hour at 01:00 and at 02:00 only.
        (LORD_HOWE, "2026-04-04T15:10:00Z", "2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z"),
    ],
)
def test_an_hour_lasts_from_one_full_hour_of_the_clock_to_the_next(
    name: str, instant: str, begin: str, end: str
) -> None:
    assert hour_of(zone(name), at(instant)) == (at(begin), at(end))
    assert calendars.hour_window(name, at(instant)) == (at(begin), at(end))


def test_a_zone_is_read_once() -> None:
    assert zone(BERLIN) is zone(BERLIN)
    assert zone(BERLIN) == ZoneInfo(BERLIN)
