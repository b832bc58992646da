"""What ERP, QMS and stewards send is checked and merged, written once, or refused with a reason."""

import json
from base64 import b64decode
from typing import Any

import pytest

from masters import AT, data_of, known_after, master, refusal, take
from streams.contract.reference_key import key_of, read_key
from streams.contract.topics import EXCEPTIONS, REFERENCE
from tables.reference.keeping import Terms
from tables.reference.known import Known
from tables.reference.relations import RULES_AHEAD_MAX

LINE = master("line", line="L1", cost_center="CC")
ITEM = master("item", item="I", base_uom="kg", conversions={"g": "0.001", "box": 12})


def test_a_record_goes_to_the_systems_own_copy() -> None:
    left = take(ITEM, Known(), offset=7)
    assert left is not None
    assert (left.topic, left.key, left.id) == (REFERENCE, b"item|P|I", "rf:erp.master.v1/0/7")
    assert json.loads(left.value) == {
        "specversion": "1.0", "type": "reference.item.v1", "source": "/lineside",
        "id": "rf:erp.master.v1/0/7", "time": "2026-11-21T06:00:00Z", "plant": "P", "line": "*",
        "mastersource": "/erp", "masterid": "m",
        "data": {"item": "I", "base_uom": "kg", "conversions": {"box": "12", "g": "0.001"}},
    }  # fmt: skip


def test_a_record_that_is_known_isnt_written_again_however_it_is_spelt() -> None:
    known = known_after([ITEM])
    again = {"box": {"quantity": "1.2E1", "uom": "kg"}, "g": 1e-3, "t": None}
    assert take(ITEM, known) is None
    assert take(master("item", item="I", base_uom="kg", conversions=again), known) is None
    rules = {"valid_from": "2026-12-01T00:00:00Z", "time_zone": "Europe/Berlin"}
    known = known_after([master("rules", **rules)])
    assert take(
        master("rules", **rules | {"valid_from": "2026-12-01T01:00:00.0+01:00"}), known
    ) is (None)


def test_what_isnt_spoken_of_stays_and_what_is_null_goes() -> None:
    known = known_after([LINE])
    assert data_of(take(master("line", line="L1", storage="S"), known)) == {
        "line": "L1", "cost_center": "CC", "storage": "S",
    }  # fmt: skip
    assert data_of(take(master("line", line="L1", cost_center=None), known)) == {
        "line": "L1", "storage": "S",
    }  # fmt: skip


def test_a_member_stays_with_the_source_that_owns_it() -> None:
    terms = Terms(owners={"item": {"lot_control": "/qms", "base_uom": "/erp", "deleted": "/erp"}})
    known = Known()
    early = take(master("item", source="/qms", item="I", lot_control=True), known, terms)
    assert refusal(early) == "data.base_uom is missing: /erp owns it and hasn't said it yet"
    said = {"item": "I", "base_uom": "kg", "lot_control": False}
    assert data_of(take(master("item", **said), known, terms)) == {"item": "I", "base_uom": "kg"}
    told = master("item", source="/qms", item="I", base_uom="t", lot_control=True)
    owned = {"item": "I", "base_uom": "kg", "lot_control": True}
    assert data_of(take(told, known, terms)) == owned
    assert take(master("item", **said), known, terms) is None
    gone = take(master("item", source="/qms", item="I", deleted=True), known, terms)
    assert refusal(gone) == "data.deleted is True: only /erp may delete that (item)"
    gone = take(master("item", item="I", deleted=True), known, terms)
    assert data_of(gone) == {"item": "I", "deleted": True}


def test_a_deletion_is_written_once_and_then_the_record_is_new() -> None:
    known = known_after([LINE])
    gone = master("line", line="L1", deleted=True)
    assert data_of(take(gone, known)) == {"line": "L1", "deleted": True}
    assert not len(known)
    assert take(gone, known) is None
    assert data_of(take(master("line", line="L1"), known)) == {"line": "L1"}


def test_what_others_need_isnt_deleted_before_them() -> None:
    order = {"order": "O", "item": "I"}
    known = known_after(
        [LINE, ITEM, master("work_unit", line="L1", work_unit="W"),
         master("order", status="released", **order)]
    )  # fmt: skip
    line, item = master("line", line="L1", deleted=True), master("item", item="I", deleted=True)
    assert refusal(take(line, known)) == "data.deleted is True: it is needed by 1 work unit"
    assert refusal(take(item, known)) == "data.deleted is True: it is needed by 1 open order"
    data_of(take(master("order", status="closed", **order), known))
    data_of(take(item, known))
    data_of(take(master("work_unit", line="L1", work_unit="W", deleted=True), known))
    data_of(take(line, known))


