"""When postings leave: finals, serials, late events (sections 4 and 5)."""

from .builders import (
    MIDNIGHT,
    begun,
    booked,
    confirmed,
    consumed,
    reversed_,
    run,
    scrapped,
    tick,
)

GI_0600 = f"gi:P/L1:{MIDNIGHT + 6 * 3600}:O1|10|RM|||kg"

# ---------------------------------------------------------------- finals (section 4)


def test_a_final_waits_for_the_rows_of_its_window_and_several_leave_by_id() -> None:
    # The posting window 06:00 to 06:05 closes at 06:05 + 30 s: rows first, then finals by id.
    log = [
        confirmed("b", "06:01", final=True),
        confirmed("a", "06:02", final=True),
        consumed("m", "06:03"),
        scrapped("s", "06:03:30"),
    ]
    before = run(*log, begun("o", "06:05:29"))
    assert before.ids == ["os:P/L1:/mes|o"]
    after = run(*log, begun("o", "06:05:30"))
    assert after.ids == [
        f"{GI_0600}:0",
        f"sp:P/L1:{MIDNIGHT + 6 * 3600}:O1|10|FG||pc|burr|operation:0",
        "pc:P/L1:/mes|a",
        "pc:P/L1:/mes|b",
        "os:P/L1:/mes|o",
    ]
    assert after.of("pc")[0]["time"] == "2026-11-21T06:02:00Z"
    assert after.of("pc")[0]["data"]["final"] is True


def test_a_final_waits_for_the_longest_of_the_windows_of_pc_gi_sp_lc() -> None:
    # Labour goes by hour: the last window that holds 06:02 ends at 07:00. Receipts don't matter.
    rules = {"erp.labor_confirmation.v1": {"when": "hour"}, "erp.goods_receipt.v1": {"when": "day"}}
    log = [confirmed("f", "06:02", final=True), booked("l", "06:20")]
    assert not run(*log, tick("07:02:29"), transactions=rules).erp
    left = run(*log, tick("07:02:30"), transactions=rules).ids  # idle grace is 120 s
    assert left == [f"lc:P/L1:{MIDNIGHT + 6 * 3600}:O1|10||:0", "pc:P/L1:/mes|f"]


def test_a_final_waits_for_the_window_of_the_setting_where_all_leaves_at_once() -> None:
    names = ("goods_issue", "scrap_posting", "labor_confirmation")
    rules = {f"erp.{name}.v1": {"when": "at_once"} for name in names}
    log = [confirmed("f", "06:02", final=True), consumed("m", "06:03")]
    assert run(*log, transactions=rules).ids == ["gi:P/L1:/mes|m"]
    assert run(*log, begun("o", "06:05:30"), transactions=rules).ids[1] == "pc:P/L1:/mes|f"


def test_a_late_final_leaves_when_its_carrier_closes_and_is_posted_on_the_carriers_day() -> None:
    # Watermark 00:07 of the 22nd; 23:50 lies in the window that ends at 23:55: closed. The window
    # 00:05 to 00:10 carries it.
    log = [begun("o", "2026-11-22T00:07:00Z"), confirmed("f", "23:50", final=True)]
    assert not run(*log, begun("p", "2026-11-22T00:10:29Z")).of("pc")
    late = run(*log, begun("p", "2026-11-22T00:10:30Z"))
    assert late.rows("pc", "document_date", "posting_date") == [("2026-11-21", "2026-11-22")]


def test_a_final_in_time_that_leaves_after_midnight_keeps_its_day() -> None:
    log = [confirmed("f", "23:58", final=True), begun("p", "2026-11-22T00:00:30Z")]
    assert run(*log).rows("pc", "document_date", "posting_date") == [("2026-11-21", "2026-11-21")]


def test_of_windows_with_the_same_end_the_longest_carries_a_late_final() -> None:
    # 06:57: the windows of 300 s and of the hour both end at 07:00. Late at 07:10 it is carried by
    # the hour from 07:00, not by the window that ends at 07:15.
    rules = {"erp.labor_confirmation.v1": {"when": "hour"}}
    log = [begun("o", "07:10"), confirmed("f", "06:57", final=True)]
    assert not run(*log, begun("p", "08:00:29"), transactions=rules).of("pc")
    assert run(*log, begun("p", "08:00:30"), transactions=rules).of("pc")


