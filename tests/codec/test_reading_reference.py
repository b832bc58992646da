"""A reference record is read as section 9 says, or refused with the member and its value."""

import json
from random import Random
from typing import Any

import pytest
from msgspec.structs import asdict

from masters import ODD, SAID, reference
from oracle_v2 import reading
from oracle_v2.master import read_reference as told_by_oracle
from oracle_v2.tables import REFERENCE_TYPES
from streams.codec.decode import decode, decode_plain
from streams.contract.events import Tick
from streams.contract.reference import KINDS, TYPES, Item, Line, Reference, Rules
from streams.contract.reference_values import RULED, Cadence
from streams.contract.rejection import Rejection
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.log.headers import STRUCTURED
from streams.values.quantity import SCALE


def read(record: dict[str, Any], headers: Any = ()) -> Any:
    return decode(json.dumps(record).encode(), headers, MES_EVENTS)


def reason_of(record: dict[str, Any], headers: Any = ()) -> str:
    found = read(record, headers)
    assert isinstance(found, Rejection), found
    assert found.code == "invalid"
    return found.reason


def test_the_kinds_are_those_of_the_contract() -> None:
    assert dict(TYPES) == REFERENCE_TYPES
    assert set(SAID) == set(KINDS)


def test_a_record_says_its_key_and_its_members() -> None:
    found = read(reference("item", "*", seq=7))
    assert found == Reference(
        "item", "*", ("I",),
        Item(
            item="I", base_uom="kg", conversions={"g": SCALE // 1000, "t": 1000 * SCALE},
            lot_control=True, consumption="erp", consumption_from=1_795_240_800_000_000,
        ),
        7,
    )  # fmt: skip
    assert read({**reference("line"), "data": {"line": "L1", "storage": None, "x": [1]}}) == (
        Reference("line", "P", ("L1",), Line(line="L1"))
    )
    assert read(reference("rules")).data == Rules(
        valid_from=1_796_083_200_000_000,
        time_zone="Europe/Berlin",
        transactions={
            "erp.goods_issue.v1": Cadence("window", 60),
            "erp.goods_receipt.v1": Cadence("day"),
        },
    )


def test_a_deletion_needs_the_id_only_and_holds_stay() -> None:
    gone = {"line": "L1", "work_unit": "W", "deleted": True}
    assert read({**reference("work_unit"), "data": gone}) == (
        Reference("work_unit", "P", ("L1", "W"), None)
    )
    assert read(reference("line") | {"data": {"line": "L1", "deleted": False}}).data is not None
    assert reason_of(reference("item") | {"data": {"deleted": True}}) == "data.item is missing"
    odd = {"item": "I", "base_uom": 5, "deleted": True}
    assert reason_of(reference("item") | {"data": odd}) == "data.base_uom is 5: not a string"
    for kind in ("hold", "hold_release"):
        held = {**SAID[kind], "deleted": True}
        assert reason_of(reference(kind) | {"data": held}) == (
            "data.deleted is True: a hold and its release stay"
        )


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (reference("item", source="/erp"), "source is '/erp': "),
        (reference("order", "*"), "plant is '*': "),
        (reference("item", "a/b"), "plant is 'a/b': a '/' in it"),
        (reference("item", seq=-1), "seq is -1: not a whole number"),
        (reference("item", seq="7"), "seq is '7': not a whole number"),
        (reference("item", data=None), "data is missing"),
        (reference("item", data=[]), "data is []: not an object"),
        (
            reference("item", data={"item": "I", "base_uom": "kg", "conversions": {"g": 0}}),
            "data.conversions is {'g': 0}: 'g' is 0: not above 0 and below 10^6",
        ),
        (
            reference("item", data={"item": "I", "base_uom": "kg", "conversions": {"kg": 1}}),
            "data.conversions is {'kg': 1}: 'kg' is the base unit",
        ),
        (
            reference("rules", data={"valid_from": SAID["rules"]["valid_from"], "time_zone": "X"}),
            "data.time_zone is 'X': no IANA name of a time zone",
        ),
        (
            reference("order", data={"order": "O", "status": "open"}),
            "data.status is 'open': not one of released, held, completed, closed, cancelled",
        ),
    ],
)
def test_what_is_wrong_is_named(record: dict[str, Any], reason: str) -> None:
    assert reason_of(record).startswith(reason)


