"""Boundaries of rules, and local hours and days (section 12)."""

from typing import Any

import pytest

from .builders import (
    BERLIN,
    DAILY,
    HOURLY,
    consumed,
    known,
    rules,
    run,
    windows,
)

# ---------------------------------------------------------------- boundaries


def test_the_boundary_is_the_first_local_midnight_at_or_past_valid_from() -> None:
    # In UTC: valid from 06:00 of the 21st, so from the 22nd on.
    log = [consumed("a", "05:01"), rules("2026-11-21T06:00:00Z"), consumed("b", "23:58")]
    outcome = run(*log, consumed("c", "2026-11-22T00:58:00Z"), close=True)
    assert windows(outcome) == [
        ("2026-11-21T05:00", "2026-11-21T05:05"),
        ("2026-11-21T23:55", "2026-11-22T00:00"),
        ("2026-11-22T00:00", "2026-11-22T01:00"),
    ]


def test_a_valid_from_at_midnight_is_its_own_boundary_if_the_watermark_is_before_it() -> None:
    late = consumed("c", "2026-11-22T00:58:00Z")
    ahead = run(consumed("a", "23:59:59"), rules("2026-11-22T00:00:00Z"), late, close=True)
    assert windows(ahead)[1] == ("2026-11-22T00:00", "2026-11-22T01:00")
    # "past (>) the line's watermark": at midnight it is too late for this midnight.
    at_it = run(
        consumed("a", "2026-11-22T00:00:00Z"), rules("2026-11-22T00:00:00Z"), late, close=True
    )
    assert windows(at_it)[1] == ("2026-11-22T00:55", "2026-11-22T01:00")


def test_a_line_not_seen_yet_gets_the_rules_from_their_valid_from() -> None:
    # Days ago: the first midnight at or past it, whatever is later.
    outcome = run(rules("2026-11-01T00:00:00Z"), consumed("a", "05:01"), close=True)
    assert windows(outcome) == [("2026-11-21T05:00", "2026-11-21T06:00")]
    # A refused event doesn't make a line seen.
    refused = [consumed("x", "05:00", quantity="x"), rules("2026-11-01T00:00:00Z")]
    assert windows(run(*refused, consumed("a", "05:01"), close=True))[0][1] == "2026-11-21T06:00"


def test_local_midnight_is_by_the_zone_that_holds_just_before() -> None:
    # Berlin, then Tokyo from the Berlin midnight: 23:00 in UTC. The second rules' midnight is
    # Tokyo's: 15:00 in UTC.
    log = [
        consumed("a", "05:01"),
        rules("2026-11-21T12:00:00Z", time_zone="Asia/Tokyo"),
        rules("2026-11-22T10:00:00Z", DAILY),
        consumed("b", "22:50"),
        consumed("c", "23:01"),
        consumed("d", "2026-11-22T14:59:00Z"),
        consumed("e", "2026-11-22T15:00:00Z"),
    ]
    # The second names no zone: that of the settings, Berlin. Its day ends at 23:00 in UTC, and
    # begins, not before the boundary, at it.
    assert windows(run(*log, close=True, **BERLIN)) == [
        ("2026-11-21T05:00", "2026-11-21T05:05"),
        ("2026-11-21T22:50", "2026-11-21T22:55"),
        ("2026-11-21T23:00", "2026-11-22T00:00"),
        ("2026-11-22T14:00", "2026-11-22T15:00"),
        ("2026-11-22T15:00", "2026-11-22T23:00"),
    ]


def test_of_two_with_the_same_boundary_the_later_valid_from_holds() -> None:
    log = [
        consumed("a", "05:01"),
        rules("2026-11-21T07:00:00Z", DAILY),
        rules("2026-11-21T06:00:00Z", HOURLY),
        consumed("b", "2026-11-22T05:01:00Z"),
    ]
    assert windows(run(*log, close=True))[1] == ("2026-11-22T00:00", "2026-11-23T00:00")


def test_a_record_with_the_same_valid_from_takes_the_place_of_what_lies_ahead() -> None:
    # The same instant, spelt otherwise; the first had the first midnight past 06:00 as well.
    log = [
        consumed("a", "05:01"),
        rules("2026-11-21T06:00:00Z", DAILY),
        rules("2026-11-21T07:00:00+01:00", HOURLY),
        consumed("b", "2026-11-22T05:01:00Z"),
    ]
    assert windows(run(*log, close=True))[1] == ("2026-11-22T05:00", "2026-11-22T06:00")


def test_a_boundary_that_has_passed_stays_and_a_changed_record_gets_a_new_one() -> None:
    log = [
        consumed("a", "05:01"),
        rules("2026-11-21T06:00:00Z", DAILY),
        consumed("b", "2026-11-22T05:01:00Z"),
        rules("2026-11-21T06:00:00Z", HOURLY),
        consumed("c", "2026-11-22T23:59:00Z"),
        consumed("d", "2026-11-23T05:01:00Z"),
    ]
    assert windows(run(*log, close=True))[1:] == [
        ("2026-11-22T00:00", "2026-11-23T00:00"),
        ("2026-11-23T05:00", "2026-11-23T06:00"),
    ]