def test_the_reversal_of_a_final_that_waits_takes_it_out_and_summaries_get_both() -> None:
    final = confirmed("f", "06:02", "L1", quantity="7", final=True)
    taken = run(final, reversed_("r", "06:04", final), close=True)
    assert not taken.erp
    # 06:02 closed with 7 at 06:03:30, before the reversal; -7 is carried by the window of 06:04.
    assert taken.rows("su", "good", "revision", "count") == [("7", 0, 1), ("-7", 2, -1)]
    singles = taken.report["conservation"]["singles"]
    assert (singles[0]["accepted"], singles[0]["taken_out"]) == (1, 1)


def test_the_reversal_of_a_final_that_has_left_is_a_reversal_record() -> None:
    final = confirmed("f", "06:02", "L1", final=True)
    left = run(final, reversed_("r", "06:05:30", final))
    assert left.ids == ["pc:P/L1:/mes|f", "rv:pc:P/L1:/mes|f"]
    data = left.of("rv")[0]["data"]
    assert data["reversed_type"] == "erp.production_confirmation.v1"
    assert (data["final"], data["quantity"], data["causes"]) == (True, "1", ["r"])


# ---------------------------------------------------------------- serials (section 4)


def test_serials_leave_singly_and_enter_no_posting_row() -> None:
    issue = consumed("m", "06:01", serial="S1", storage="ST", lot="A")
    log = [issue, scrapped("s", "06:02", serial="S2"), reversed_("r", "06:03", issue)]
    outcome = run(*log, close=True)
    assert outcome.ids == ["gi:P/L1:/mes|m", "sp:P/L1:/mes|s", "rv:gi:P/L1:/mes|m"]
    first = outcome.of("gi")[0]
    assert (first["time"], first["data"]["serial"]) == ("2026-11-21T06:01:00Z", "S1")
    assert "window_start" not in first["data"]
    assert outcome.of("rv")[0]["data"]["serial"] == "S1"
    assert outcome.rows("sc", "quantity", "serial") == [("1", None), ("-1", None)]


def test_by_window_a_confirmation_with_a_serial_stays_at_once() -> None:
    # Section 12: "Events with a serial, and finals, stay as they are in section 4."
    rules = {"erp.production_confirmation.v1": {"when": "window"}}
    log = [confirmed("a", "06:01", serial="S"), confirmed("b", "06:02"), confirmed("c", "06:03")]
    outcome = run(*log, close=True, transactions=rules)
    row = f"pc:P/L1:{MIDNIGHT + 6 * 3600}:O1|10|FG||pc:0"
    assert outcome.ids == ["pc:P/L1:/mes|a", row]
    assert outcome.rows("pc", "quantity", "causes")[1] == ("2", ["b", "c"])


# ---------------------------------------------------------------- late events (section 5)


def test_late_events_are_carried_by_the_window_that_holds_the_watermark() -> None:
    # At watermark 06:16 the window 06:00 is closed; 06:15 carries: (06:15 - 06:00) / 5 min = 3.
    log = [
        consumed("a", "06:01", quantity="4"),
        consumed("b", "06:16", quantity="2"),
        consumed("c", "06:02", quantity="0.5"),
        consumed("d", "06:01:30", quantity="-0.25"),
        begun("o", "06:20:30"),
    ]
    outcome = run(*log)
    assert [id_ for id_ in outcome.ids if id_.startswith("gi:")] == [
        f"{GI_0600}:0",
        f"{GI_0600}:3",
        f"gi:P/L1:{MIDNIGHT + 6 * 3600 + 900}:O1|10|RM|||kg:0",
    ]
    assert outcome.rows("gi", "quantity", "causes")[1] == ("0.25", ["c", "d"])


def test_a_window_that_has_not_closed_takes_an_event_behind_the_watermark() -> None:
    # 06:05:29 is before 06:05 + 30 s.
    log = [consumed("b", "06:05:29"), consumed("c", "06:02"), begun("o", "06:05:30")]
    assert run(*log).rows("gi", "revision", "causes") == [(0, ["c"])]


def test_rows_that_are_all_zero_do_not_leave_and_summaries_only_with_a_count() -> None:
    nothing = consumed("a", "06:01")
    both = run(nothing, reversed_("r", "06:01:10", nothing), close=True)
    assert not both.of("gi")
    assert not both.of("sc")  # 1 - 1 = 0, and 1 - 1 events
    returned = run(nothing, consumed("b", "06:01:10", quantity="-1"), close=True)
    assert not returned.of("gi")
    assert returned.rows("sc", "quantity", "count") == [("0", 2)]


def test_causes_are_the_first_twenty_as_they_were_folded() -> None:
    log = [consumed(f"e{number}", "06:01") for number in range(25)]
    assert run(*log, close=True).rows("gi", "causes", "cause_count", "quantity") == [
        ([f"e{number}" for number in range(20)], 25, "25")
    ]
