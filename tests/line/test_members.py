"""What members of events come to in the records that leave."""

from typing import Any

import pytest

from runs import Bench, event, run, value_of
from streams.contract.policy import default_policy
from tables.line.rules import rules_for

RECEIPT = {"order": "O1", "item": "I1", "quantity": "1", "uom": "pc"}
BOOKED = {"order": "O1", "operation": "0010", "seconds": 60}


def data_of(lines: list[bytes], kind: str) -> list[dict[str, Any]]:
    """Return the data of the records of a type that come of a log, all windows closed."""
    left = (value_of(output) for each in run(lines, close=True).outputs.values() for output in each)
    return [record["data"] for record in left if record["type"] == kind]


@pytest.mark.parametrize(
    ("given", "left"),
    [({}, "main"), ({"product": None}, "main"), ({"product": "main"}, "main"),
     ({"product": "by_product"}, "by_product")],
)  # fmt: skip
def test_a_receipt_always_leaves_with_its_product(given: dict[str, Any], left: str) -> None:
    (data,) = data_of(
        [event("goods.received.v1", 0, "g", **RECEIPT, **given)], "erp.goods_receipt.v1"
    )
    assert data["product"] == left


def test_a_receipt_without_a_product_and_one_of_the_main_product_are_one() -> None:
    bench = Bench()
    bench.send(event("goods.received.v1", 0, "g", **RECEIPT))
    assert bench.send(event("goods.received.v1", 0, "g", **RECEIPT, product="main")) == []
    assert bench.task.counts.duplicate == 1
    (other,) = bench.send(event("goods.received.v1", 0, "g", **RECEIPT, product="co_product"))
    assert other["data"]["code"] == "key_conflict"


def test_serials_leave_with_what_leaves_at_once() -> None:
    made = RECEIPT | {"operation": "0010", "serial": "S-1"}
    (data,) = data_of(
        [event("production.confirmed.v1", 0, "p", **made)], "erp.production_confirmation.v1"
    )
    assert data["serial"] == "S-1"
    (data,) = data_of(
        [event("goods.received.v1", 0, "g", **RECEIPT, serial="S-1")], "erp.goods_receipt.v1"
    )
    assert data["serial"] == "S-1"


def test_labour_is_summed_for_each_work_unit_and_names_nobody() -> None:
    lines = [
        event("labor.booked.v1", 0, "a", **BOOKED, person="P1", work_unit="U1"),
        event("labor.booked.v1", 1, "b", **BOOKED, person="P2", work_unit="U1"),
        event("labor.booked.v1", 2, "c", **BOOKED, work_unit="U2"),
        event("labor.booked.v1", 3, "d", **BOOKED, person="P1"),
    ]
    left = data_of(lines, "erp.labor_confirmation.v1")
    assert sorted((data.get("work_unit", ""), data["seconds"]) for data in left) == [
        ("", "60"), ("U1", "120"), ("U2", "60"),
    ]  # fmt: skip
    assert not any("person" in data for data in left)


def test_an_operator_leaves_with_no_record() -> None:
    told = {"order": "O1", "operation": "0010", "operator": "somebody"}
    (data,) = data_of([event("operation.started.v1", 0, "s", **told)], "erp.operation_status.v1")
    assert data["event"] == "operation.started.v1"
    assert "operator" not in data
    assert "operator" not in {
        name
        for plan in rules_for("mes.events.v1", None, default_policy()).plans.values()
        for record in plan.singly
        for name in record.names
    }


def test_the_item_of_a_hold_leaves_with_its_notification() -> None:
    held = {"hold": "H1", "scope": "lot", "value": "LOT1", "item": "I1", "reason": "crack"}
    for kind in ("erp.quality_notification.v1", "erp.stock_status.v1"):
        (data,) = data_of([event("quality.hold_placed.v1", 0, "h", **held)], kind)
        assert data["item"] == "I1"
