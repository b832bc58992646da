"""Holds without end, and lots without end that they keep: each costs little, and none holds up others."""

import tracemalloc
from random import Random
from typing import Any

import pytest

from runs import Bench, confirmed, event, reversed_
from streams.contract.topics import MES_EVENTS
from tables.line.rules import rules_for
from tables.partition.parking import GROUPS_AT_ONCE
from tables.partition.partition import Partition
from tables.partition.released import PARKED, Freed, Group
from tables.partition.stored import instant_of
from tables.store.store import MemoryStore

LOTS = 5_000

FREED_BYTES_MAX = 100
"""Of a lot that goes on, while others are before it."""


class Unlisted(dict[Any, Any]):
    """Holds that nobody may go through."""

    def __iter__(self) -> Any:
        raise AssertionError("all holds were looked at")

    keys = values = items = __iter__


def placed(hold: str, scope: str, value: str, seconds: float = 0) -> bytes:
    data = {"hold": hold, "scope": scope, "value": value, "reason": "crack"}
    value: bytes = event("quality.hold_placed.v1", seconds, f"{hold} placed", line="Q", **data)
    return value


def released(hold: str, seconds: float = 0) -> bytes:
    data = {"hold": hold, "disposition": "use"}
    value: bytes = event("quality.hold_released.v1", seconds, f"{hold} released", line="Q", **data)
    return value


def test_a_hold_comes_and_goes_without_a_look_at_the_others() -> None:
    bench = Bench()
    bench.send(placed("first", "lot", "A"), confirmed(1, lot="A"))
    own = bench.task.known.plants["DE01"]
    own.holds = Unlisted(own.holds)
    bench.send(placed("second", "lot", "B"), confirmed(2, lot="B"), placed("third", "item", "I9"))
    assert bench.task.parking.count == 2
    bench.send(released("second", 3), released("third", 3))
    assert bench.task.parking.count == 1
    bench.send(released("first", 4))
    assert bench.task.parking.count == 0
    assert len(own.holds) == 0


def test_lots_that_go_on_take_little_memory_until_their_turn_comes() -> None:
    groups = [Group(b"DE01/L1", number, (f"lot {number}", "I1", "O1"), 1) for number in range(LOTS)]
    store = MemoryStore()
    store.write([(group.key(PARKED, group.number), b"") for group in groups])
    next(store.scan(PARKED))  # it sorts its keys when they're first asked for
    tracemalloc.start()
    try:
        freed = Freed(b"DE01/L1", groups, store.scan, {})
        assert freed.next() == (groups[0], 0)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < LOTS * FREED_BYTES_MAX
    assert [freed.next() for _ in range(LOTS)] == [(each, each.number) for each in groups[1:]] + [
        None
    ]


def test_a_state_with_many_lots_is_opened_with_pauses() -> None:
    bench = Bench()
    bench.send(placed("H", "item", "I1"))
    bench.send(*(confirmed(1, id=f"e{number}", lot=f"lot {number}") for number in range(LOTS)))
    rules = rules_for(MES_EVENTS)
    task = Partition(MES_EVENTS, 0, rules, bench.store, later=True)
    assert sum(1 for _ in task.loading()) >= LOTS // GROUPS_AT_ONCE
    assert task.parking.count == LOTS


@pytest.mark.parametrize("seed", range(10))
def test_the_earliest_time_is_that_of_what_is_parked(seed: int) -> None:
    rng = Random(seed)
    bench = Bench()
    bench.send(placed("of all", "item", "I1"), *(placed(lot, "lot", lot) for lot in "ABC"))
    parked: list[bytes] = []
    for number in range(120):
        if parked and rng.random() < 0.4:
            original = parked.pop(rng.randrange(len(parked)))
            bench.send(reversed_(original, 500, id=f"r{number}"))
        else:
            told = confirmed(rng.randrange(400), id=f"e{number}", lot=rng.choice("ABCD"))
            bench.send(told)
            parked.append(told)
        if rng.random() < 0.1:
            bench.reopen()
        if rng.random() < 0.5:
            check_since(bench)
    bench.send(released("of all", 600))  # those of lot D go on
    for lot in "ABC":
        check_since(bench)
        bench.send(released(lot, 600))
    assert bench.task.parking.since() is None


def check_since(bench: Bench) -> None:
    times = [instant_of(told[:8]) for _, told in bench.store.scan(PARKED)]
    assert bench.task.parking.since() == min(times, default=None)
    assert bench.task.parking.since_of(b"DE01/L1") == min(times, default=None)
