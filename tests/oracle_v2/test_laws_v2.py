"""The laws of section 7 over random logs: what left adds up to what is true, told in another way."""

import ast
import json
import sys
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from .builders import Outcome, resumed, run, stopped
from .replay import Job
from .values import SECOND, parse_time
from .worlds import World, machine, text

SEEDS = range(12)


def seconds(time: str) -> Decimal:
    micros = parse_time(time)
    assert micros is not None
    return Decimal(micros) / SECOND


def told(outcome: Outcome, short: str, row: tuple[str, ...], measure: str) -> dict[Any, Decimal]:
    """Add up what left: (line, start of the window, row) -> measure, without what is zero."""
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for record in outcome.of(short):
        data = record["data"]
        key = record["line"], data["window_start"], tuple(data.get(name) for name in row)
        sums[key] += Decimal(data[measure])
    return {key: size for key, size in sums.items() if size}


def accepted(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of a log that are accepted: refused and repeated ones left out."""
    job, found = Job(1, {}), []
    for event in log:
        before = job.counts["accepted"]
        job.take_line(json.dumps(event).encode())
        if job.counts["accepted"] > before:
            found.append(event)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_conservation_holds_at_any_moment_and_nothing_is_lost(seed: int) -> None:
    log = World(seed).log(250)
    for upto in (60, 130, 250):
        for close in (False, True):
            outcome = run(*log[:upto], close=close)  # which holds law 1
            ticks = sum(event["type"] == "clock.tick.v1" for event in log[:upto])
            assert sum(outcome.report["counts"].values()) == upto + ticks
            assert not close or outcome.report["open_windows"] == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_accepted_records_again_anywhere_later_change_no_total_and_no_key(seed: int) -> None:
    log = World(seed).log(120)
    rng, events = Random(seed), accepted(log)
    again = list(log)
    for _ in range(30):
        event = rng.choice(events)
        again.insert(rng.randint(again.index(event) + 1, len(again)), event)
    first, second = run(*log, close=True), run(*again, close=True)
    assert first.topics.keys() - {"exceptions.v1"} == second.topics.keys() - {"exceptions.v1"}
    for topic in first.topics.keys() - {"exceptions.v1"}:
        assert first.topics[topic] == second.topics[topic]
    assert first.codes == second.codes


@pytest.mark.parametrize("seed", SEEDS)
def test_partitions_change_nothing_per_line(seed: int) -> None:
    log = World(seed).log(250)
    one, three = run(*log, close=True), run(*log, close=True, partitions=3)
    for topic in one.topics.keys() - {"exceptions.v1"}:
        for line in ("L1", "L2"):
            mine, theirs = (
                [record for record in outcome.topics[topic] if record["line"] == line]
                for outcome in (one, three)
            )
            assert mine == theirs


@pytest.mark.parametrize("seed", SEEDS)
def test_no_posting_key_occurs_twice(seed: int) -> None:
    outcome = run(*World(seed).log(400), close=True)
    every = [record["id"] for topic in outcome.topics.values() for record in topic]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("seed", SEEDS)
def test_summaries_of_consumption_are_those_of_the_accepted_events(seed: int) -> None:
    log = World(seed).log(100)
    truth: dict[Any, Decimal] = defaultdict(Decimal)
    for event in accepted(log):
        fact, sign = event, 1
        if event["type"] == "transaction.reversed.v1":
            fact, sign = {**event, **event["data"]["original"]}, -1
        if fact["type"] == "material.consumed.v1":
            start = seconds(fact["time"]) // 60 * 60
            key = event["line"], start, (fact["data"].get("lot"), fact["data"]["uom"])
            truth[key] += sign * Decimal(str(fact["data"]["quantity"]))
    left = told(run(*log, close=True), "sc", ("lot", "uom"), "quantity")
    assert {(line, seconds(start), row): size for (line, start, row), size in left.items()} == {
        key: size for key, size in truth.items() if size
    }


def _cut(begin: Decimal, end: Decimal) -> list[tuple[Decimal, Decimal]]:
    """Return the minutes that a stretch overlaps, and how much of each."""
    start, found = begin // 60 * 60, []
    while start < end:
        found.append((start, min(end, start + 60) - max(begin, start)))
        start += 60
    return [(start, lasted) for start, lasted in found if lasted]


@pytest.mark.parametrize("seed", SEEDS)
def test_downtime_and_availability_are_what_the_episodes_are_in_the_end(seed: int) -> None:
    rng = Random(seed)
    log, standing = [], set()
    truth: dict[Any, Decimal] = defaultdict(Decimal)
    for number in range(25):
        begin = rng.randint(0, 4_000)
        end = begin + rng.choice([0, 7, 90, 1_000])
        log.append(stopped(f"s{number}", text(begin), episode=f"E{number}"))
        log.append(resumed(f"r{number}", text(end), episode=f"E{number}"))
        standing |= set(range(begin, end))
        for start, lasted in _cut(seconds(text(begin)), seconds(text(end))):
            truth[start] += lasted
    rng.shuffle(log)
    outcome = run(*log, close=True)
    left = told(outcome, "sd", (), "seconds")
    assert {seconds(start): size for (_, start, _), size in left.items()} == truth
    assert outcome.total("sd", "stops") == 25
    union = told(outcome, "sa", (), "down")
    base = seconds(text(0))
    minutes = Counter((base + second) // 60 * 60 for second in standing)
    assert {seconds(start): size for (_, start, _), size in union.items()} == minutes


@pytest.mark.parametrize("seed", SEEDS)
def test_machine_states_are_what_the_timeline_is_in_the_end(seed: int) -> None:
    log = machine(seed, 150)
    points: dict[str, dict[Decimal, str]] = {"W": {}, "V": {}}
    for event in log:
        if event["type"] == "machine.state.v1":
            points[event["data"]["work_unit"]][seconds(event["time"])] = event["data"]["state"]
    last = max(seconds(event["time"]) for event in log)
    truth: dict[Any, Decimal] = defaultdict(Decimal)
    for unit, timeline in points.items():
        times = sorted(timeline)
        for begin, following in zip(times, [*times[1:], last // 60 * 60 + 60], strict=True):
            for start, lasted in _cut(begin, min(following, begin + 600)):
                truth[start, (unit, timeline[begin])] += lasted
    left = told(
        run(*log, close=True, state_limit_seconds=600), "sx", ("work_unit", "state"), "seconds"
    )
    assert {(seconds(start), row): size for (_, start, row), size in left.items()} == truth


def test_it_imports_nothing_but_the_standard_library() -> None:
    tests = {"builders", "worlds"}
    for path in Path(__file__).parent.glob("*.py"):
        if path.stem.startswith("test_") or path.stem in tests:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert (node.module or "").partition(".")[0] in sys.stdlib_module_names, path.name
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in tests, path.name
            elif isinstance(node, ast.Import):
                for name in node.names:
                    assert name.name.partition(".")[0] in sys.stdlib_module_names, path.name
