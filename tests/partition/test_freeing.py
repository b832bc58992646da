"""What was parked goes on in pieces: in order, without new records, and while others flow."""

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest

from agents.partition import task as partition_task
from agents.partition.opening import Opened, Progress
from agents.partition.task import PartitionTask
from runs import Bench, confirmed, consumed, event, reversed_
from streams.contract.topics import MES_EVENTS
from streams.log.batches import Batch
from streams.log.record import Outgoing, Record
from streams.log.writing import StateChange, StateChanges
from tables.line.rules import rules_for
from tables.partition import released
from tables.partition.partition import Bounds, Partition
from tables.store.store import MemoryStore

PARKED = 40

TIGHT = Bounds(output_bytes=1 << 20, rows=3, lines=1)


def opened(store: MemoryStore, bounds: Bounds | None = TIGHT) -> Partition:
    return Partition(MES_EVENTS, 0, rules_for(MES_EVENTS), store, bounds=bounds)


def hold(seconds: float, **data: str) -> bytes:
    members = {"hold": "H", "scope": "item", "value": "I1", "reason": "crack"} | data
    value: bytes = event("quality.hold_placed.v1", seconds, "placed", line="Q", **members)
    return value


def release(seconds: float) -> bytes:
    members = {"hold": "H", "disposition": "use"}
    return event("quality.hold_released.v1", seconds, "released", line="Q", **members)


def parked(line: str = "L1") -> list[bytes]:
    """Return confirmations that the hold touches, of several lots in turn."""
    return [
        confirmed(100 - number, id=f"{line} {number}", line=line, lot=f"lot {number % 3}")
        for number in range(PARKED)
    ]


def records(values: Sequence[bytes], first: int = 0) -> list[Record]:
    return [
        Record(number, None, f"DE01/{json.loads(value)['line']}".encode(), value)
        for number, value in enumerate(values, first)
    ]


def confirmations(left: Sequence[Outgoing]) -> list[str]:
    return [each.id.rpartition("|")[2] for each in left if each.id.startswith("pc:")]


def went(task: Partition, batch: Sequence[Record]) -> list[Outgoing]:
    step = task.step(batch)
    task.commit(step)
    return step.outputs


def with_a_release() -> tuple[MemoryStore, Partition]:
    """Return a partition that has just read a release, and has a piece of what it frees behind it."""
    store = MemoryStore()
    task = opened(store)
    for each in records([hold(0), *parked(), confirmed(1, id="other", line="L2", item="I9")]):
        went(task, [each])
    assert task.parking.count == PARKED
    went(task, records([release(200)], task.offset + 1))
    assert 0 < task.parking.count < PARKED
    assert task.unfinished
    return store, task


def test_it_goes_on_by_itself_in_bounded_steps_and_in_order() -> None:
    _, task = with_a_release()
    left: list[Outgoing] = []
    steps = 0
    while task.unfinished:
        outputs = went(task, ())
        assert len(outputs) <= TIGHT.rows
        left += outputs
        steps += 1
    assert steps > PARKED / TIGHT.rows / 2
    assert confirmations(left) == [f"L1 {number}" for number in range(PARKED)][-len(left) :]
    assert went(task, ()) == []


def test_it_goes_on_after_a_crash() -> None:
    store, task = with_a_release()
    left = went(task, ())
    while (task := opened(store)).unfinished:
        left += went(task, ())
    names = [f"L1 {number}" for number in range(PARKED)]
    assert confirmations(left) == names[-len(left) :]
    assert task.parking.count == 0


def test_other_lines_flow_meanwhile_and_its_own_waits() -> None:
    _, task = with_a_release()
    first = task.offset + 1
    others = [confirmed(300 + n, id=f"other {n}", line=f"L{2 + n}") for n in range(2)]
    own = confirmed(302, id="own")
    batch = records([*others, own], first)
    assert confirmations(went(task, batch))[:2] == ["other 0", "other 1"]
    assert task.offset == first + 1
    assert task.unfinished
    left: list[Outgoing] = []
    while task.offset < batch[-1].offset:
        left += went(task, batch)
    assert confirmations(left)[-1] == "own"
    assert not task.unfinished