def test_in_binary_mode_a_seq_is_the_digits_of_a_header() -> None:
    def given(seq: bytes | None) -> list[tuple[str, bytes | None]]:
        return [
            ("ce_specversion", b"1.0"), ("ce_type", b"reference.line.v1"), ("ce_plant", b"P"),
            ("ce_source", b"/lineside"), ("ce_seq", seq),
        ]  # fmt: skip

    assert read(SAID["line"], given(b"007")).seq == 7
    assert read(SAID["line"], given(None)).seq is None
    for odd in (b"", b"-1", b"1.0", b"\xff", "７".encode(), str(2**63).encode(), b"0" * 20):
        assert reason_of(SAID["line"], given(odd)).startswith("seq is ")


def test_on_the_machines_topic_a_record_is_of_an_unknown_type() -> None:
    value = json.dumps(reference("item")).encode()
    found = decode(value, (), MACHINE_EVENTS)
    assert isinstance(found, Rejection)
    assert (found.code, found.plant) == ("unknown_type", "P")
    assert MES_EVENTS in found.reason
    other = decode(json.dumps({**reference("item"), "type": "reference.bom.v1"}).encode(), (), None)
    assert isinstance(other, Rejection)
    assert other.code == "unknown_type"


def _mutated(rng: Random) -> dict[str, Any]:
    kind = rng.choice(list(SAID))
    record = reference(kind, rng.choice(["P", "P", "*", "a/b", None]))
    record["seq"] = rng.choice([None, 0, 7, 1e3, -1, 0.5, "7", 2**63 - 1, 2**63, True])
    data = record["data"]
    for name in [*data, "deleted"]:
        if rng.random() < 0.25:
            data[name] = rng.choice(ODD)
        elif name in data and rng.random() < 0.1:
            del data[name]
    return record


def test_readers_agree_with_the_other_reading_of_the_contract() -> None:
    outcomes = [0, 0]
    for seed in range(40):
        rng = Random(seed)
        for _ in range(100):
            record = _mutated(rng)
            value = json.dumps(record).encode()
            found = decode(value, (), MES_EVENTS)
            envelope = reading.read_envelope(reading.Record(MES_EVENTS, 0, 0, None, None, value))
            try:
                copy = told_by_oracle(record["type"], envelope, 86_400)
            except reading.Rejected:
                assert isinstance(found, Rejection), record
                outcomes[0] += 1
                continue
            assert isinstance(found, Reference), (record, found)
            outcomes[1] += 1
            assert (found.kind, found.plant, found.id) == copy.key
            assert found.seq == copy.seq
            assert _comparable(found) == copy.data
    assert min(outcomes) > 100


def _comparable(found: Reference) -> dict[str, Any] | None:
    if found.data is None:
        return None
    said = {name: value for name, value in asdict(found.data).items() if value is not None}
    for name in found.data.ID:
        del said[name]
    if "transactions" in said:
        said["transactions"] = {
            RULED[record]: (cadence.when, cadence.window_seconds)
            for record, cadence in said["transactions"].items()
        }
    return said


def test_a_tick_stays_a_tick() -> None:
    tick = {"type": "clock.tick.v1", "time": "2026-11-21T06:00:00Z"}
    assert isinstance(read(tick), Tick)


def test_a_copy_that_comes_in_another_partition_is_read_once_if_it_is_small() -> None:
    def copy(**about: Any) -> bytes:
        told = {"specversion": "1.0", **reference("item", **about)}
        return json.dumps(told, separators=(",", ":")).encode()

    value = copy(seq=7)
    known = decode(value, (STRUCTURED,), MES_EVENTS)
    assert isinstance(known, Reference)
    assert decode(value, (), MES_EVENTS) is known
    assert decode(value, (), MES_EVENTS) == decode_plain(value, (), MES_EVENTS)
    other = decode(copy(seq=8), (), MES_EVENTS)
    assert isinstance(other, Reference)
    assert (other.seq, other.data) == (8, known.data)
    elsewhere = decode(value, (), MACHINE_EVENTS)
    assert isinstance(elsewhere, Rejection)
    assert elsewhere.code == "unknown_type"
    binary = (("ce_specversion", b"1.0"), ("ce_type", b"machine.state.v1"))
    assert decode(value, binary, MES_EVENTS) == decode_plain(value, binary, MES_EVENTS)
    large = copy(seq=7, more="x" * 1_024)
    assert decode(large, (), MES_EVENTS) == known
    assert decode(large, (), MES_EVENTS) is not decode(large, (), MES_EVENTS)
