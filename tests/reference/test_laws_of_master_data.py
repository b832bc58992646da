"""Laws of master data, on random sequences of what sources say."""

import json
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from masters import AT, master
from streams.codec.reference import read_reference
from streams.contract.topics import REFERENCE
from streams.log.record import Outgoing, Record
from tables.reference.keeping import Terms, kept
from tables.reference.known import Known

TERMS = Terms(owners={"item": {"lot_control": "/qms"}, "order": {"deleted": "/erp"}})


def said(rng: Random) -> bytes:
    """Return something that a source says, often of the same few things."""
    kind = rng.choice(["line", "work_unit", "item", "item", "order", "order", "hold", "reason"])
    data: dict[str, Any] = {
        "line": {"line": rng.choice("AB"), "cost_center": rng.choice(["1", "2", None])},
        "work_unit": {"line": rng.choice("AB"), "work_unit": rng.choice("UV")},
        "item": {
            "item": rng.choice("IJ"),
            "base_uom": rng.choice(["kg", "pc", None, 5]),
            "conversions": rng.choice([{"g": "0.001"}, {"box": 12}, {"kg": 1}, {"g": 0}, None]),
            "lot_control": rng.choice([True, False]),
        },
        "order": {
            "order": rng.choice("OP"),
            "status": rng.choice(["released", "closed", "open"]),
            "item": rng.choice(["I", "J", "K", None]),
            "uom": rng.choice(["kg", "g", "box", None]),
        },
        "hold": {"hold": "H", "scope": "lot", "value": rng.choice("AB"), "reason": "r"},
        "reason": {"reason": "r", "planned": rng.choice([True, False, None])},
    }[kind]
    told = {name: value for name, value in data.items() if rng.random() < 0.8}
    if rng.random() < 0.2:
        told["deleted"] = True
    plant = "*" if kind in ("item", "reason") and rng.random() < 0.3 else "P"
    return master(kind, plant, rng.choice(["/erp", "/qms"]), **told)


def taken(values: list[bytes], known: Known) -> list[Outgoing]:
    """Let records be kept; return what was written to `reference.v1`."""
    written = []
    for offset, value in enumerate(values):
        left, _ = kept(Record(offset, AT, None, value), 0, known, TERMS)
        if left is not None and left.topic == REFERENCE:
            assert left.key is not None
            known.learn(left.key, left.value)
            written.append(left)
    return written


def content(known: Known) -> list[Any]:
    return [(key, data, known.needed_by(key)) for key, data in known.items()]


@given(st.integers(0, 2**32))
def test_what_was_written_read_again_is_what_is_known(seed: int) -> None:
    rng = Random(seed)
    known, again = Known(), Known()
    for each in taken([said(rng) for _ in range(60)], known):
        assert each.key is not None
        again.learn(each.key, each.value)
    assert content(again) == content(known)


@given(st.integers(0, 2**32))
def test_of_each_key_only_the_last_record_counts(seed: int) -> None:
    # reference.v1 is compacted: what a new worker reads is the last record of each key.
    rng = Random(seed)
    known, compacted = Known(), Known()
    last = {each.key: each for each in taken([said(rng) for _ in range(60)], known)}
    for key, each in last.items():
        assert key is not None
        compacted.learn(key, each.value)
    assert content(compacted) == content(known)


@given(st.integers(0, 2**32))
def test_what_is_known_can_be_said_again_and_nothing_is_written(seed: int) -> None:
    rng = Random(seed)
    known = Known()
    written = taken([said(rng) for _ in range(60)], known)
    before = content(known)
    last = {each.key: each for each in written}
    for each in last.values():
        told = json.loads(each.value)
        value = json.dumps(told | {"source": rng.choice(["/erp", "/qms"])}).encode()
        if not told["data"].get("deleted"):
            assert taken([value], known) == []
    assert content(known) == before


@given(st.integers(0, 2**32))
def test_whatever_is_written_can_be_read_where_it_is_copied_to(seed: int) -> None:
    rng = Random(seed)
    for each in taken([said(rng) for _ in range(60)], Known()):
        told = json.loads(each.value)
        read = read_reference(told["type"].split(".")[1], told, binary=False)
        assert not isinstance(read, str), read
