"""Days, shifts and planned time, over changes of the clock."""

from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from streams.values import instant
from tables.kpi.buckets import buckets
from tables.kpi.calendars import Calendar, Otherwise, Span, read_calendar
from tables.kpi.days import (
    Clock,
    date_of,
    day_of,
    days_between,
    length,
    pieces_between,
    planned_between,
    shifts_between,
    shifts_of_day,
    without,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600 * instant.SECOND
MINUTE = 60 * instant.SECOND


def calendar(*shifts: tuple[str, str, str], **more: object) -> Calendar:
    said = [{"name": name, "start": start, "end": end} for name, start, end in shifts]
    read, problems = read_calendar("x", {"shifts": said, **more})
    assert read is not None
    assert not problems
    return read


THREE = (("early", "06:00", "14:00"), ("late", "14:00", "22:00"), ("night", "22:00", "06:00"))


def at(text: str) -> int:
    return instant.parse(text)


def hours(clock: Clock, day: date) -> float:
    whole = day_of(clock, day)
    return (whole.to - whole.from_) / HOUR


def test_a_day_without_a_calendar_has_23_24_or_25_hours():
    clock = Clock(BERLIN)
    assert [hours(clock, date(2026, *of)) for of in ((3, 29), (6, 21), (10, 25))] == [23, 24, 25]


def test_a_day_of_three_shifts_goes_from_six_to_six():
    whole = day_of(Clock(BERLIN, calendar(*THREE)), date(2026, 11, 21))
    assert (instant.text(whole.from_), instant.text(whole.to)) == (
        "2026-11-21T05:00:00Z",
        "2026-11-22T05:00:00Z",
    )


def test_a_night_shift_belongs_to_the_day_on_which_it_starts():
    clock = Clock(BERLIN, calendar(*THREE))
    assert date_of(clock, at("2026-11-22T02:00:00Z")) == date(2026, 11, 21)
    assert [each.name for each in shifts_of_day(clock, date(2026, 11, 21))] == [
        "early",
        "late",
        "night",
    ]


def test_a_night_shift_over_a_change_of_the_clock_has_7_or_9_hours():
    clock = Clock(BERLIN, calendar(*THREE))
    for day, lasts in ((date(2026, 3, 28), 7), (date(2026, 10, 24), 9)):
        night = shifts_of_day(clock, day)[-1]
        assert (night.name, (night.to - night.from_) / HOUR) == ("night", lasts)


def test_a_shift_ends_where_the_next_one_starts():
    clock = Clock(BERLIN, calendar(("early", "06:00", "14:30"), ("late", "14:00", "22:00")))
    early, late = shifts_of_day(clock, date(2026, 11, 21))
    assert early.to == late.from_ == at("2026-11-21T13:00:00Z")


def test_on_a_day_without_shifts_the_day_still_begins_when_it_usually_does():
    free = calendar(*THREE[:2], exceptions=[{"date": "2026-12-24", "shifts": []}])
    clock = Clock(BERLIN, free)
    assert hours(clock, date(2026, 12, 24)) == 24
    assert shifts_of_day(clock, date(2026, 12, 24)) == []
    whole = day_of(clock, date(2026, 12, 24))
    assert planned_between(clock, whole.from_, whole.to) == []


def test_a_shift_that_starts_earlier_than_usual_begins_its_day():
    early = calendar(
        *THREE,
        exceptions=[
            {"date": "2026-11-22", "shifts": [{"name": "early", "start": "04:00", "end": "14:00"}]}
        ],
    )
    clock = Clock(BERLIN, early)
    assert instant.text(day_of(clock, date(2026, 11, 22)).from_) == "2026-11-22T03:00:00Z"
    assert instant.text(shifts_of_day(clock, date(2026, 11, 21))[-1].to) == "2026-11-22T03:00:00Z"


def test_a_shift_that_lasts_longer_than_usual_keeps_its_day():
    long = calendar(
        ("early", "06:00", "14:00"),
        exceptions=[
            {"date": "2026-11-21", "shifts": [{"name": "night", "start": "22:00", "end": "08:00"}]},
            {"date": "2026-11-22", "shifts": []},
        ],
    )
    clock = Clock(BERLIN, long)
    assert instant.text(day_of(clock, date(2026, 11, 21)).to) == "2026-11-22T07:00:00Z"


def test_breaks_arent_planned():
    clock = Clock(
        BERLIN,
        calendar(
            *THREE[:1],
            breaks=[
                {"start": "09:00", "end": "09:15"},
                {"start": "09:10", "end": "09:30"},
                {"start": "13:30", "end": "14:30"},
            ],
        ),
    )
    whole = day_of(clock, date(2026, 11, 21))
    assert length(planned_between(clock, whole.from_, whole.to)) == 7 * HOUR


def test_a_break_after_midnight_is_taken_from_the_night_shift():
    clock = Clock(BERLIN, calendar(*THREE, breaks=[{"start": "01:00", "end": "01:30"}]))
    night = shifts_of_day(clock, date(2026, 11, 21))[-1]
    assert length(planned_between(clock, night.from_, night.to)) == 7.5 * HOUR


def test_gaps_that_overlap_are_taken_out_once():
    assert without([(0, 10), (20, 30)], [(-5, 1), (2, 5), (3, 4), (8, 22), (30, 40)]) == [
        (1, 2),
        (5, 8),
        (22, 30),
    ]


def test_the_hour_that_comes_twice_is_two_hours_of_figures():
    clock = Clock(BERLIN)
    whole = day_of(clock, date(2026, 10, 25))
    assert len(buckets(clock, "hour", whole.from_, whole.to)) == 25


ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
    ]
)
TIMES = st.integers(0, 95).map(lambda quarter: quarter * 15) | st.integers(0, 1_439)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    start = draw(TIMES)
    days = draw(st.frozensets(st.integers(0, 6)))
    return Span(draw(st.sampled_from("abc")), start, start + draw(st.integers(1, 1_440)), days)


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    zone = ZoneInfo(draw(ZONES))
    if draw(st.booleans()):
        return Clock(zone)
    shifts = tuple(draw(st.lists(spans(), max_size=4)))
    dates = st.dates(date(2026, 3, 1), date(2026, 4, 10))
    otherwise = st.builds(Otherwise, st.lists(spans(), max_size=2).map(tuple), st.none())
    return Clock(
        zone,
        Calendar(
            id="x", shifts=shifts, breaks=tuple(draw(st.lists(spans(), max_size=2))),
            exceptions=draw(st.dictionaries(dates, otherwise, max_size=3)), day_start=min((each.start for each in shifts), default=0),
        ),
    )  # fmt: skip


