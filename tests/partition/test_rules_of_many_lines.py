"""Rules and timing of a plant with many lines, and rules that change every day, in bounded steps."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from oracle_v2.replay import replay as oracle
from replays import replayed
from runs import Bench, confirmed, consumed, event, reversed_, stamp
from streams.contract.topics import MES_EVENTS
from streams.log.record import Outgoing, Record
from tables.line.rules import rules_for
from tables.partition.partition import Bounds, Partition
from tables.partition.stored import LINE
from tables.store.store import MemoryStore

LINES = 30
DAY = 86_400


def rules_from(seconds: float, **data: Any) -> bytes:
    """Return a rules record of the plant that is valid from an instant."""
    given: bytes = event(
        "reference.rules.v1", seconds, source="/lineside", valid_from=stamp(seconds), **data
    )
    return given


def by_windows_of(seconds: int) -> dict[str, Any]:
    cadence = {"when": "window", "window_seconds": seconds}
    return {"transactions": {"erp.goods_issue.v1": cadence}}


def timing(seconds: float, **data: Any) -> bytes:
    given: bytes = event("reference.timing.v1", seconds, source="/lineside", **data)
    return given


def records(values: Sequence[bytes]) -> list[Record]:
    return [
        Record(number, None, f"DE01/{json.loads(value)['line']}".encode(), value)
        for number, value in enumerate(values)
    ]


def log() -> list[bytes]:
    lines = [f"K{number}" for number in range(LINES)]
    return [
        *(consumed(n, id="a", line=line) for n, line in enumerate(lines)),
        event("clock.tick.v1", 200),
        timing(201, grace_seconds=300, idle_grace_seconds=10),
        *(consumed(210 + n, id="b", line=line) for n, line in enumerate(lines)),
        rules_from(300, **by_windows_of(60)),
        event("clock.tick.v1", 700),
        *(consumed(2 * DAY + n, id="c", line=line) for n, line in enumerate(lines)),
        rules_from(400, time_zone="Europe/Berlin", **by_windows_of(900)),
        *(consumed(4 * DAY + n, id="d", line=line) for n, line in enumerate(lines)),
        event("clock.tick.v1", 5 * DAY),
    ]


def of_lines(outputs: Sequence[Outgoing]) -> dict[tuple[str, bytes | None], list[bytes]]:
    found: dict[tuple[str, bytes | None], list[bytes]] = {}
    for each in outputs:
        found.setdefault((each.topic, each.key), []).append(each.value)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_they_hold_alike_in_one_go_in_pieces_and_opened_anew(seed: int) -> None:
    rng, given = Random(seed), records(log())
    whole = Partition(MES_EVENTS, 0, rules_for(MES_EVENTS), MemoryStore())
    wanted = whole.step(given)
    whole.commit(wanted)
    store = MemoryStore()
    bounds = Bounds(output_bytes=2_000, rows=rng.choice([1, 50]), lines=rng.choice([1, 4]))
    lines_max = rng.choice([None, 1, 9])

    def opened() -> Partition:
        rules = rules_for(MES_EVENTS)
        return Partition(MES_EVENTS, 0, rules, store, bounds=bounds, lines_max=lines_max)

    task, left, pieces = opened(), [], 0
    while task.offset < given[-1].offset:
        amid = task.spreading
        step = task.step(given[task.offset + 1 :][: rng.choice([1, 5, 100])])
        changes = task.commit(step)
        left += step.outputs
        if amid is not None and task.spreading is amid:
            assert sum(key.startswith(LINE) for key in changes) <= bounds.lines
            pieces += 1
        if rng.random() < 0.03:
            task = opened()
    assert pieces > LINES / bounds.lines
    assert of_lines(left) == of_lines(wanted.outputs)
    assert task.counts == whole.counts
    again = Partition(MES_EVENTS, 0, rules_for(MES_EVENTS), store)
    for key, line in whole.lines.items():
        told = [(each.begin, each.valid_from) for each in line.boundaries]
        assert [(each.begin, each.valid_from) for each in again.lines[key].boundaries] == told
        assert again.lines[key].watermark == line.watermark


# Rules that change every day.


def test_what_no_event_can_need_any_more_is_forgotten() -> None:
    bench = Bench()
    for day in range(40):
        bench.send(rules_from(day * DAY, **by_windows_of([60, 300][day % 2])))
        bench.send(consumed(day * DAY + 100, id=f"{day}"), consumed(day * DAY + 50_000, id="x"))
    (line,) = bench.task.lines.values()
    assert len(line.boundaries) <= 10
    bench.reopen()
    (again,) = bench.task.lines.values()
    assert len(again.boundaries) == len(line.boundaries)
    bench.send(consumed(39 * DAY + 60_000, id="new", line="L2"))
    assert len(bench.task.lines[b"DE01/L2"].boundaries) <= 10


def test_what_a_hold_keeps_goes_by_the_rules_of_its_time_however_late_it_goes_on() -> None:
    """Freed after forty days, and reversed after that: its row is one of its own time."""
    log = [event("quality.hold_placed.v1", 0, hold="H", scope="lot", value="A", reason="crack")]
    held = [consumed(day * DAY + 3_000, "2", id=f"held {day}", lot="A") for day in range(2)]
    for day in range(45):
        log.append(rules_from(day * DAY, **by_windows_of([60, 300][day % 2])))
        log.append(consumed(day * DAY + 100, id=f"{day}"))
        if day < len(held):
            log.append(held[day])
        if day == 40:
            log.append(
                event("quality.hold_released.v1", day * DAY + 200, hold="H", disposition="use")
            )
    log += [reversed_(each, 45 * DAY) for each in held]
    log.append(consumed(46 * DAY, id="last"))
    bench = Bench()
    for each in log:
        bench.send(each)
    (line,) = bench.task.lines.values()
    assert len(line.boundaries) > 40
    bench.send(confirmed(60 * DAY, id="long after"))
    assert len(line.boundaries) <= 2
    raw = b"\n".join(log) + b"\n"
    wanted = oracle(raw.splitlines(), close=True)
    found = replayed(raw, close=True)
    for topic, told in wanted.topics.items():
        assert [one["id"] for one in found.left[topic]] == [one["id"] for one in told], topic