def test_a_deletion_drops_what_lies_ahead_and_leaves_what_has_passed() -> None:
    gone = known("rules", valid_from="2026-11-21T06:00:00Z", deleted=True)
    ahead = [consumed("a", "05:01"), rules("2026-11-21T06:00:00Z"), gone]
    late = consumed("b", "2026-11-22T05:01:00Z")
    assert windows(run(*ahead, late, close=True))[1] == ("2026-11-22T05:00", "2026-11-22T05:05")
    passed = [*ahead[:2], late, gone, consumed("c", "2026-11-23T05:01:00Z")]
    assert windows(run(*passed, close=True))[2] == ("2026-11-23T05:00", "2026-11-23T06:00")


def test_an_equal_record_does_nothing_and_after_a_deletion_it_is_new() -> None:
    first = rules("2026-11-21T06:00:00Z", DAILY)
    gone = known("rules", valid_from="2026-11-21T06:00:00Z", deleted=True)
    second = rules("2026-11-22T06:00:00Z", HOURLY)  # from the 23rd on
    days = [consumed(f"e{day}", f"2026-11-{day}T05:01:00Z") for day in (21, 22, 23, 24)]
    same = run(days[0], first, second, days[1], days[2], first, days[3], close=True)
    assert windows(same)[3] == ("2026-11-24T05:00", "2026-11-24T06:00")
    # New on the 23rd: its boundary is the 24th, past that of the second.
    anew = run(days[0], first, second, days[1], days[2], gone, first, days[3], close=True)
    assert windows(anew)[3] == ("2026-11-24T00:00", "2026-11-25T00:00")


# ---------------------------------------------------------------- local clocks


@pytest.mark.parametrize(
    ("time", "begin", "end"),
    [
        # 2026-03-29 has 23 hours in Berlin, 2026-10-25 has 25.
        ("2026-03-29T12:00:00Z", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("2026-10-25T12:00:00Z", "2026-10-24T22:00", "2026-10-25T23:00"),
    ],
)
def test_a_day_is_from_one_local_midnight_to_the_next(time: str, begin: str, end: str) -> None:
    outcome = run(consumed("a", time), close=True, transactions=DAILY, **BERLIN)
    assert windows(outcome) == [(begin, end)]


def test_a_date_that_begins_at_one_begins_there() -> None:
    # Sao Paulo, 2018-11-04: clocks went from 00:00 to 01:00; the date began at 03:00 in UTC.
    zone: dict[str, Any] = {"time_zones": {"P": "America/Sao_Paulo"}}
    outcome = run(consumed("a", "2018-11-04T12:00:00Z"), close=True, transactions=DAILY, **zone)
    assert windows(outcome) == [("2018-11-04T03:00", "2018-11-05T02:00")]


def test_an_hour_is_from_one_full_hour_of_the_local_clock_to_the_next() -> None:
    log = [consumed("a", "2026-10-25T00:30:00Z"), consumed("b", "2026-10-25T01:30:00Z")]
    # 02:30 summer time and 02:30 winter time are two hours.
    assert windows(run(*log, close=True, transactions=HOURLY, **BERLIN)) == [
        ("2026-10-25T00:00", "2026-10-25T01:00"),
        ("2026-10-25T01:00", "2026-10-25T02:00"),
    ]
    zone: dict[str, Any] = {"time_zones": {"P": "Asia/Kathmandu"}}  # 5:45 ahead
    outcome = run(consumed("a", "06:20"), close=True, transactions=HOURLY, **zone)
    assert windows(outcome) == [("2026-11-21T06:15", "2026-11-21T07:15")]
    # Lord Howe goes back by half an hour at 02:00: its hour from 01:00 lasts 90 minutes.
    zone = {"time_zones": {"P": "Australia/Lord_Howe"}}
    outcome = run(consumed("a", "2026-04-04T15:10:00Z"), close=True, transactions=HOURLY, **zone)
    assert windows(outcome) == [("2026-04-04T14:00", "2026-04-04T15:30")]


def test_the_first_window_of_new_rules_begins_at_their_boundary() -> None:
    # Midnight in Berlin is 23:00; an hour of Kathmandu began at 22:15.
    log = [
        consumed("a", "05:01"),
        rules("2026-11-21T12:00:00Z", time_zone="Asia/Kathmandu"),
        consumed("b", "22:59"),
        consumed("c", "23:01"),
    ]
    assert windows(run(*log, close=True, **BERLIN))[1:] == [
        ("2026-11-21T22:55", "2026-11-21T23:00"),
        ("2026-11-21T23:00", "2026-11-21T23:15"),
    ]