PERIODS = st.tuples(st.integers(0, 60 * 24 * 40), st.integers(1, 60 * 24 * 5))
MARCH = at("2026-03-01T00:00:00Z")
"""Of 2026; the clocks of the zones change on 8 March, 29 March and 5 April."""


@given(clocks(), PERIODS)
def test_days_and_shifts_follow_each_other_without_gap_and_overlap(
    clock: Clock, period: tuple[int, int]
):
    begin = MARCH + period[0] * MINUTE
    end = begin + period[1] * MINUTE
    days = days_between(clock, begin, end)
    assert days[0].from_ <= begin
    assert days[-1].to >= end
    assert all(one.to == next_.from_ for one, next_ in pairwise(days))
    assert all(day_of(clock, each.date) == each for each in days)
    assert date_of(clock, begin) == days[0].date
    pieces = pieces_between(clock, begin, end)
    assert pieces[0].from_ == begin
    assert pieces[-1].to == end
    assert all(one.to == next_.from_ for one, next_ in pairwise(pieces))
    for shift in shifts_between(clock, begin, end):
        assert date_of(clock, shift.from_) == shift.date == date_of(clock, shift.to - 1)


@given(clocks(), PERIODS)
def test_however_a_period_is_divided_its_parts_have_the_same_planned_time(
    clock: Clock, period: tuple[int, int]
):
    begin = MARCH + period[0] * MINUTE
    end = begin + period[1] * MINUTE
    planned = length(planned_between(clock, begin, end))
    for by in ("minute", "hour", "shift", "day", "total"):
        if by == "minute" and period[1] > 2_000:
            continue
        parts = buckets(clock, by, begin, end)
        assert [parts[0].from_, *(each.to for each in parts)] == [
            *(each.from_ for each in parts),
            end,
        ]
        assert sum(length(list(each.planned)) for each in parts) == planned
        assert all(each.date == date_of(clock, each.from_) for each in parts)
