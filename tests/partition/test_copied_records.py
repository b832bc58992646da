"""Copies that are learnt from their bytes lead to what the full codec's reading of them leads to."""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given

from compiled import needs_core
from draws import seeds
from masters import ODD, SAID, reference
from runs import new_task
from streams.codec.decode import decode_plain
from streams.codec.scanning import Events
from streams.contract.reference import KINDS, Reference
from streams.contract.topics import MES_EVENTS
from streams.log.headers import STRUCTURED
from streams.log.record import Record
from tables.known.copied import Copied
from tables.known.known import Known
from tables.partition.partition import Partition
from tables.store.store import MemoryStore

MANY = ("line", "work_unit", "item", "reason", "order")
"""The kinds that are learnt from their bytes."""

NAMES = ["I", "é", "x" * 256, "100%|1:2", "a b", "☃", "L/1", "*", " x", "x ", "A\u0308", "x" * 257]


@pytest.fixture(autouse=True, scope="module")
def core() -> None:
    needs_core()


def nothing(key: bytes) -> bytes | None:
    return None


def learnt(value: bytes) -> Known | None:
    """Return what a value alone makes known from its bytes, None if it isn't read that way."""
    events, known, copied = Events(), Known(nothing), Copied()
    events.read([Record(0, None, None, value)], -1, MES_EVENTS)
    copied.look_up(events, MemoryStore().get_many)
    if not events.count or not _is_reference(events) or not copied.learn(known, events, 0, False):
        return None
    return known


def _is_reference(events: Any) -> bool:
    return isinstance(events.decoded_at(0), Reference)


def plainly_learnt(value: bytes) -> Known | None:
    """Return what a value makes known by the full codec, None if it's refused or an event."""
    told = decode_plain(value, (), MES_EVENTS)
    if not isinstance(told, Reference):
        return None
    known = Known(nothing)
    known.learn(told)
    return known


def agree(value: bytes) -> bool:
    """Return whether a value was learnt from its bytes; then it has to be as the full codec has it."""
    found = learnt(value)
    if found is None:
        return False
    plain = plainly_learnt(value)
    assert plain is not None, value
    assert found.changed == plain.changed, value
    for name in ("orders", "items", "places", "requires", "holds"):
        assert getattr(found, name) == getattr(plain, name), (name, value)
    assert set(found.plants) == set(plain.plants)
    return True


def some_record(rng: Random) -> dict[str, Any]:
    odd = rng.choice([0, 0.02, 0.2])

    def is_odd() -> bool:
        return rng.random() < odd

    kind = rng.choice([*SAID]) if is_odd() else rng.choice(MANY)
    record: dict[str, Any] = {"specversion": "1.0"}
    record |= reference(kind, rng.choice(["*", *NAMES]) if is_odd() else "P")
    if rng.random() < 0.8:
        record |= {"id": "rf:1", "time": "2026-11-21T06:00:00Z"}
    record["seq"] = rng.choice([None, 0, 7, 127, 128, 255, 256, 70_000, 2**32, 2**40, 10**17])
    if is_odd():
        record["seq"] = rng.choice([1e3, -1, 0.5, "7", True, 10**18, 2**63 - 1, 2**63])
    data = record["data"]
    for name in [*data, "deleted", "more"]:
        if is_odd():
            data[name] = rng.choice([*ODD, *NAMES])
        elif name in data and is_odd():
            del data[name]
    if "conversions" in data and rng.random() < 0.5:
        factors = [1, "0.5", "999999.999999999", None, "123.25", 7.5]
        data["conversions"] = {
            f"{number}é": 10**6 if is_odd() else rng.choice(factors)
            for number in range(rng.randrange(30))
        }
    if is_odd():
        record[rng.choice(["more", "source", "type", "payload"])] = rng.choice(ODD)
    return record


def spelt(rng: Random, record: dict[str, Any]) -> bytes:
    """Return a record as JSON, its members in any order, in one of several notations."""
    if rng.random() < 0.3:
        record = dict(rng.sample(list(record.items()), len(record)))
    separators = rng.choice([(",", ":"), (", ", ": "), (" , ", " : ")])
    return json.dumps(record, separators=separators, ensure_ascii=rng.random() < 0.1).encode()


