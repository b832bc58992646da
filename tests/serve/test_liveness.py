"""A worker that has something to do and doesn't get on fails; one that waits for others doesn't."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.serve.liveness import Liveness

TP0, TP1 = TP("mes.events.v1", 0), TP("mes.events.v1", 1)


class World:
    """Two partitions, how far they are, and how far they reach."""

    def __init__(self) -> None:
        self.tasks = {TP0: self.task(0), TP1: self.task(0)}
        self.ends: dict[TP, int | None] = {TP0: 0, TP1: 0}
        self.answers = True
        self.now = 1_000.0
        job: Any = SimpleNamespace(tasks=self.tasks)
        self.liveness = Liveness(job, self)
        self.liveness.look(self.now)

    @staticmethod
    def task(lasting: int, there: bool = True) -> Any:
        return SimpleNamespace(lasting=lasting, partition=object() if there else None)

    def committed_end(self, tp: TP) -> int | None:
        return self.ends[tp]

    def after(self, seconds: float) -> float:
        """Return for how long something has stood still, so many seconds later."""
        self.now += seconds
        return self.liveness.look(self.now)


@pytest.fixture
def world() -> World:
    return World()


def test_no_lag_is_no_standstill(world: World) -> None:
    assert world.after(1_000) == 0


def test_lag_without_progress_is_one_from_when_it_was_last_there(world: World) -> None:
    world.ends[TP0] = 5
    assert world.after(5) == 5  # it may have had lag since it was looked at last
    assert world.after(5) == 10
    world.tasks[TP0].lasting = 1
    assert world.after(5) == 0
    assert world.after(5) == 5
    world.tasks[TP0].lasting = 5
    assert world.after(5) == 0
    assert world.after(500) == 0


def test_one_partition_that_stands_still_is_enough(world: World) -> None:
    world.ends = {TP0: 5, TP1: 1_000}
    for step in range(1, 20):
        world.tasks[TP1].lasting = step
        assert world.after(5) == 5 * step


def test_a_broker_that_is_away_or_an_end_that_isnt_known_is_no_standstill(world: World) -> None:
    world.ends[TP0] = 5
    world.answers = False
    assert world.after(1_000) == 0
    world.answers = True
    world.ends[TP0] = None
    assert world.after(1_000) == 0


def test_a_first_recovery_is_none_but_a_partition_that_never_reopens_is(world: World) -> None:
    world.ends[TP0] = 5
    world.tasks[TP0].partition = None
    assert world.after(1_000) == 0
    world.tasks[TP0] = world.task(3)
    world.after(0)
    world.tasks[TP0].partition = None  # lost, and opened anew
    assert world.after(100) == 100


def test_a_partition_that_went_elsewhere_is_forgotten(world: World) -> None:
    world.ends[TP0] = 5
    world.after(50)
    del world.tasks[TP0]
    assert world.after(50) == 0
    world.tasks[TP0] = world.task(0)
    assert world.after(50) == 0
