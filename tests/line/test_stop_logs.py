"""Logs of stops, told in any order, lead to what the plain reading of the contract says of them."""

from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import given

from draws import seeds
from oracle_v2 import replay
from runs import classified, consumed, cut, ended, event, placed, started, value_of
from streams.contract.topics import MES_EVENTS
from streams.log.record import Outgoing, Record
from streams.values.instant import SECOND, parse
from tables.line import memory
from tables.line.conservation import balances
from tables.line.rules import Rules, Timing, rules_for
from tables.partition.partition import Bounds, Partition
from tables.report import report
from tables.store.store import MemoryStore

TYPES = (
    "summary.downtime.v1",
    "summary.availability.v1",
    "erp.maintenance_notification.v1",
    "erp.reversal.v1",
)

TIGHT = Bounds(output_bytes=2_000, rows=3, lines=1)

STEPS_MAX = 50_000
"""More, and a record is taken up again and again for ever."""

Left = dict[tuple[str, str], list[dict[str, Any]]]
"""Records by their line and topic, as they left."""


# The logs.


def timing_of(rng: Random) -> Timing:
    """Return lengths that a small log reaches the end of.

    Without a grace, no notification still waits when its episode is forgotten: what becomes of it
    then the contract doesn't say.
    """
    retention = rng.choice([7 * 86_400, 20_000, 1_500])
    return Timing(
        summary_window_seconds=rng.choice([60, 300]),
        grace_seconds=rng.choice([30, 0, 90]) if retention > 20_000 else 0,
        breakdown_seconds=rng.choice([600, 60, 45]),
        episode_limit_seconds=rng.choice([900, 3_600, 86_400]),
        mes_retention_seconds=retention,
        ledger_bucket_seconds=rng.choice([3_600, 60]),
    )


def stops(rng: Random, spread: float) -> Iterator[tuple[float, bytes]]:
    """Yield what is told of some stops, each with the moment when it comes."""
    ends: list[float] = [0.0]
    for number in range(rng.randint(1, 14)):
        name, line = f"E{rng.randrange(12)}", rng.choice(["L1", "L1", "L2"])
        unit = rng.choice(["U1", "U1", "U2"])
        begin = rng.choice([rng.random() * spread, rng.choice(ends), rng.randrange(40) * 30.0])
        lasted = rng.choice(
            [0.0, 30.0, 45.0, 60.0, 600.0, 300.0, rng.random() * 900, rng.random() * spread]
        )
        ends.append(begin + lasted)
        about = {"line": line, "work_unit": unit}
        kind = {"reason": rng.choice(["jam", "clean"]), "planned": rng.random() < 0.4}
        lateness = rng.choice([0.0, 0.0, 20.0, 200.0, spread / 3])
        if rng.random() < 0.9:
            told = started(begin, name, f"s{number}", **about, **kind)
            yield begin + rng.random() * lateness, told
        if rng.random() < 0.85:
            told = ended(begin + lasted, name, f"e{number}", **about)
            yield begin + lasted + rng.random() * lateness, told
        for again in range(rng.choice([0, 0, 1, 1, 2, 3])):
            at = begin + rng.random() * 1.5 * lasted + rng.choice([-50, 0, 100])
            more = {"reason": rng.choice(["jam", "clean", "tool"]), "planned": rng.random() < 0.5}
            if rng.random() < 0.5:
                more["work_unit"] = unit
            told = classified(at, f"c{number}.{again}", episode=name, line=line, **more)
            yield at + rng.random() * lateness, told


def stop_log(rng: Random) -> list[bytes]:
    """Return a log of stops, of what else happens on their lines, and of ticks."""
    spread = rng.choice([500.0, 3_000.0, 3_000.0, 20_000.0])
    told = list(stops(rng, spread))
    for number in range(rng.randint(0, 25)):
        at, line = rng.random() * spread * 1.6, rng.choice(["L1", "L2"])
        told.append((at, consumed(at, id=f"m{number}", line=line)))
        if rng.random() < 0.5:
            at = rng.random() * spread * 1.6
            told.append((at, event("clock.tick.v1", at + rng.choice([0, 120, 300]))))
    told.sort(key=lambda one: one[0])
    values = [value for _, value in told]
    for _ in range(rng.choice([0, 0, 2])):
        values.insert(rng.randrange(len(values) + 1), rng.choice(values))
    if rng.random() < 0.15:
        rng.shuffle(values)
    return values


# What leaves.


def by_line(records: Iterator[dict[str, Any]]) -> Left:
    found: Left = {}
    for record in records:
        if record["type"] in TYPES:
            for dated in ("posting_date", "document_date"):
                record["data"].pop(dated, None)
            record["time"] = parse(record["time"])  # it may be spelt with more zeros
            topic = "erp" if record["type"].startswith("erp.") else record["type"]
            found.setdefault((f"{record['plant']}/{record['line']}", topic), []).append(record)
    return found


def wanted(values: list[bytes], timing: Timing, close: bool) -> tuple[Left, dict[str, Any]]:
    """Return what the plain reading says that leaves, and what it reports."""
    settings = {
        "retention_seconds_mes": timing.mes_retention_seconds,
        **{
            name: getattr(timing, name)
            for name in (
                "summary_window_seconds", "grace_seconds", "breakdown_seconds",
                "episode_limit_seconds",
            )
        },
    }  # fmt: skip
    result = replay(values, close=close, settings=settings)
    left = (record for records in result.topics.values() for record in records)
    return by_line(left), result.report


def found(
    records: list[Record], rules: Rules, rng: Random, bounds: Bounds | None, reopened: bool
) -> tuple[list[Outgoing], Partition]:
    """Return what leaves, and the partition; its state is written and read again now and then."""
    store, out = MemoryStore(), list[Outgoing]()
    task = Partition(MES_EVENTS, 0, rules, store, bounds=bounds)
    for batch in cut(records, rng):
        for _ in range(STEPS_MAX):
            step = task.step(batch)
            out += step.outputs
            task.commit(step)
            if reopened and rng.random() < 0.4:
                task = Partition(MES_EVENTS, 0, rules, store, bounds=bounds)
            assert_conserved(task, rules)
            if task.offset >= batch[-1].offset:
                break
        else:
            raise AssertionError(f"{STEPS_MAX} steps, and still at offset {task.offset}")
    return out, task


def assert_conserved(task: Partition, rules: Rules) -> None:
    for line in task.lines.values():
        errors = {name: each for name, each in balances(line, rules).items() if each.error}
        assert not errors


@given(seeds)
def test_a_log_of_stops_leads_to_what_the_plain_reading_says(seed: int) -> None:
    rng = Random(seed)
    timing, values, close = timing_of(rng), stop_log(rng), rng.random() < 0.5
    right, told = wanted(values, timing, close)
    rules = rules_for(MES_EVENTS, timing)
    records = placed(values)[MES_EVENTS, 0]
    for bounds, reopened in ((None, False), (None, True), (TIGHT, rng.random() < 0.5)):
        out, task = found(records, rules, rng, bounds, reopened)
        own = report([task])
        if close:
            out += task.close_all()
            assert_conserved(task, rules)
        assert by_line(value_of(each) for each in out) == right
        assert own.exceptions == told["exceptions"]
        assert own.counts["accepted"] == told["counts"]["accepted"]
        assert own.waiting_ends == told["waiting_ends"]
        assert own.overlong_episodes == told["overlong_episodes"]
        counted = sum(memory.forgotten_open(line, rules) for line in task.lines.values())
        assert counted == int(told["forgotten_open_seconds"]) * SECOND