def mutated(rng: Random, value: bytes) -> bytes:
    """Return bytes that differ a little: some changed, left out, or there twice."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.randrange(len(value))
        end = min(at + rng.choice([0, 1, 1, 2, 20]), len(value))
        more = rng.choice([b"", value[at:end] * 2, bytes([rng.randrange(256)]), b'"', b",", b"0"])
        value = value[:at] + more + value[end:]
    return value or b"{}"


def test_most_ordinary_records_are_learnt_from_their_bytes() -> None:
    rng = Random(1)
    records = [some_record(rng) for _ in range(400)]
    assert sum(agree(json.dumps(each, ensure_ascii=False).encode()) for each in records) > 200


@given(seeds)
def test_what_is_learnt_from_bytes_is_what_the_full_codec_reads(seed: int) -> None:
    rng = Random(seed)
    for _ in range(50):
        value = spelt(rng, some_record(rng))
        agree(value)
        agree(mutated(rng, value))


def test_each_member_of_each_kind_is_learnt_from_its_bytes() -> None:
    for kind in MANY:
        for plant in ("P", "*") if KINDS[kind].EVERYWHERE else ("P",):
            for more in ({}, {"seq": 7}, {"seq": None}):
                value = json.dumps(reference(kind, plant, **more)).encode()
                assert agree(value), value
        for name, said in SAID[kind].items():
            for odd in [*ODD, *NAMES, said]:
                data = {**SAID[kind], name: odd}
                agree(json.dumps(reference(kind, data=data), ensure_ascii=False).encode())


def test_a_member_twice_and_whatever_deletes_are_left_to_the_full_codec() -> None:
    whole = json.dumps(reference("item", seq=3)).encode()
    assert agree(whole)
    for old, new in (
        (b'"seq": 3', b'"seq": 3, "seq": 3'),
        (b'"plant": "P"', b'"plant": "P", "more": 1, "more": 2'),
        (b'"item": "I"', b'"item": "I", "item": "I"'),
        (b'"item": "I"', b'"item": "I", "more": 1, "more": 2'),
        (b'"g": "0.001"', b'"g": "0.001", "g": "0.001"'),
        (b'"item": "I"', b'"item": "I", "transactions": {"a": 1, "a": 2}'),
        (b'"item": "I"', b'"item": "I", "deleted": true'),
        (b'"source": "/lineside"', b'"source": "/erp"'),
        (b'"source": "/lineside", ', b""),
        (b'"type": "reference.item.v1"', b'"type": "reference.hold.v1"'),
    ):
        assert old in whole
        assert learnt(whole.replace(old, new)) is None, new


def records_of(rng: Random, count: int) -> Iterator[bytes]:
    """Yield records of few keys whose `seq`s rise and fall, deletions and refused ones among them."""
    for _ in range(count):
        record = reference(rng.choice(MANY), seq=rng.choice([None, *range(12)]))
        data = record["data"]
        for name in data:
            if isinstance(data[name], str) and name != "status" and rng.random() < 0.3:
                data[name] = rng.choice(["I", "J", "é", "☃", " x"])
        if rng.random() < 0.15:
            data["deleted"] = True
        yield json.dumps(record, ensure_ascii=rng.random() < 0.3).encode()


@given(seeds)
def test_partitions_know_the_same_whichever_way_they_learn(seed: int) -> None:
    rng = Random(seed)
    values = list(records_of(rng, 60))
    task, want = new_task((MES_EVENTS, 0)), Known(nothing)
    at = 0
    while at < len(values):
        some = values[at : at + rng.randrange(1, 20)]
        records = [
            Record(at + number, None, b"k", value, (STRUCTURED,) if rng.random() < 0.5 else ())
            for number, value in enumerate(some)
        ]
        task.commit(task.step(records))
        at += len(some)
    for value in values:
        told = decode_plain(value, (), MES_EVENTS)
        if isinstance(told, Reference):
            want.learn(told)
    assert stored(task) == want.changed
    assert task.counts.tick + task.counts.exception == len(values)
    assert task.known.items == want.items
    for key in want.changed:
        kind = next(kind for kind in MANY if key in _keys(kind, want))
        found, plain = task.known.found(kind, key), want.found(kind, key)
        assert (found.seq, found.data) == (plain.seq, plain.data)


def _keys(kind: str, known: Known) -> Sequence[bytes]:
    from tables.known.known import FACT, LETTERS

    return [key for key in known.changed if key.startswith(FACT + LETTERS[kind])]


def stored(task: Partition) -> dict[bytes, bytes | None]:
    """Return what a partition's store has of reference records."""
    return dict(task.store.scan(b"k"))
