"""Late points of machine states: what windows were told of them, split, stored and read again."""

from array import array
from itertools import accumulate
from random import Random

import msgspec
from hypothesis import given

from draws import seeds
from runs import Bench, event
from streams.contract.topics import MACHINE_EVENTS
from tables.line.line import Line
from tables.line.points import STATES
from tables.line.rules import Timing, rules_for
from tables.line.timeline import BLOCK_POINTS, Timeline
from tables.partition.stored import instant_bytes, read_points

RULES = rules_for(MACHINE_EVENTS)


def state(seconds: float, name: str) -> bytes:
    return event("machine.state.v1", seconds, f"{name}@{seconds}", work_unit="U1", state=name)


def test_a_partition_opens_again_after_a_late_point_has_split_a_block() -> None:
    # The half without the late point was stored as if windows had to be told of it, and couldn't
    # be read again: the worker ended, and so did the next one that got the partition.
    bench = Bench(MACHINE_EVENTS, Timing())
    names = ("Execute", "Idle")
    for number in range(BLOCK_POINTS):
        bench.send(state(60 * number, names[number % 2]))
    bench.send(state(65, "Held"))
    bench.reopen()
    left = bench.tick(100_000) + bench.close()
    told = [each["data"] for each in left if each["type"] == "summary.machine_state.v1"]
    moved = [(each["state"], each["seconds"]) for each in told if each["revision"] > 0]
    assert ("Held", "55") in moved


def test_a_block_that_an_earlier_version_stored_so_is_read() -> None:
    line = Line("DE01", "L3", 0, RULES)
    codes = b"\x01\x02"
    read_points(
        line, b"U1\0" + instant_bytes(5), msgspec.msgpack.encode([[5, 7], codes, codes]), RULES
    )
    assert line.timelines is not None
    (block,) = line.timelines.units["U1"].blocks
    assert block.told is None
    assert [*block.times] == [5, 12]
    assert line.timelines.late == {}


@given(seeds)
def test_what_windows_have_to_be_told_is_kept_only_where_there_is_something(seed: int) -> None:
    rng = Random(seed)
    timeline, now, closed = Timeline(), 0, 0
    for _ in range(300):
        code = rng.randrange(len(STATES))
        if rng.random() < 0.9:
            now += rng.randrange(1, 8)
            timeline.put(now, code)
        else:
            at = max(0, now - rng.randrange(200))
            timeline.put(at, code, at < closed)
        if rng.random() < 0.03:
            timeline.settle(now)
        if rng.random() < 0.1:
            closed = now
        for block in timeline.blocks:
            assert block.told is None or block.told != block.codes
    line = Line("DE01", "L3", 0, RULES)
    for block in timeline.blocks:
        distances = [b - a for a, b in zip([0, *block.times], block.times, strict=False)]
        assert array("q", accumulate(distances)) == block.times
        parts = [distances, bytes(block.codes)]
        stored = [*parts, bytes(block.told)] if block.told is not None else parts
        read_points(
            line, b"U1\0" + instant_bytes(block.base), msgspec.msgpack.encode(stored), RULES
        )
    read = line.timelines.units["U1"] if line.timelines is not None else Timeline()
    assert [*read.blocks] == timeline.blocks
