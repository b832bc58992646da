"""Dates of records, and what they hold of their events (section 4)."""

from typing import Any

import pytest

from .builders import (
    MIDNIGHT,
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

# ---------------------------------------------------------------- dates (section 4)

NEXT_DAY = "2026-11-22T00:10:00Z"


@pytest.mark.parametrize(
    ("late", "posted"),
    [
        # The furthest of watermark - grace is 00:09:30 of the 22nd.
        (confirmed("c", "23:59:59"), "2026-11-22"),
        (confirmed("c", "23:59:59", serial="S"), "2026-11-22"),
        (received("c", "23:59:59"), "2026-11-22"),
        (begun("c", "23:59:59"), "2026-11-22"),
    ],
)
def test_what_leaves_at_once_late_is_posted_on_the_watermarks_day(
    late: dict[str, Any], posted: str
) -> None:
    outcome = run(begun("o", NEXT_DAY), late)
    data = outcome.erp[-1]["data"]
    assert (data["document_date"], data["posting_date"]) == ("2026-11-21", posted)


def test_what_leaves_at_once_within_the_grace_keeps_its_day() -> None:
    # Watermark 00:00:20, furthest 23:59:50: 23:59:50 isn't before it, a microsecond less is.
    early = begun("o", "2026-11-22T00:00:20Z")
    kept = run(early, confirmed("c", "23:59:50"))
    assert kept.rows("pc", "posting_date") == [("2026-11-21",)]
    moved = run(early, confirmed("c", "23:59:49.999999"))
    assert moved.rows("pc", "posting_date") == [("2026-11-22",)]


def test_a_late_row_is_posted_on_the_day_of_its_carriers_start() -> None:
    # Carried by the window that starts at 23:55, though that closes after midnight.
    log = [begun("o", "23:57"), consumed("c", "23:40"), begun("p", "2026-11-22T00:00:30Z")]
    dates = ("revision", "document_date", "posting_date")
    assert run(*log).rows("gi", *dates) == [(3, "2026-11-21", "2026-11-21")]
    log = [begun("o", "2026-11-22T00:02:00Z"), consumed("c", "23:40")]
    assert run(*log, close=True).rows("gi", *dates) == [(4, "2026-11-21", "2026-11-22")]


def test_dates_are_of_the_plants_zone() -> None:
    # 23:30 in UTC is 00:30 of the next day in Berlin.
    outcome = run(
        confirmed("c", "23:30"),
        consumed("m", "23:31"),
        close=True,
        time_zones={"P": "Europe/Berlin"},
    )
    assert outcome.rows("pc", "document_date", "posting_date") == [("2026-11-22", "2026-11-22")]
    assert outcome.rows("gi", "document_date", "posting_date") == [("2026-11-22", "2026-11-22")]


def test_a_correction_after_the_months_end_is_posted_in_one_period() -> None:
    made, used = confirmed("p", "2026-10-30T06:00:00Z"), consumed("m", "2026-10-30T06:00:00Z")
    log = [made, used, reversed_("rp", "2026-11-02T08:00:00Z", made)]
    outcome = run(*log, reversed_("rm", "2026-11-02T08:00:00Z", used), close=True)
    assert outcome.rows("rv", "document_date", "posting_date") == [("2026-11-02", "2026-11-02")]
    assert outcome.rows("gi", "quantity", "document_date", "posting_date") == [
        ("1", "2026-10-30", "2026-10-30"),
        ("-1", "2026-10-30", "2026-11-02"),
    ]


# ---------------------------------------------------------------- other records


def test_scrap_of_components_is_no_scrap_of_production() -> None:
    log = [scrapped("s", "06:00", kind="component", quantity="2"), scrapped("t", "06:00")]
    outcome = run(*log, close=True)
    assert outcome.rows("ss", "kind", "quantity") == [("component", "2"), ("operation", "1")]
    assert outcome.rows("sp", "kind", "quantity") == [("component", "2"), ("operation", "1")]
    assert outcome.rows("su", "good", "scrap", "rework", "count") == [("0", "1", "0", 1)]


def test_a_receipts_product_is_main_unless_said_and_always_written() -> None:
    first, same = received("g", "06:00"), received("g", "06:00", product="main")
    outcome = run(first, same, reversed_("r", "06:01", same))
    assert outcome.report["counts"]["duplicate"] == 1
    assert outcome.rows("gr", "product") == [("main",)]
    assert outcome.rows("rv", "product") == [("main",)]


def test_person_and_operator_go_to_no_record() -> None:
    rules = {"erp.labor_confirmation.v1": {"when": "at_once"}}
    log = [begun("o", "06:00", operator="A17"), booked("l", "06:01", person="A17", work_unit="W")]
    outcome = run(*log, transactions=rules)
    assert "A17" not in str(outcome.erp)
    assert outcome.ids == ["os:P/L1:/mes|o", "lc:P/L1:/mes|l"]
    assert outcome.rows("lc", "work_unit", "seconds") == [("W", "60")]


def test_labour_rows_are_by_work_unit_and_activity() -> None:
    log = [
        booked("a", "06:00", work_unit="W", activity="machine"),
        booked("b", "06:01", person="x"),
    ]
    start = MIDNIGHT + 6 * 3600
    assert run(*log, close=True).ids == [
        f"lc:P/L1:{start}:O1|10|W|machine:0",
        f"lc:P/L1:{start}:O1|10||:0",
    ]


def test_a_reversal_repeats_what_was_posted_and_gets_the_lines_cost_centre_only() -> None:
    made = confirmed("p", "06:00", lot="A")
    log = [
        known("line", line="L1", cost_center="CC"),
        known("item", item="FG", base_uom="pc"),
        made,
        reversed_("r", "06:01", made),
    ]
    outcome = run(*log)
    data = outcome.of("rv")[0]["data"]
    assert data["reverses"] == "pc:P/L1:/mes|p"
    assert (data["lot"], data["cost_center"]) == ("A", "CC")
    assert "base_quantity" not in data
    assert outcome.rows("pc", "base_uom", "base_quantity") == [("pc", "1")]


def test_close_closes_finals_too_and_notifies_nothing() -> None:
    outcome = run(confirmed("f", "06:02", final=True), consumed("m", "06:09"), close=True)
    assert [id_[:3] for id_ in outcome.ids] == ["pc:", "gi:"]
    assert outcome.report["open_windows"] == 0
