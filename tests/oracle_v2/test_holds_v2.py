"""Holds that park and free, held orders, backflushed items (section 11)."""

from typing import Any

from .builders import (
    MIDNIGHT,
    Outcome,
    begun,
    confirmed,
    consumed,
    known,
    placed,
    received,
    released,
    reversed_,
    run,
    scrapped,
    tick,
)

HOUR = MIDNIGHT + 6 * 3600


def parked(outcome: Outcome) -> int:
    count: int = outcome.report["parked"]
    return count


# ---------------------------------------------------------------- what a hold touches


def test_a_hold_parks_what_would_go_to_the_erp_and_summaries_go_on() -> None:
    log = [
        placed("h", "06:00", hold="H"),
        confirmed("p", "06:01", lot="A"),
        consumed("m", "06:01", lot="A"),
        scrapped("s", "06:01", lot="A"),
        consumed("n", "06:01", lot="B"),
        received("g", "06:01", lot="A"),  # "blocked goods are received into blocked stock"
    ]
    outcome = run(*log, close=True)
    assert parked(outcome) == 3
    assert outcome.report["parked_since"] == "2026-11-21T06:01:00Z"
    assert [id_[:2] for id_ in outcome.ids] == ["qn", "st", "gr", "gi"]
    assert outcome.rows("gi", "lot") == [("B",)]
    assert len(outcome.of("sc")) == 2
    assert outcome.rows("su", "good", "scrap") == [("1", "1")]


def test_a_hold_of_a_lot_may_name_an_item_and_others_are_by_order_or_item() -> None:
    lot = placed("h", "06:00", hold="H", item="RM")
    assert parked(run(lot, consumed("m", "06:01", lot="A"))) == 1
    assert parked(run(lot, consumed("m", "06:01", lot="A", item="RX"))) == 0
    order = placed("h", "06:00", hold="H", scope="order", value="O1")
    assert parked(run(order, confirmed("p", "06:01"), confirmed("q", "06:01", order="O2"))) == 1
    item = placed("h", "06:00", hold="H", scope="item", value="FG")
    assert parked(run(item, confirmed("p", "06:01"), consumed("m", "06:01"))) == 1


def test_a_held_order_is_touched_likewise_until_its_status_changes() -> None:
    log = [known("order", order="O1", status="held"), confirmed("p", "06:01")]
    assert parked(run(*log)) == 1
    for status in ("released", "closed", "cancelled"):
        assert run(*log, known("order", order="O1", status=status)).ids == ["pc:P/L1:/mes|p"]
    assert run(*log, known("order", order="O1", deleted=True)).ids == ["pc:P/L1:/mes|p"]


def test_a_release_that_comes_first_leaves_nothing_active() -> None:
    log = [
        released("r", "06:00", hold="H"),
        known("hold", hold="H", scope="lot", value="A", reason="r"),
    ]
    outcome = run(*log, consumed("m", "06:01", lot="A"))
    assert parked(outcome) == 0
    assert outcome.report["idle_holds"] == ["P/H"]
    assert run(log[0]).report["releases_without_hold"] == ["P/H"]


def test_a_hold_is_the_plants_and_not_of_other_plants() -> None:
    hold = placed("h", "06:00", hold="H")
    assert parked(run(hold, consumed("m", "06:01", "L9", lot="A"))) == 1
    assert parked(run(hold, consumed("m", "06:01", "L1", "Q", lot="A"))) == 0


# ---------------------------------------------------------------- records to R


def test_a_hold_writes_a_reference_record_after_its_other_records() -> None:
    log = [
        placed("h:1", "06:00", hold="H", item="RM", severity="major"),
        released("r", "06:05", hold="H"),
    ]
    written = run(*log).topics["reference.v1"]
    assert [(record["id"], record["line"], record["data"]) for record in written] == [
        (
            "rf:P/L1:/mes|h%3A1",
            "*",
            {"hold": "H", "scope": "lot", "value": "A", "item": "RM", "reason": "r"},
        ),
        ("rf:P/L1:/mes|r", "*", {"hold": "H", "disposition": "use"}),
    ]
    assert written[0]["time"] == "2026-11-21T06:00:00Z"


