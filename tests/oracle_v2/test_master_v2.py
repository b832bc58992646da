"""Checks 16 and 17: what has to be known, and orders that are closed (section 10)."""

from typing import Any

import pytest

from .builders import (
    begun,
    booked,
    classified,
    confirmed,
    consumed,
    event,
    known,
    placed,
    reason,
    received,
    resumed,
    reworked,
    run,
    scrapped,
    stopped,
)

ALL = known("plant", require=["order", "reason", "work_unit", "lot", "uom", "item", "line"])
LINE = known("line", line="L1")
UNIT = known("work_unit", line="L1", work_unit="W")
FG = known("item", item="FG", base_uom="pc", conversions={"box": 12, "half": "0.5"})
RM = known("item", item="RM", base_uom="kg", lot_control=True)
BURR = known("reason", "*", reason="burr")
ORDER = known("order", order="O1", status="released")
EVERYTHING = [ALL, LINE, UNIT, FG, RM, BURR, ORDER]


# ---------------------------------------------------------------- checks 16 and 17


def test_the_first_that_fails_is_named_in_the_order_of_the_section() -> None:
    # A scrap of RM without a lot, in an unknown unit, with an unknown reason and order, and no line.
    told = scrapped("s", "06:00", item="RM", uom="pc", reason="x", order="O9")
    have = [ALL]
    assert reason(told, *have) == "unknown_master line"
    assert reason(told, *have, LINE) == "unknown_master item"
    have += [LINE, RM]
    assert reason(told, *have) == "unknown_master uom"
    told = scrapped("s", "06:00", item="RM", uom="kg", reason="x", order="O9")
    assert reason(told, *have) == "unknown_master lot"
    told = scrapped("s", "06:00", item="RM", uom="kg", lot="A", reason="x", order="O9")
    assert reason(told, *have) == "unknown_master reason"
    told = scrapped("s", "06:00", item="RM", uom="kg", lot="A", order="O9")
    assert reason(told, *have, BURR) == "unknown_master order"
    assert reason(told, *have, BURR, known("order", order="O9", status="held")) == "accepted"


def test_only_what_is_required_is_checked() -> None:
    told = scrapped("s", "06:00", item="RX")
    assert reason(told) == "accepted"
    assert reason(told, known("plant")) == "accepted"
    assert reason(told, known("plant", "Q", require=["item"])) == "accepted"
    assert reason(told, known("plant", require=["uom", "lot"])) == "accepted"  # of known items
    assert reason(told, known("plant", require=["item"])) == "unknown_master item"
    assert (
        reason(told, known("plant", require=["item"]), known("plant", deleted=True)) == "accepted"
    )


@pytest.mark.parametrize(
    "told",
    [
        begun("x", "06:00", work_unit="W"),
        confirmed("x", "06:00", uom="box"),
        received("x", "06:00"),
        consumed("x", "06:00", lot="A"),
        scrapped("x", "06:00"),
        reworked("x", "06:00", uom="half"),
        booked("x", "06:00", work_unit="W"),
        stopped("x", "06:00", episode="E", reason="burr"),
        classified("x", "06:00", episode="E", reason="burr"),
    ],
)
def test_what_is_known_is_accepted_and_without_the_line_refused(told: dict[str, Any]) -> None:
    assert reason(told, *EVERYTHING) == "accepted"
    assert (
        reason(told, *EVERYTHING, known("line", line="L1", deleted=True)) == "unknown_master line"
    )


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        (begun("x", "06:00", work_unit="V"), "work_unit"),
        (begun("x", "06:00", "L2", work_unit="W"), "line"),
        (booked("x", "06:00", work_unit="V"), "work_unit"),
        (stopped("x", "06:00", episode="E", work_unit="V", reason="burr"), "work_unit"),
        (stopped("x", "06:00", episode="E"), "reason"),
        (classified("x", "06:00", episode="E"), "reason"),
        (confirmed("x", "06:00", uom="kg"), "uom"),
        (consumed("x", "06:00"), "lot"),
        (reworked("x", "06:00", item="RM", uom="kg"), "accepted"),  # needs no lot
    ],
)
def test_what_is_not_known_is_named(told: dict[str, Any], missing: str) -> None:
    wanted = missing if missing == "accepted" else f"unknown_master {missing}"
    assert reason(told, *EVERYTHING) == wanted


@pytest.mark.parametrize(
    "told",
    [
        resumed("x", "06:00", episode="E", work_unit="V"),
        placed("x", "06:00", hold="H", scope="item", value="unknown"),
        event("inspection.completed", {}, "x", "06:00", inspection="I", lot="A", result="fail"),
        event(
            "nonconformance.raised",
            {},
            "x",
            "06:00",
            nonconformance="N",
            item="?",
            code="c",
            severity="s",
        ),
    ],
)
def test_other_events_are_not_checked(told: dict[str, Any]) -> None:
    assert reason(told, *EVERYTHING) == "accepted"


def test_a_work_unit_is_that_of_its_line() -> None:
    other = [ALL, known("line", line="L2"), UNIT, ORDER]
    assert reason(begun("x", "06:00", "L2", work_unit="W"), *other) == "unknown_master work_unit"


def test_the_same_event_is_judged_anew_when_the_record_is_there() -> None:
    told = confirmed("p", "06:00")
    outcome = run(known("plant", require=["item"]), told, FG, told)
    assert outcome.codes == ["unknown_master"]
    assert outcome.report["counts"]["accepted"] == 1


def test_an_order_that_is_closed_takes_no_more_from_closed_at_on() -> None:
    required = known("plant", require=["order"])
    told = confirmed("p", "06:00")

    def order(**data: Any) -> str:
        refused = run(required, known("order", order="O1", **data), told).codes
        assert refused in ([], ["order_closed"])
        return "closed" if refused else "open"

    assert order(status="closed") == order(status="cancelled") == "closed"
    assert order(status="closed", closed_at="2026-11-21T06:00:00Z") == "closed"
    assert order(status="closed", closed_at="2026-11-21T06:00:00.000001Z") == "open"
    assert order(status="completed") == order(status="held") == "open"
    # Without `order` in require nothing is refused.
    outcome = run(known("order", order="O1", status="closed"), told)
    assert outcome.codes == []
