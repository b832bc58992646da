"""Rules that hold by the time of an event, and records of rules that are refused (section 12)."""

from typing import Any

import pytest

from .builders import (
    DAILY,
    HOURLY,
    begun,
    booked,
    confirmed,
    consumed,
    known,
    received,
    reversed_,
    rules,
    run,
    scrapped,
    windows,
)

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