def test_a_bare_logs_hold_is_on_every_partition_from_the_next_line_on() -> None:
    # Lines of one plant on different partitions, whichever they are on.
    log = [placed("h", "06:00", hold="H")]
    log += [consumed(f"m{n}", "06:01", f"L{n}", lot="A") for n in range(12)]
    outcome = run(*log, partitions=4)
    assert parked(outcome) == 12
    freed = run(*log, released("r", "06:02", hold="H"), partitions=4)
    assert parked(freed) == 0
    assert freed.report["counts"] == {"accepted": 14, "duplicate": 0, "exception": 0, "tick": 0}


def test_another_scope_or_a_released_name_is_a_hold_conflict() -> None:
    first = placed("h", "06:00", hold="H")
    same = placed("i", "06:01", "L2", hold="H", reason="another reason")
    assert run(first, same).codes == []
    for changed in ({"scope": "order"}, {"value": "B"}, {"item": "RM"}):
        assert run(first, placed("i", "06:01", hold="H", **changed)).codes == ["hold_conflict"]
    gone = released("r", "06:01", hold="H")
    assert run(first, gone, placed("i", "06:02", hold="H")).codes == ["hold_conflict"]
    assert run(gone, placed("i", "06:02", hold="H")).codes == ["hold_conflict"]


# ---------------------------------------------------------------- freeing


def test_freed_events_go_on_behind_the_release_by_line_then_as_they_were_accepted() -> None:
    log = [
        placed("h", "06:00", "L2", hold="H"),
        confirmed("b", "06:01", "L2", lot="A"),
        confirmed("z", "06:01", "L10", lot="A"),
        confirmed("a", "06:01", "L2", lot="A"),
        released("r", "06:10", "L2", hold="H"),
    ]
    # "L10" comes before "L2" as bytes; each line's watermark is its own.
    assert run(*log).ids[2:] == [
        "qn:P/L2:/mes|r",
        "st:P/L2:/mes|r",
        "pc:P/L10:/mes|z",
        "pc:P/L2:/mes|b",
        "pc:P/L2:/mes|a",
    ]


def test_what_another_hold_touches_as_well_stays_parked() -> None:
    log = [
        placed("h", "06:00", hold="H"),
        placed("i", "06:00", hold="I", scope="order", value="O1"),
        confirmed("p", "06:01", lot="A"),
        confirmed("q", "06:01", lot="A", order="O2"),
        released("r", "06:02", hold="H"),
    ]
    outcome = run(*log)
    assert [id_ for id_ in outcome.ids if id_.startswith("pc:")] == ["pc:P/L1:/mes|q"]
    assert parked(outcome) == 1
    assert parked(run(*log, released("s", "06:03", hold="I"))) == 0


def test_freed_rows_are_late_where_their_window_has_closed() -> None:
    log = [
        placed("h", "06:00", hold="H"),
        consumed("m", "06:01", lot="A", quantity="4"),
        released("r", "06:31", hold="H"),
    ]
    assert run(*log, close=True).rows("gi", "quantity", "revision") == [("4", 6)]
    soon = [*log[:2], released("r", "06:05:29", hold="H")]
    assert run(*soon, close=True).rows("gi", "quantity", "revision") == [("4", 0)]


def test_a_freed_final_waits_and_what_leaves_at_once_is_dated_by_the_watermark() -> None:
    log = [
        placed("h", "23:00", hold="H"),
        confirmed("f", "23:01", lot="A", final=True),
        confirmed("p", "23:01", lot="A"),
        released("r", "2026-11-22T00:02:00Z", hold="H"),
    ]
    outcome = run(*log)
    assert outcome.rows("pc", "final", "document_date", "posting_date") == [
        (None, "2026-11-21", "2026-11-22")
    ]
    later = run(*log, begun("o", "2026-11-22T00:05:30Z"))
    assert later.rows("pc", "final", "posting_date")[1] == (True, "2026-11-22")