def test_so_many_rules_lie_ahead_at_most_and_one_that_is_deleted_makes_room() -> None:
    told = [
        master("rules", valid_from=f"2027-01-01T{number // 60:02}:{number % 60:02}:00Z")
        for number in range(RULES_AHEAD_MAX)
    ]
    known = known_after(told)
    more = {"valid_from": "2027-02-01T00:00:00Z"}
    assert refusal(take(master("rules", **more), known)) == (
        "data.valid_from is 2027-02-01T00:00:00Z: 100 rules of plant 'P' lie ahead already: "
        "delete one of them, or wait until one has begun"
    )
    changed = {"valid_from": "2027-01-01T00:00:00Z", "time_zone": "Europe/Berlin"}
    assert data_of(take(master("rules", **changed), known)) == changed
    data_of(take(master("rules", valid_from="2026-01-01T00:00:00Z"), known))
    data_of(take(master("rules", "Q", **more), known))
    data_of(take(master("rules", valid_from="2027-01-01T00:01:00Z", deleted=True), known))
    data_of(take(master("rules", valid_from="2026-01-01T00:00:00Z", deleted=True), known))
    data_of(take(master("rules", **more), known))


@pytest.mark.parametrize(
    ("conversions", "resolved"),
    [
        ({"box": 12, "pallet": {"quantity": "40", "uom": "box"}}, {"box": "12", "pallet": "480"}),
        ({"g": "0.001", "kg": 1}, {"g": "0.001"}),
        ({"half": {"quantity": 0.5, "uom": "kg"}}, {"half": "0.5"}),
    ],
)
def test_conversions_may_be_told_in_steps(
    conversions: dict[str, Any], resolved: dict[str, str]
) -> None:
    told = master("item", item="I", base_uom="kg", conversions=conversions)
    assert data_of(take(told, Known()))["conversions"] == resolved


@pytest.mark.parametrize(
    ("conversions", "reason"),
    [
        ({"g": 0}, "data.conversions is {'g': 0}: 'g' is 0: not above 0 and below 10^6"),
        ({"g": 1000}, "data.conversions: contradictory: 1 g is 0.001 kg, not 1000"),
        ({"kg": 2}, "data.conversions: contradictory: 'kg' is the base unit, and 1 of it is 1"),
        (
            {"a": {"quantity": 2, "uom": "b"}, "b": {"quantity": 2, "uom": "a"}},
            "data.conversions: cyclic: a -> b -> a",
        ),
        (
            {"a": {"quantity": 2, "uom": "b"}},
            "data.conversions: 'b' is no unit of the item: a -> b",
        ),
        (
            {"a": {"quantity": 1000, "uom": "b"}, "b": 1000},
            "data.conversions: 'a' is 1000000 kg: not above 0 and below 10^6",
        ),
        (
            {"a": {"quantity": "1e-5", "uom": "b"}, "b": "1e-5"},
            "data.conversions: a -> b kg is finer than 9 decimal places",
        ),
        ({"a": {"quantity": 1}}, "data.conversions is {'a': {'quantity': 1}}: uom of 'a' is None"),
    ],
)
def test_conversions_that_cant_be_are_refused(conversions: dict[str, Any], reason: str) -> None:
    told = master("item", item="I", base_uom="kg", conversions=conversions)
    assert str(refusal(take(told, Known()))).startswith(reason)


