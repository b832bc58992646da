"""Shift calendars as plants write them, and what is told of mistakes."""

from datetime import date

import pytest

from tables.kpi.calendars import EXCEPTIONS_MAX, Span, read_calendar

WEEK = {
    "id": "DE01",
    "shifts": [
        {
            "name": "early",
            "start": "06:00",
            "end": "14:00",
            "days": ["mon", "tue", "wed", "thu", "fri"],
        },
        {"name": "night", "start": "22:00", "end": "06:00"},
    ],
    "breaks": [{"start": "09:00", "end": "09:15"}],
    "exceptions": [
        {"date": "2026-12-24", "shifts": []},
        {
            "date": "2026-12-31",
            "shifts": ["night", {"name": "short", "start": "06:00", "end": "10:00"}],
            "breaks": [],
        },
    ],
    "lines": ["L3"],
}


def test_a_calendar_is_read_whole():
    calendar, problems = read_calendar("DE01", WEEK)
    assert not problems
    assert calendar is not None
    saturday, christmas, new_year = date(2026, 11, 21), date(2026, 12, 24), date(2026, 12, 31)
    assert [each.name for each in calendar.shifts_of(saturday)] == ["night"]
    assert calendar.shifts_of(saturday)[0].end == 30 * 60
    assert calendar.shifts_of(christmas) == ()
    assert [(each.name, each.start, each.end) for each in calendar.shifts_of(new_year)] == [
        ("night", 1_320, 1_800),
        ("short", 360, 600),
    ]
    assert calendar.breaks_of(saturday)[0].start == 540
    assert calendar.breaks_of(new_year) == ()
    assert calendar.lines == {"L3"}
    assert calendar.day_start == 360


def test_24_hours_are_a_shift():
    calendar, problems = read_calendar("x", {"shifts": [{"start": "00:00", "end": "24:00"}]})
    assert not problems
    assert calendar is not None
    assert calendar.shifts == (Span("shift 1", 0, 1_440),)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"shifts": "early"}, "shifts is 'early': not a list of shifts"),
        ({}, "shifts is None: not a list of shifts"),
        ({"shifts": [5]}, "shifts[0] is 5: not an object: left out"),
        ({"shifts": [{"name": "x", "start": "25:00", "end": "06:00"}]}, "shifts[0].start is '25:00': not a time of the day such as '06:00': left out"),
        ({"shifts": [{"name": "x", "start": 6, "end": "06:00"}]}, "shifts[0].start is 6: not a time of the day such as '06:00': left out"),
        ({"shifts": [{"name": "x", "start": "06:00", "end": "24:01"}]}, "shifts[0].end is '24:01': not a time of the day such as '06:00': left out"),
        ({"shifts": [{"name": 5, "start": "06:00", "end": "14:00"}]}, "shifts[0].name is 5: not a text: left out"),
        ({"shifts": [{"start": "06:00", "end": "14:00", "days": ["monday", "sonntag"]}]}, "shifts[0].days has 'sonntag': not one of mon, tue, wed, thu, fri, sat, sun: left out"),
        ({"shifts": [{"start": "06:00", "end": "14:00", "days": "mon"}]}, "shifts[0].days is 'mon': not a list of days such as 'mon': left out"),
        ({"shifts": [], "breaks": 7}, "breaks is 7: not a list: left out"),
        ({"shifts": [], "exceptions": [{"date": "24.12.2026", "shifts": []}]}, "exceptions[0].date is '24.12.2026': not a date such as '2026-12-24': left out"),
        ({"shifts": [], "exceptions": [{"date": "1926-12-24", "shifts": []}]}, "exceptions[0].date is '1926-12-24': not a date such as '2026-12-24': left out"),
        ({"shifts": [], "exceptions": ["2026-12-24"]}, "exceptions[0].date is None: not a date such as '2026-12-24': left out"),
        ({"shifts": [], "exceptions": [{"date": "2026-12-24"}]}, "exceptions[0].shifts is None: not a list of shifts: left out"),
        ({"shifts": [], "exceptions": [{"date": "2026-12-24", "shifts": ["late"]}]}, "exceptions[0].shifts[0] is 'late': not an object: left out"),
        ({"shifts": [], "lines": "L3"}, "lines is 'L3': not a list of lines: taken as of all lines"),
        ({"shifts": [], "day_start": "6"}, "day_start is '6': not a time of the day such as '06:00': taken as 00:00"),
    ],
)  # fmt: skip
def test_what_cant_be_read_is_told_and_left_out(wrong: dict[str, object], told: str):
    calendar, problems = read_calendar("x", wrong)
    assert problems == [told]
    assert (calendar is None) == told.startswith("shifts is")


def test_a_mistake_in_one_shift_leaves_the_others():
    shifts = [
        {"name": "a", "start": "x", "end": "14:00"},
        {"name": "b", "start": "14:00", "end": "22:00"},
    ]
    calendar, problems = read_calendar("x", {"shifts": shifts})
    assert len(problems) == 1
    assert calendar is not None
    assert [each.name for each in calendar.shifts] == ["b"]


def test_of_very_many_exceptions_the_first_are_looked_at():
    calendar, problems = read_calendar(
        "x",
        {"shifts": [], "exceptions": [{"date": "2026-12-24", "shifts": []}] * (EXCEPTIONS_MAX + 1)},
    )
    assert calendar is not None
    assert problems == ["exceptions has 5,001 entries: only the first 5,000 are looked at"]
