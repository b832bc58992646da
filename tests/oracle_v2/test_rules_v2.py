"""Rules that change: boundaries, local hours and days, late events over a boundary (section 12)."""

from typing import Any

import pytest

from .builders import (
    Outcome,
    begun,
    booked,
    confirmed,
    consumed,
    known,
    received,
    reversed_,
    run,
    scrapped,
)

BERLIN: dict[str, Any] = {"time_zones": {"P": "Europe/Berlin"}}
HOURLY = {"erp.goods_issue.v1": {"when": "hour"}}
DAILY = {"erp.goods_issue.v1": {"when": "day"}}


def rules(
    valid_from: str, transactions: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    return known("rules", valid_from=valid_from, transactions=transactions or HOURLY, **more)


def windows(outcome: Outcome) -> list[tuple[str, str]]:
    """Return begin and end of the windows of goods issues, without their seconds."""
    rows = outcome.rows("gi", "window_start", "window_end")
    return [(start[:16], end[:16]) for start, end in rows]


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


# ---------------------------------------------------------------- late events


def test_a_late_event_is_carried_by_a_window_of_its_own_rules_also_past_the_boundary() -> None:
    # By hour until the 22nd, then by day: 05:01 of the 21st comes at 01:10 of the 22nd. The hour
    # from 01:00 carries it: 20 hours later, in minutes. The day from the 22nd on closes later.
    log = [
        known("rules", valid_from="2026-11-01T00:00:00Z", transactions=HOURLY),
        begun("o", "05:00"),
        rules("2026-11-22T00:00:00Z", DAILY),
        consumed("n", "2026-11-22T01:10:00Z", quantity="2"),
        consumed("l", "05:01", quantity="3"),
    ]
    outcome = run(*log, begun("p", "2026-11-22T02:00:30Z"))
    assert outcome.rows("gi", "quantity", "revision", "posting_date") == [("3", 1200, "2026-11-22")]
    assert run(*log, close=True).rows("gi", "quantity", "revision") == [("3", 1200), ("2", 0)]


def test_a_reversal_goes_by_the_rules_of_its_original() -> None:
    made, row = confirmed("p", "05:00"), confirmed("q", "2026-11-22T05:01:00Z")
    log = [
        made,
        rules("2026-11-22T00:00:00Z", {"erp.production_confirmation.v1": {"when": "window"}}),
        row,
        reversed_("r", "2026-11-22T05:10:00Z", made),
        reversed_("s", "2026-11-22T05:10:00Z", row),
    ]
    outcome = run(*log, close=True)
    assert [id_[:2] for id_ in outcome.ids] == ["pc", "pc", "rv", "pc"]
    # The row's is carried by 05:10: two windows of 300 s late.
    assert outcome.rows("pc", "quantity", "revision") == [("1", None), ("1", 0), ("-1", 2)]
    assert outcome.of("rv")[0]["data"]["reverses"] == "pc:P/L1:/mes|p"


def test_equal_ends_leave_in_the_order_of_the_table_whatever_their_rules() -> None:
    every = {
        "erp.production_confirmation.v1": {"when": "hour"},
        "erp.goods_receipt.v1": {"when": "window", "window_seconds": 900},
        "erp.goods_issue.v1": {"when": "window", "window_seconds": 60},
        "erp.labor_confirmation.v1": {"when": "hour"},
    }
    log = [
        booked("l", "05:59:30"),
        scrapped("s", "05:59:30"),
        consumed("m", "05:59:30"),
        received("g", "05:59:30"),
        confirmed("f", "05:59:30", final=True),
        confirmed("p", "05:59:30"),
    ]
    outcome = run(*log, begun("o", "06:00:30"), transactions=every)
    assert [id_[:2] for id_ in outcome.ids] == ["pc", "gr", "gi", "sp", "lc", "pc", "os"]
    assert outcome.ids[5] == "pc:P/L1:/mes|f"
    assert outcome.rows("gr", "product", "quantity") == [("main", "1")]


def test_dates_are_in_the_zone_of_the_rules_of_the_time_they_are_of() -> None:
    # UTC until the 22nd, then Tokyo: 16:00 of the 22nd is the 23rd there.
    log = [
        confirmed("a", "16:00"),
        rules("2026-11-22T00:00:00Z", time_zone="Asia/Tokyo"),
        confirmed("b", "2026-11-22T16:00:00Z"),
    ]
    assert run(*log).rows("pc", "document_date") == [("2026-11-21",), ("2026-11-23",)]


# ---------------------------------------------------------------- records that can't be read


@pytest.mark.parametrize(
    "data",
    [
        {"transactions": HOURLY},
        {"valid_from": "2026-11-21"},
        {"valid_from": "2026-11-21T00:00:00Z", "time_zone": "Europe/Berlinn"},
        {
            "valid_from": "2026-11-21T00:00:00Z",
            "transactions": {"erp.operation_status.v1": {"when": "day"}},
        },
        {
            "valid_from": "2026-11-21T00:00:00Z",
            "transactions": {"erp.goods_issue.v1": {"when": "week"}},
        },
        {"valid_from": "2026-11-21T00:00:00Z", "transactions": {"erp.goods_issue.v1": {}}},
        {
            "valid_from": "2026-11-21T00:00:00Z",
            "transactions": {"erp.goods_issue.v1": {"when": "window", "window_seconds": 700}},
        },
    ],
)
def test_rules_that_cannot_be_read_are_invalid(data: dict[str, Any]) -> None:
    assert run(known("rules", **data)).codes == ["invalid"]


def test_null_is_absent_in_rules_and_window_seconds_are_ignored_without_window() -> None:
    told = {
        "erp.goods_issue.v1": {"when": "hour", "window_seconds": "x"},
        "erp.scrap_posting.v1": None,
        "erp.operation_status.v1": None,
    }
    outcome = run(
        known("rules", valid_from="2026-11-01T00:00:00Z", time_zone=None, transactions=told),
        consumed("a", "05:01"),
        close=True,
    )
    assert outcome.codes == []
    assert windows(outcome) == [("2026-11-21T05:00", "2026-11-21T06:00")]


@pytest.mark.parametrize(
    "data",
    [
        {"grace_seconds": 86_401},
        {"grace_seconds": -1},
        {"grace_seconds": 1.5},
        {"grace_seconds": "30"},
        {"breakdown_seconds": 0},
        {"future_seconds_max": True},
    ],
)
def test_timing_is_whole_numbers_of_a_day_at_most(data: dict[str, Any]) -> None:
    assert run(known("timing", **data)).codes == ["invalid"]


def test_timing_is_whole_by_value_and_grace_less_than_the_shorter_retention() -> None:
    assert run(known("timing", grace_seconds=3e1, breakdown_seconds=600.0)).codes == []
    short: dict[str, Any] = {"retention_seconds_machine": 3600}
    assert run(known("timing", grace_seconds=3600), **short).codes == ["invalid"]
    assert run(known("timing", grace_seconds=3599), **short).codes == []