@pytest.mark.parametrize(
    "value",
    [
        event("clock.tick.v1", 400, line="L2"),
        hold(400, hold="another", value="I5"),
        event("reference.item.v1", 400, line="L2", source="/lineside", item="I1", base_uom="kg"),
    ],
    ids=["tick", "hold", "reference record"],
)
def test_what_could_tell_the_difference_waits(value: bytes) -> None:
    _, task = with_a_release()
    batch = records([value], task.offset + 1)
    went(task, batch)
    assert task.offset < batch[0].offset
    while task.offset < batch[0].offset:
        went(task, batch)
    assert not task.unfinished


def test_without_bounds_all_goes_on_at_once() -> None:
    task = opened(MemoryStore(), None)
    left = went(task, records([hold(0), *parked(), release(200)]))
    assert confirmations(left) == [f"L1 {number}" for number in range(PARKED)]
    assert not task.unfinished


def test_any_number_of_them_is_read_by_and_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three groups in turn, one of which has lost an event, each read in pieces."""
    monkeypatch.setattr(released, "NUMBERS_READ", 1)
    monkeypatch.setattr(released, "GROUP_READ", 1)
    bench = Bench()
    values = [*parked(), *(confirmed(50, id=f"late {n}", lot="lot 1") for n in range(60))]
    bench.send(hold(0), *values)
    bench.send(reversed_(values[7], 120))
    left = bench.send(consumed(130, item="I9"), release(200))
    names = [json.loads(each)["id"] for each in values if each is not values[7]]
    found = [each["id"].rpartition("|")[2] for each in left if each["id"].startswith("pc:")]
    assert found == names


class Ends:
    """What a task reads and writes."""

    sends_ahead = True
    pause_seconds = 0.0

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.left: list[Outgoing] = []
        self.writes = 0
        self.position: int | None = None
        self.failed: BaseException | None = None

    async def open(self, progress: Progress) -> Opened:
        return Opened(self.store, self)

    async def seek(self, offset: int) -> None:
        self.position = offset

    def fail(self, error: BaseException) -> None:
        self.failed = error

    async def worked(self, batch: Batch, count: int) -> list[Outgoing]:
        """Let a task work until so many confirmations have left; return what has."""
        rules = rules_for(MES_EVENTS)
        task = PartitionTask(
            MES_EVENTS, 0, rules, self.open, self.seek, lambda outputs: None, self.fail
        )
        async with asyncio.timeout(20):
            await self.until(lambda: task.hungry)
            if self.position == 0:
                await task.take(batch)
            await self.until(lambda: len(confirmations(self.left)) >= count)
        await task.close()
        assert self.failed is None
        return self.left

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():
            assert self.failed is None, repr(self.failed)
            await asyncio.sleep(0)

    async def send(self, records: Sequence[Outgoing]) -> None:
        self.left += records

    async def write(
        self, records: Sequence[Outgoing], changes: StateChanges
    ) -> Sequence[StateChange]:
        self.writes += 1
        return []

    async def close(self) -> None:
        pass


async def test_a_task_goes_on_by_itself_and_writes_what_it_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No record comes after the release, and the task is restarted halfway."""
    monkeypatch.setattr(partition_task, "STEP_BOUNDS", TIGHT)
    monkeypatch.setattr(partition_task, "BUSY_SECONDS_MAX", 0.0)
    store, values = MemoryStore(), [hold(0), *parked(), release(200)]
    left: list[Outgoing] = []
    batch = Batch(MES_EVENTS, 0, 0, records(values))
    for half in (PARKED // 2, PARKED):
        ends = Ends(store)
        left += await ends.worked(batch, half - len(confirmations(left)))
    assert confirmations(left) == [f"L1 {number}" for number in range(PARKED)]
    assert ends.writes > 1
    assert not opened(store).unfinished
