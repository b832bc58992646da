"""The simulated factory: the events that its lines send, as a pure function of a plan."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import timedelta
from heapq import merge
from operator import attrgetter
from random import Random

import msgspec
from msgspec.structs import replace

from agents.simulate.cells import CELLS, Cell
from agents.simulate.line import new_line, plant_name, work_until
from agents.simulate.mess import Arrival, Mess, Outages, messed
from agents.simulate.model import EPOCH, MONDAY
from agents.simulate.stewards import said

__all__ = ["Arrival", "Mess", "Plan", "arrivals", "clean_arrivals", "line_keys", "ticked"]

SLICE = 60_000  # milliseconds simulated at a time: bounds how many arrivals wait to be sorted


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate; equal plans give equal bytes, on any machine.

    `start` is in epoch microseconds. `machine_share` is the share of machine events among all
    events of working lines (0: none, 1: only machine events). `tick_seconds` is the factory time
    between two ticks of the processor's clock, 0 for none. `run` is part of every id, order, lot
    and episode, so that another run reuses none. With `works_always` lines work around the clock.
    With `master_data` its ERP, QMS and stewards send master data, on `erp.master.v1`.
    """

    seed: int = 1
    plants: int = 2
    lines: int = 4
    start: int = MONDAY * 1000
    machine_share: float = 0.5
    tick_seconds: int = 10
    run: str = ""
    works_always: bool = False
    master_data: bool = False
    mess: Mess = Mess()

    def __post_init__(self) -> None:
        if not 1 <= self.plants <= 99:
            raise ValueError(f"plants is {self.plants}: not within 1 to 99")
        if not 1 <= self.lines <= 99:
            raise ValueError(f"lines is {self.lines}: not within 1 to 99")
        if not 0 <= self.machine_share <= 1:
            raise ValueError(f"machine_share is {self.machine_share}: not within 0 to 1")
        if self.tick_seconds < 0:
            raise ValueError(f"tick_seconds is {self.tick_seconds}: negative")


def arrivals(plan: Plan) -> Iterator[Arrival]:
    """Yield the plan's events and ticks without end, in the order of `at`.

    With two lines or more, the last one falls silent. With three or more, the records of the second
    one are held back.
    """
    keys = line_keys(plan)
    mess = plan.mess
    outages = Outages()
    if len(keys) > 1 and mess.silent_after_seconds:
        after = plan.start + mess.silent_after_seconds * 1_000_000
        outages = replace(outages, silent=keys[-1], silent_from=after)
    if len(keys) > 2 and mess.backlog_seconds:
        after = plan.start + mess.backlog_after_seconds * 1_000_000
        until = after + mess.backlog_seconds * 1_000_000
        outages = replace(outages, held=keys[1], held_from=after, held_until=until)
    rng = Random(f"{plan.seed}/mess")  # nosec B311  # a simulation isn't cryptography
    events = messed(clean_arrivals(plan), mess, outages, rng)
    if plan.master_data:
        events = merge(said(_plants(plan), plan.start), events, key=attrgetter("at"))
    return ticked(events, plan)


def _plants(plan: Plan) -> dict[str, list[Cell]]:
    """Return the kinds of lines of each plant."""
    return {
        plant_name(plant): [CELLS[(plant + line) % len(CELLS)] for line in range(plan.lines)]
        for plant in range(plan.plants)
    }


def line_keys(plan: Plan) -> list[str]:
    """Return the Kafka keys of the plan's lines: "DE01/L1", ..."""
    plants = [plant_name(index) for index in range(plan.plants)]
    return [f"{plant}/L{line + 1}" for plant in plants for line in range(plan.lines)]


def clean_arrivals(plan: Plan) -> Iterator[Arrival]:
    """Yield the events of all lines without any mess, in the order of `at`."""
    waiting: list[Arrival] = []
    begin = -(-plan.start // 1000)
    lines = [
        new_line(
            plan.seed, plan.machine_share, plant, line, begin, waiting, plan.run, plan.works_always
        )
        for plant in range(plan.plants)
        for line in range(plan.lines)
    ]
    end = begin
    arrival_at = attrgetter("at")
    while True:
        end += SLICE
        for line in lines:
            work_until(line, end)
        waiting.sort(key=arrival_at)
        # No later slice has an earlier arrival; events that arrive later wait for the next slice.
        arrived = bisect_left(waiting, end * 1000, key=arrival_at)
        yield from waiting[:arrived]
        del waiting[:arrived]


def ticked(events: Iterable[Arrival], plan: Plan) -> Iterator[Arrival]:
    """Yield the events, with the ticks of the processor's clock in between."""
    if not plan.tick_seconds:
        yield from events
        return
    step = plan.tick_seconds * 1_000_000
    due, number = plan.start + step, 1
    for event in events:
        while due <= event.at:
            yield _tick(due, number)
            due, number = due + step, number + 1
        yield event


def _tick(at: int, number: int) -> Arrival:
    time = (EPOCH + timedelta(microseconds=at)).isoformat(timespec="milliseconds")[:23]
    value = (
        f'{{"specversion":"1.0","type":"clock.tick.v1","source":"/lineside","id":"tick-{number}"'
        f',"time":"{time}Z","plant":"*","line":"*","data":{{}}}}'
    )
    return Arrival(at, value.encode(), "", None, True)
