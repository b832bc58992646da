"""What reference records make known, and what that adds to records (sections 9, 11)."""

from typing import Any

import pytest

from .builders import (
    begun,
    confirmed,
    consumed,
    event,
    known,
    reason,
    resumed,
    run,
    stopped,
)

FG = known("item", item="FG", base_uom="pc", conversions={"box": 12, "half": "0.5"})
RM = known("item", item="RM", base_uom="kg", lot_control=True)

# ---------------------------------------------------------------- what is known


def test_only_a_higher_seq_does_anything_and_none_always_counts() -> None:
    required = known("plant", require=["item"])
    told = confirmed("p", "06:00")
    item = known("item", "P", 7, item="FG", base_uom="pc")
    gone = known("item", "P", 7, item="FG", deleted=True)
    later = known("item", "P", 8, item="FG", deleted=True)
    assert reason(told, required, item, gone) == "accepted"
    assert reason(told, required, item, later) == "unknown_master item"
    assert reason(told, required, later, item) == "unknown_master item"
    assert reason(told, required, later, known("item", item="FG", base_uom="pc")) == "accepted"
    # By key: that of `*` is another one. And what changes nothing is a tick all the same.
    assert (
        reason(told, required, later, known("item", "*", 1, item="FG", base_uom="pc")) == "accepted"
    )
    assert run(item, gone).report["counts"]["tick"] == 2


def test_the_plants_own_item_goes_before_that_of_all_plants() -> None:
    own, all_ = (
        known("item", item="FG", base_uom="pc"),
        known("item", "*", item="FG", base_uom="kg"),
    )
    for records in ([own, all_], [all_, own]):
        assert run(*records, confirmed("p", "06:00")).rows("pc", "base_uom") == [("pc",)]
    gone = known("item", item="FG", deleted=True)
    outcome = run(own, all_, gone, confirmed("p", "06:00", uom="kg"))
    assert outcome.rows("pc", "base_uom") == [("kg",)]


def test_an_invalid_record_leaves_what_was_known() -> None:
    bad = known("item", "P", 9, item="FG", base_uom=5)
    again = known("item", "P", 8, item="FG", base_uom="box")
    outcome = run(
        known("item", "P", 7, item="FG", base_uom="pc"), bad, confirmed("p", "06:00"), again
    )
    assert outcome.codes == ["invalid"]
    assert outcome.rows("pc", "base_uom") == [("pc",)]
    # Nor does it count as the last seq: 8 is higher than 7.
    assert run(again, bad, confirmed("p", "06:00", uom="box")).rows("pc", "base_uom") == [("box",)]


def test_of_the_envelope_only_source_plant_and_seq_are_looked_at() -> None:
    odd = {
        **known("item", item="FG", base_uom="pc", unknown=[1]),
        "id": 5,
        "time": "x",
        "line": "*",
    }
    outcome = run(
        odd, confirmed("p", "2026-11-21T06:00:00Z"), confirmed("q", "2020-01-01T00:00:00Z", "L2")
    )
    assert outcome.codes == []
    assert outcome.report["counts"]["tick"] == 1


@pytest.mark.parametrize(
    "record",
    [
        {**known("item", item="I", base_uom="kg"), "source": "/mes"},
        known("item", "a/b", item="I", base_uom="kg"),
        known("order", "*", order="O", status="held"),
        known("item", item="I"),
        known("item", base_uom="kg"),
        known("item", item="I", base_uom="kg", conversions={"g": 0}),
        known("item", item="I", base_uom="kg", conversions={"g": "1000000"}),
        known("item", item="I", base_uom="kg", conversions={"kg": 1}),
        known("item", item="I", base_uom="kg", conversions={"g ": 1}),
        known("item", item="I", base_uom="kg", conversions=[]),
        known("item", item="I", base_uom="kg", lot_control="yes"),
        known("item", item="I", base_uom="kg", consumption="ERP"),
        known("item", item="I", base_uom="kg", consumption_from="tomorrow"),
        known("item", item="I", base_uom="kg", deleted="true"),
        known("plant", require=["colour"]),
        known("plant", require="line"),
        known("plant", "*", require=["line"]),
        known("line", line="a/b"),
        known("line", line="*"),
        known("work_unit", line="L1"),
        known("reason", reason="r", planned="no"),
        known("order", order="O", status="open"),
        known("order", order="O", status="held", quantity="many"),
        known("hold", hold="H", scope="lot", value="A"),
        known("hold", hold="H", scope="lot", value="A", reason="r", deleted=True),
        known("hold_release", hold="H", deleted=True),
        known("hold_release", hold="H", disposition="keep"),
        {**known("item", item="I", base_uom="kg"), "seq": -1},
        {**known("item", item="I", base_uom="kg"), "seq": "1"},
        {**known("item", item="I", base_uom="kg"), "seq": 1.5},
        {**known("item", item="I", base_uom="kg"), "data": None},
    ],
)
def test_records_that_are_invalid(record: dict[str, Any]) -> None:
    assert run(record).codes == ["invalid"]


