"""What records say by themselves: what contradicts itself is found, and nothing else is."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.audit.findings import Differences, Place
from agents.audit.outputs_alone import OutputsAlone
from logs import random_log
from runs import consumed, run
from streams.contract.topics import SUMMARY_CONSUMPTION
from streams.log.record import Outgoing


def hold(records: list[Outgoing], exactly_once: bool = False) -> OutputsAlone:
    """Return what was found of records in one partition of each topic."""
    outputs = OutputsAlone(Differences(), exactly_once)
    for offset, record in enumerate(records):
        outputs.find(Place(record.topic, 0, offset, record.key), record.value)
    return outputs


def late_windows() -> list[Outgoing]:
    """Return three revisions of a row of a summary."""
    log = [consumed(0, id="a"), consumed(200, id="b"), consumed(1, id="c"), consumed(400, id="d"),
           consumed(2, id="e"), consumed(600, id="f")]  # fmt: skip
    left = [each for each in run(log).records if each.topic == SUMMARY_CONSUMPTION]
    return [each for each in left if ":1795240800:" in each.id]


def with_quantity(record: Outgoing, quantity: str) -> Outgoing:
    event = json.loads(record.value)
    value = json.dumps({**event, "data": {**event["data"], "quantity": quantity}}).encode()
    return Outgoing(record.topic, record.key, record.id, record.type, value)


@given(st.integers(0, 10**6), st.integers(1, 120), st.integers(0, 100))
def test_no_part_of_what_left_contradicts_itself(seed: int, size: int, first: int) -> None:
    done = run(random_log(seed, size))
    left = [each for outputs in done.outputs.values() for each in outputs]
    outputs = hold([*left[first:], *left[first + first // 2 :]])
    assert outputs.differences.first() is None
    assert outputs.keys == len(left[first:])
    repeats = sum(figures.repeats for figures in outputs.figures.values())
    assert repeats == len(left[first + first // 2 :])


def test_revisions_of_a_row_that_fall_are_reported() -> None:
    records = late_windows()
    assert len(records) == 3
    assert hold(records).differences.first() is None
    Random(1).shuffle(records)
    first = hold(records).differences.first()
    assert first is not None
    assert first.kind == "reordered"
    assert first.topic == SUMMARY_CONSUMPTION


def test_a_posting_key_with_another_content_is_reported() -> None:
    one, *_ = late_windows()
    spaced = Outgoing(
        one.topic, one.key, one.id, one.type, json.dumps(json.loads(one.value)).encode()
    )
    assert hold([one, spaced]).differences.first() is None
    first = hold([one, with_quantity(one, "7")]).differences.first()
    assert first is not None
    assert (first.kind, first.topic, first.offset) == ("reused", one.topic, 1)
    assert one.id in first.says


@pytest.mark.parametrize("kind", ["twice", "headers"])
def test_what_readers_could_take_for_something_else_is_reported(kind: str) -> None:
    one, *_ = late_windows()
    twice = one.value.replace(b'"data":{', b'"data":{"quantity":"999999",', 1)
    outputs = OutputsAlone(Differences())
    if kind == "twice":
        outputs.find(Place(one.topic, 0, 5, one.key), twice)
    else:
        outputs.find(Place(one.topic, 0, 5, one.key), one.value, [("ce_type", b"x")])
    assert outputs.differences.counts == {"changed": 1}
    first = outputs.differences.first()
    assert first is not None
    assert first.member == ("data.quantity" if kind == "twice" else "header ce_type")


def test_a_repeat_refutes_exactly_once_only() -> None:
    one, *_ = late_windows()
    assert hold([one, one]).differences.first() is None
    assert hold([one, one], exactly_once=True).differences.counts == {"repeated": 1}


def test_a_line_in_two_partitions_is_reported() -> None:
    outputs = OutputsAlone(Differences())
    for number, record in enumerate(late_windows()[:2]):
        outputs.find(Place(record.topic, number, 0, record.key), record.value)
    assert outputs.differences.counts == {"scattered": 1}


@pytest.mark.parametrize("value", [None, b"{}", b"{", b"\xff"])
def test_what_is_no_record_of_ours_is_reported(value: bytes | None) -> None:
    outputs = OutputsAlone(Differences())
    outputs.find(Place(SUMMARY_CONSUMPTION, 0, 5, b"DE01/L1"), value)
    assert outputs.differences.counts == {"extra": 1}