def test_a_new_base_unit_needs_new_conversions() -> None:
    known = known_after([ITEM])
    reason = refusal(take(master("item", item="I", base_uom="t"), known))
    assert str(reason).startswith("data.base_uom is 't': contradictory")
    said = {"item": "I", "base_uom": "t", "conversions": {"kg": "0.001"}}
    assert data_of(take(master("item", **said), known)) == said
    assert data_of(take(master("item", item="I", base_uom="pc", conversions=None), known)) == {
        "item": "I", "base_uom": "pc",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (
            master("work_unit", line="L9", work_unit="W"),
            "data.line is 'L9': no line of plant 'P' is known by that name",
        ),
        (
            master("work_unit", "Q", line="L1", work_unit="W"),
            "data.line is 'L1': no line of plant 'Q' is known by that name",
        ),
        (
            master("order", order="O", status="released", item="J"),
            "data.item is 'J': no item of plant 'P' is known by that name",
        ),
        (
            master("order", order="O", status="released", item="I", uom="pc"),
            "data.uom is 'pc': no unit of item 'I', which has kg, box, g",
        ),
        (master("order", order="O", status="open"), "data.status is 'open': not one of "),
        (master("timing", grace_seconds=86_400), "data.grace_seconds is 86400: not at most 3599"),
        (
            master("rules", valid_from="2126-01-01T00:00:00Z"),
            "data.valid_from is 2126-01-01T00:00:00Z: more than ten years from now",
        ),
        (
            master("rules", valid_from="2027-01-01T00:00:00Z", time_zone="Mars/Base"),
            "data.time_zone is 'Mars/Base': no IANA name",
        ),
        (
            master("hold", hold="H", scope="lot", value="B", reason="r"),
            "data.value is 'B': hold 'H'",
        ),
        (master("hold", hold="G", scope="lot", value="A", reason="r"), "data.hold is 'G': it was "),
        (
            master("hold_release", hold="G", disposition="scrap"),
            "data.hold is 'G': it was released with 'use'",
        ),
        (master("hold", hold="H", deleted=True), "data.deleted is True: a hold"),
        (master("hold_release", hold="G", deleted=True), "data.deleted is True: a hold"),
        (master("order", "*", order="O", status="held"), "plant is '*'"),
        (master("line", line="a/b"), "data.line is 'a/b': a '/' in it"),
        (master("line", source=" ", line="L"), "source is ' '"),
        (master("bill_of_material", parts=[]), "data.id is missing"),
        (master("line"), "data.line is missing"),
        (b'{"specversion":"1.0","type":5}', "type is 5: not a string"),
        (b"{}", "type is missing"),
    ],
)
def test_what_contradicts_what_is_known_is_refused(value: bytes, reason: str) -> None:
    terms = Terms(grace_max=3_599)
    known = known_after(
        [LINE, ITEM, master("hold", hold="H", scope="lot", value="A", reason="r"),
         master("hold_release", hold="G", disposition="use")]
    )  # fmt: skip
    assert str(refusal(take(value, known, terms))).startswith(reason)


def test_a_plants_order_may_be_of_an_item_of_all_plants() -> None:
    known = known_after([master("item", "*", item="I", base_uom="pc")])
    order = {"order": "O", "status": "released", "item": "I", "uom": "pc"}
    assert data_of(take(master("order", **order), known)) == order


def test_an_exception_has_the_senders_bytes() -> None:
    for value, code in [
        (b"{", "malformed"),
        (master("calendar", id="x"), "unknown_type"),
        (master("line", line=5), "invalid"),
    ]:
        left = take(value, Known(), offset=3)
        assert left is not None
        assert (left.topic, left.id) == (EXCEPTIONS, "erp.master.v1/0/3")
        told = json.loads(left.value)
        assert told["data"]["class"] == "data"
        assert told["data"]["code"] == code
        assert b64decode(told["data"]["value"]) == value
        assert told["data"]["topic"] == "erp.master.v1"
        assert told["time"] == "2026-11-21T06:00:00Z"


def test_kinds_that_nothing_needs_may_lie_there_too() -> None:
    known = Known()
    bill = {"id": "B", "item": "I", "parts": [{"item": "M", "quantity": 0.10, "deleted": True}]}
    assert data_of(take(master("bill_of_material", **bill), known)) == bill
    assert take(master("bill_of_material", **bill), known) is None
    person = take(master("person", "*", id="p/7|%", name="Ada", deleted=5), known)
    assert refusal(person) == "data.deleted is 5: neither true nor false"
    left = take(master("person", "*", id="p/7|%", name="Ada"), known)
    assert left is not None
    assert left.key == b"person|*|p%2F7%7C%25"


def test_keys_are_read_as_they_were_written() -> None:
    for kind, plant, parts in [
        ("plant", "P", ()),
        ("work_unit", "P|%2F", ("a%b", "c/d")),
        ("item", "*", ("%7C|/",)),
    ]:
        assert read_key(key_of(kind, plant, parts)) == (kind, plant, parts)
    assert key_of("work_unit", "P", ["L1", "W/1"]) == b"work_unit|P|L1/W%2F1"


def test_a_time_that_cant_be_read_is_refused_and_an_absent_one_is_the_records() -> None:
    told = json.loads(LINE) | {"time": "yesterday"}
    assert str(refusal(take(json.dumps(told).encode(), Known()))).startswith("time is 'yesterday'")
    told["time"] = "2026-11-20T00:00:00+01:00"
    left = take(json.dumps(told).encode(), Known())
    assert left is not None
    assert json.loads(left.value)["time"] == "2026-11-19T23:00:00Z"
    assert AT > 0
