"""A plant's clock, and the instants that it shows."""

from datetime import date
from zoneinfo import ZoneInfo

from streams.values import instant
from tables.kpi.local_time import full_hours, instant_of

BERLIN = ZoneInfo("Europe/Berlin")


def text(day: date, minutes: int, zone: ZoneInfo = BERLIN) -> str:
    return instant.text(instant_of(day, minutes, zone))


def test_a_time_of_day_is_by_the_plants_clock():
    assert text(date(2026, 11, 21), 6 * 60) == "2026-11-21T05:00:00Z"
    assert text(date(2026, 7, 21), 6 * 60) == "2026-07-21T04:00:00Z"
    assert text(date(2026, 11, 21), 30 * 60) == "2026-11-22T05:00:00Z"


def test_a_time_that_the_clock_jumps_over_is_the_instant_of_the_jump():
    assert text(date(2026, 3, 29), 150) == "2026-03-29T01:00:00Z"
    assert text(date(2026, 3, 29), 180) == "2026-03-29T01:00:00Z"


def test_of_a_time_that_comes_twice_it_is_the_first():
    assert text(date(2026, 10, 25), 150) == "2026-10-25T00:30:00Z"


def test_a_midnight_that_the_clock_jumps_over_is_the_instant_of_the_jump():
    assert text(date(2018, 11, 4), 0, ZoneInfo("America/Sao_Paulo")) == "2018-11-04T03:00:00Z"


def test_the_hour_that_comes_twice_begins_twice():
    begin, end = instant.parse("2026-10-24T23:30:00Z"), instant.parse("2026-10-25T03:00:00Z")
    hours = [instant.text(each) for each in full_hours(begin, end, BERLIN)]
    assert hours == ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]


def test_full_hours_are_those_of_a_clock_that_is_45_minutes_off():
    begin = instant.parse("2026-11-21T00:00:00Z")
    hours = full_hours(begin, begin + 2 * 3_600 * instant.SECOND, ZoneInfo("Asia/Kathmandu"))
    assert [instant.text(each) for each in hours] == [
        "2026-11-21T00:15:00Z",
        "2026-11-21T01:15:00Z",
    ]


def test_an_hour_that_the_clock_never_shows_in_full_begins_nothing():
    """Lord Howe Island goes back by half an hour: 02:00 is shown at 14:30 and 15:00 UTC."""
    begin = instant.parse("2026-04-04T14:00:00Z")
    hours = full_hours(begin, begin + 3 * 3_600 * instant.SECOND, ZoneInfo("Australia/Lord_Howe"))
    assert [instant.text(each) for each in hours] == [
        "2026-04-04T14:00:00Z",
        "2026-04-04T15:30:00Z",
        "2026-04-04T16:30:00Z",
    ]