def test_no_window_closes_by_freeing() -> None:
    log = [placed("h", "06:00", hold="H"), consumed("m", "06:01", lot="A"), tick("06:30")]
    outcome = run(*log, released("r", "06:29", hold="H"))
    # The release at 06:29 raised the watermark from 06:28 on; the row is carried by 06:25.
    assert outcome.report["open_windows"] == 1
    assert not outcome.of("gi")


def test_the_reversal_of_what_is_parked_takes_it_out() -> None:
    issue = consumed("m", "06:01", lot="A")
    log = [placed("h", "06:00", hold="H"), issue, reversed_("r", "06:05", issue)]
    outcome = run(*log, released("e", "06:06", hold="H"), close=True)
    assert not outcome.of("gi")
    assert not outcome.of("rv")
    assert outcome.rows("sc", "quantity") == [("1",), ("-1",)]
    assert parked(outcome) == 0
    again = reversed_("s", "06:06", issue)
    assert run(*log, again).codes == ["already_reversed"]
    # Retention 4 min: an entry of 06:01 would count until 06:05; taken out at 06:05, until 06:09.
    again, short = reversed_("s", "06:09", issue), dict[str, Any](retention_seconds_mes=240)
    assert run(*log, begun("o", "06:09"), again, **short).codes == ["already_reversed"]


def test_a_parked_entry_counts_while_it_is_parked_and_from_its_freeing_on() -> None:
    # Retention 1 h. At 08:00 an entry of 06:01 counts no longer, unless it is parked; freed at
    # 08:00 it counts as one of 08:00.
    issue = consumed("m", "06:01", lot="A")
    log = [placed("h", "06:00", hold="H"), issue, begun("o", "08:00")]
    retention: dict[str, Any] = {"retention_seconds_mes": 3600}
    assert run(*log, reversed_("r", "08:00", issue), **retention).codes == []
    assert run(issue, begun("o", "08:00"), reversed_("r", "08:00", issue), **retention).codes == [
        "unknown_reversal"
    ]
    freed = [*log, released("e", "08:00", hold="H")]
    assert run(*freed, begun("p", "09:00"), reversed_("r", "09:00", issue), **retention).codes == []
    late = [begun("p", "09:00:01"), reversed_("r", "09:00:01", issue)]
    assert run(*freed, *late, **retention).codes == ["unknown_reversal"]


def test_a_reversal_of_what_left_before_the_hold_is_not_parked() -> None:
    made = confirmed("p", "06:00", lot="A")
    outcome = run(made, placed("h", "06:01", hold="H"), reversed_("r", "06:02", made))
    assert outcome.ids[-1] == "rv:pc:P/L1:/mes|p"


# ---------------------------------------------------------------- consumption


def test_a_backflushed_item_is_summed_and_sends_nothing_whatever_is_known_later() -> None:
    issue = consumed("m", "06:01", lot="A", serial="S")
    log = [
        known("item", item="RM", base_uom="kg", consumption="erp"),
        placed("h", "06:00", hold="H"),
        issue,
        known("item", item="RM", base_uom="kg"),
        reversed_("r", "06:05", issue),
        scrapped("s", "06:05", item="RM", uom="kg"),
    ]
    outcome = run(*log, close=True)
    assert [id_[:2] for id_ in outcome.ids] == ["qn", "st", "sp"]
    assert outcome.rows("sc", "quantity") == [("1",), ("-1",)]
    assert parked(outcome) == 0


def test_before_consumption_from_the_other_mode_holds() -> None:
    since = "2026-11-21T06:02:00Z"
    log = [consumed("m", "06:01:59", quantity="3"), consumed("n", "06:02", quantity="5")]
    erp = known("item", item="RM", base_uom="kg", consumption="erp", consumption_from=since)
    assert run(erp, *log, close=True).rows("gi", "quantity") == [("3",)]
    mes = known("item", item="RM", base_uom="kg", consumption_from=since)
    assert run(mes, *log, close=True).rows("gi", "quantity") == [("5",)]
