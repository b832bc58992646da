"""Whole random worlds of contract v2: held against the oracle, and cut wherever a step may end.

`HYPOTHESIS_PROFILE=thorough` looks at more of them.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pytest

from oracle_v2.replay import replay as oracle
from oracle_v2.worlds import World, machine
from replays import replayed
from runs import new_task
from streams.contract.topics import MES_EVENTS, REFERENCE
from streams.log.record import Outgoing, Record
from streams.values import instant
from tables.line.conservation import balances
from tables.line.rules import rules_for
from tables.partition.partition import Bounds, Partition
from tables.store.store import MemoryStore

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
SEEDS = range(200 if THOROUGH else 8)

TIMES = ("time", "window_start", "window_end")
"""Compared as instants: whether a whole second is written with zeros is anybody's choice."""

STEPS_MAX = 100_000

Left = dict[tuple[Any, ...], list[Any]]


def log_of(seed: int, size: int) -> list[dict[str, Any]]:
    return World(seed).log(size) + machine(seed, size // 3)


def comparable(record: dict[str, Any], partitions: int) -> dict[str, Any]:
    """Return a record with its times as instants, an exception without its wording.

    With several partitions the oracle chooses one by a hash of its own.
    """
    data = dict(record["data"])
    if record["type"] == "exception.raised.v1":
        data.pop("reason")
        if partitions > 1:
            del data["partition"], data["offset"]
            record = {**record, "id": None}
    for told in (record := {**record, "data": data}, data):
        for name in TIMES:
            if name in told:
                told[name] = instant.parse(told[name])
    return record


def by_line(topics: dict[str, list[dict[str, Any]]], partitions: int) -> Left:
    """Return the records by topic, plant and line: between lines there is no order."""
    found: Left = defaultdict(list)
    for topic, records in topics.items():
        for record in records:
            at = topic, record.get("plant"), record.get("line")
            found[at].append(comparable(record, partitions))
    return dict(found)


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_leaves_what_the_oracle_says_record_by_record(seed: int, close: bool) -> None:
    partitions = 1 + seed % 2
    raw = b"".join(json.dumps(each).encode() + b"\n" for each in log_of(seed, 150 + seed % 5 * 50))
    wanted = oracle(raw.splitlines(), close=close, partitions=partitions)
    found = replayed(raw, close=close, partitions=partitions)
    left, told = by_line(found.left, partitions), by_line(wanted.topics, partitions)
    assert left.keys() == told.keys()
    for at, records in told.items():
        for number, (one, other) in enumerate(zip(left[at], records, strict=False)):
            assert one == other, f"record {number} of {at}"
        assert len(left[at]) == len(records), at
    counts = wanted.report["counts"]
    assert {name: found.written["counts"][name] for name in counts} == counts


def records_of(events: Iterable[dict[str, Any]]) -> list[Record]:
    return [
        Record(
            number,
            None,
            f"{each.get('plant')}/{each.get('line')}".encode(),
            json.dumps(each).encode(),
        )
        for number, each in enumerate(events)
    ]


def of_lines(outputs: Iterable[Outgoing]) -> dict[tuple[str, Any, Any], list[tuple[str, bytes]]]:
    found = defaultdict(list)
    for output in outputs:
        event = json.loads(output.value)
        found[output.topic, event.get("plant"), event.get("line")].append((output.id, output.value))
    return dict(found)


def in_pieces(records: Sequence[Record], rng: Random) -> tuple[Partition, list[Outgoing]]:
    """Take the records in small batches and bounded steps, opened anew now and then."""
    tight = Bounds(rng.choice([500, 5_000]), rng.choice([1, 3, 20]), rng.choice([1, 3]))
    bounds, lines_max = rng.choice([None, tight, tight]), rng.choice([None, 1])
    store = MemoryStore()

    def opened() -> Partition:
        rules = rules_for(MES_EVENTS)
        return Partition(MES_EVENTS, 0, rules, store, bounds=bounds, lines_max=lines_max)

    task, left = opened(), []
    for _ in range(STEPS_MAX):
        if task.offset == records[-1].offset and not task.unfinished:
            return task, left
        begin = task.offset + 1
        step = task.step(records[begin : begin + rng.choice([0, 1, 2, 7, 50])])
        left += step.outputs
        task.commit(step)
        if rng.random() < 0.3:
            task = opened()
    raise AssertionError(f"{STEPS_MAX} steps, and still at offset {task.offset}")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_leaves_the_same_in_one_go_and_in_pieces(seed: int) -> None:
    records = records_of(World(seed).log(300))
    whole = new_task((MES_EVENTS, 0))
    step = whole.step(records)
    whole.commit(step)
    task, left = in_pieces(records, Random(seed))
    assert of_lines(left) == of_lines(step.outputs)
    assert task.counts == whole.counts
    assert task.parking.count == whole.parking.count
    again = Partition(MES_EVENTS, 0, rules_for(MES_EVENTS), task.store)
    assert again.lines.keys() == whole.lines.keys()
    for key, line in whole.lines.items():
        told = balances(line, whole.rules)
        assert balances(again.lines[key], again.rules) == told
        assert not any(balance.error for balance in told.values())


def test_the_worlds_have_what_these_tests_are_for() -> None:
    """Holds that park, rules, finals, late events: or the laws above would hold of nothing."""
    seen: set[str] = set()
    for seed in SEEDS:
        task = new_task((MES_EVENTS, 0))
        step = task.step(records_of(World(seed).log(300)))
        task.commit(step)
        seen |= {output.id.partition(":")[0] for output in step.outputs}
        seen |= {"parked"} if task.parking.count else set()
        seen |= {"rules"} if any(line.boundaries for line in task.lines.values()) else set()
        seen |= {"waiting"} if any(line.finals for line in task.lines.values()) else set()
        seen |= {output.topic for output in step.outputs if output.topic == REFERENCE}
    assert seen >= {
        "pc", "gr", "gi", "sp", "lc", "mn", "os", "qn", "st", "rv", "sc", "ss", "su", "sd", "sa",
        "parked", "rules", "waiting", REFERENCE,
    }  # fmt: skip