@pytest.mark.parametrize(
    "record",
    [
        known(
            "item",
            "*",
            item="I",
            base_uom="kg",
            conversions={"g": "0.001", "kg": None, "t": 999_999},
        ),
        known("reason", "*", reason="r", planned=None),
        known("plant", require=[]),
        known("plant", require=None),
        known("item", item="I", deleted=True),
        known("item", item="I", base_uom="kg", deleted=False),
        known("order", order="O", status="held", closed_at=None, quantity=5, revision="3"),
        {**known("item", item="I", base_uom="kg"), "seq": None},
        {**known("item", item="I", base_uom="kg"), "seq": 1e3},
    ],
)
def test_records_that_are_read(record: dict[str, Any]) -> None:
    outcome = run(record)
    assert (outcome.codes, outcome.report["counts"]["tick"]) == ([], 1)


# ---------------------------------------------------------------- enrichment


def test_the_cost_centre_is_the_work_units_or_else_the_lines() -> None:
    log = [
        known("line", line="L1", cost_center="LINE"),
        known("work_unit", line="L1", work_unit="W", cost_center="UNIT"),
        known("work_unit", line="L1", work_unit="V"),
        begun("a", "06:00", work_unit="W"),
        begun("b", "06:00", work_unit="V"),
        begun("c", "06:00", work_unit="unknown"),
        begun("d", "06:00"),
        begun("e", "06:00", "L2"),
        stopped("s", "06:00", episode="E"),
        resumed("t", "06:20", episode="E"),
    ]
    outcome = run(*log)
    centers = [("UNIT",), ("LINE",), ("LINE",), ("LINE",), (None,)]
    assert outcome.rows("os", "cost_center") == centers
    assert outcome.rows("mn", "cost_center") == [("UNIT",)]


def test_the_base_quantity_is_exact_and_left_out_where_it_would_be_too_large() -> None:
    tiny, huge = "0.000000001", "999999999999999.999999999"
    log = [
        known(
            "item",
            item="FG",
            base_uom="pc",
            conversions={"a": tiny, "b": "999999.999999999", "c": "1000"},
        ),
        confirmed("p", "06:00", uom="a", quantity=tiny),
        confirmed("q", "06:00", uom="b", quantity=huge),
        confirmed("r", "06:00", uom="c", quantity=huge),
        confirmed("s", "06:00", uom="c", quantity="-999999999999999"),
        confirmed("t", "06:00", uom="kg"),
    ]
    assert run(*log).rows("pc", "base_uom", "base_quantity") == [
        ("pc", "0.000000000000000001"),
        (None, None),
        ("pc", "999999999999999999.999999"),
        ("pc", "-999999999999999000"),
        (None, None),
    ]


def test_what_is_known_when_a_record_leaves_is_added_and_is_no_part_of_its_key() -> None:
    # The row is folded before the item is known, and leaves after it.
    log = [
        consumed("m", "06:01"),
        RM,
        known("line", line="L1", cost_center="CC"),
        begun("o", "06:05:30"),
    ]
    plain = run(log[0], log[3])
    outcome = run(*log)
    assert outcome.ids == plain.ids
    assert outcome.rows("gi", "base_quantity", "cost_center") == [("1", "CC")]
    assert plain.rows("gi", "base_quantity", "cost_center") == [(None, None)]


def test_a_nonconformance_with_a_quantity_gets_a_base_quantity() -> None:
    told = {"nonconformance": "N", "item": "FG", "code": "c", "severity": "s"}
    log = [FG, event("nonconformance.raised", told, "n", "06:00", quantity=2, uom="box")]
    assert run(*log).rows("qn", "quantity", "base_quantity", "event") == [
        ("2", "24", "nonconformance.raised.v1")
    ]
