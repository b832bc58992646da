"""Which check applies first, and what an exception says (sections 3 and 6)."""

import base64
import json
from typing import Any

from .builders import (
    begun,
    booked,
    changed,
    code,
    confirmed,
    consumed,
    known,
    placed,
    printed,
    received,
    reversed_,
    run,
    state,
    stopped,
    tick,
)

EVENT = consumed("m", "06:00")

# ---------------------------------------------------------------- checks 2 to 14, in order


def test_checks_2_to_5() -> None:
    assert code(changed(EVENT, type=5)) == "invalid"
    assert code(changed(EVENT, type=" material.consumed.v1")) == "unknown_type"
    assert (
        code({"type": "reference.bill.v1", "source": "/lineside", "plant": "P"}) == "unknown_type"
    )
    assert code(changed(tick("06:00"), time="soon")) == "invalid"
    assert code(changed(tick("06:00"), time="1999-01-01T00:00:00Z")) == "invalid"
    assert code(changed(EVENT, specversion="1.1")) == "invalid"
    assert code(changed(EVENT, data=[])) == "invalid"
    assert code(confirmed("p", "06:00", final="true")) == "invalid"
    assert code(received("g", "06:00", product="x")) == "invalid"
    assert code(state("s", "06:00", state="EXECUTE")) == "invalid"
    assert code(booked("l", "06:00")) == "accepted"  # person is optional


def test_a_type_of_the_other_topic_is_unknown_and_a_reference_record_on_e_too() -> None:
    assert run(printed(EVENT, topic="machine.events.v1")).codes == ["unknown_type"]
    record = known("item", item="I", base_uom="kg")
    assert run(printed(record, topic="machine.events.v1")).codes == ["unknown_type"]


def test_the_key_comes_before_the_future_and_the_future_before_the_ledger() -> None:
    early = 1_795_240_800_000 - 600_001  # 06:00 less ten minutes and a millisecond
    assert run(printed(EVENT, key="P/L2", ts=early)).codes == ["key_mismatch"]
    assert run(printed(EVENT, ts=early)).codes == ["from_the_future"]
    assert run(printed(EVENT, ts=early + 1)).codes == []
    assert run(printed(EVENT, ts=-1)).codes == []
    assert run(printed(tick("06:00"), ts=early)).codes == ["from_the_future"]
    # timing changes it for events, and not for ticks.
    wider = known("timing", future_seconds_max=3600)
    assert run(wider, printed(EVENT, ts=early)).codes == []
    assert run(wider, printed(tick("06:00"), ts=early)).codes == ["from_the_future"]


def test_the_ledger_reaches_as_far_as_the_retention() -> None:
    week = begun("o", "2026-11-28T06:00:00Z")
    assert run(EVENT, week, EVENT).report["counts"]["duplicate"] == 1
    past = begun("o", "2026-11-28T06:00:00.000001Z")
    assert run(EVENT, past, EVENT).codes == ["too_old"]
    assert run(EVENT, week, consumed("m", "06:00", quantity="2")).codes == ["key_conflict"]
    assert run(EVENT, past, consumed("m", "2026-11-28T06:00:00Z")).codes == []  # counts no longer
    four = [state("a", "06:00", state="Idle"), state("b", "2026-11-25T06:00:01Z", state="Idle")]
    assert run(*four, four[0]).codes == ["too_old"]


def test_reversals_that_are_refused() -> None:
    undo = reversed_("r", "06:01", EVENT)
    assert code(undo) == "unknown_reversal"
    assert code(changed(undo, source="/other"), EVENT) == "unknown_reversal"
    assert (
        code(reversed_("r", "06:01", begun("o", "06:00")), begun("o", "06:00")) == "not_reversible"
    )
    assert code(reversed_("r", "06:01", EVENT, time="no time"), EVENT) == "reversal_mismatch"
    other = {**EVENT["data"], "quantity": "2"}
    assert code(reversed_("r", "06:01", EVENT, data=other), EVENT) == "reversal_mismatch"
    same = {**EVENT["data"], "quantity": 1.00, "lot": None}
    assert code(reversed_("r", "06:01", EVENT, data=same), EVENT) == "accepted"
    assert code(reversed_("s", "06:01", EVENT), EVENT, undo) == "already_reversed"
    assert code({**undo, "data": {"reverses": "m", "original": []}}, EVENT) == "invalid"


def test_what_is_refused_is_judged_anew() -> None:
    undo = reversed_("r", "06:01", EVENT)
    outcome = run(undo, EVENT, undo)
    assert outcome.codes == ["unknown_reversal"]
    assert outcome.report["counts"]["accepted"] == 2


# ---------------------------------------------------------------- exceptions (section 6)


def test_an_exception_says_where_the_record_is_and_repeats_it() -> None:
    bad = changed(EVENT, time="no time")
    record = printed(bad, ts=1_795_240_800_000, headers=["a", "b"])
    (raised,) = run(record).topics["exceptions.v1"]
    assert (raised["id"], raised["source"]) == ("mes.events.v1/0/7", "/lineside")
    assert (raised["plant"], raised["line"]) == ("P", "L1")
    assert raised["time"] == "2026-11-21T06:00:00Z"
    data = raised["data"]
    assert base64.b64decode(data["value"]) == json.dumps(bad).encode()
    assert (data["class"], data["code"], data["key"]) == ("data", "invalid", "P/L1")
    assert data["headers"] == [{"name": "a", "value": "b"}]
    assert "no time" in data["reason"]


def test_the_class_is_business_where_somebody_has_to_decide() -> None:
    log: list[dict[str, Any]] = [
        reversed_("r", "06:01", EVENT),
        stopped("a", "06:01", episode="E"),
        stopped("b", "06:02", episode="E"),
        placed("h", "06:03", hold="H"),
        placed("i", "06:03", hold="H", value="B"),
        known("plant", require=["order"]),
        consumed("m", "06:03"),
        known("order", order="O1", status="closed"),
        consumed("m", "06:03"),
        changed(EVENT, id=""),
    ]
    classes = {x["data"]["code"]: x["data"]["class"] for x in run(*log).topics["exceptions.v1"]}
    assert classes == {
        "unknown_reversal": "business",
        "episode_conflict": "business",
        "hold_conflict": "business",
        "unknown_master": "data",
        "order_closed": "business",
        "invalid": "data",
    }
