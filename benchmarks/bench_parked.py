"""A hold parks a million events of one line: what do the others cost then, and what its release?

    python benchmarks/bench_parked.py [--parked N] [--lots N] [--events N] [--results DIR]

In this process and without Kafka: `Partition.step` with a worker's bounds, the overlay and RocksDB.
First one line has N events that no hold touches, half of them confirmations, and 64 other lines
report. Then a hold parks N such events of another line, and the others report again. Then the hold
is released: steps of which every other one brings records of the other lines, each written when it
has been computed. Halfway the partition is opened anew from what was written, as after a crash. It
fails unless all that was parked leaves once and in order, in many writes, and memory stays below
what was there before, `GROWTH_MB` and `LOT_BYTES` for each lot.
"""

import argparse
import gc
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from measure import Failed, about, keep, machine, resident_mb, table
from rig import run_main
from workload import Plan, Workload

from agents.partition.task import STEP_BOUNDS
from agents.process_events import LINES_MAX
from streams.contract.topics import MES_EVENTS
from streams.log.record import Outgoing, Record
from streams.values import instant
from tables.line.conservation import balances
from tables.line.rules import rules_for
from tables.partition.partition import Partition
from tables.store.overlay import Overlay
from tables.store.rocksdb import RocksStore

STEP_RECORDS: Final = 2_000

PARKED_KEY: Final = b"DE01/HELD"

GROWTH_MB: Final = 200.0
"""RocksDB's block cache (64 MiB) and write buffers, and what steps hold."""

LOT_BYTES: Final = 600
"""Of a lot, item and order that anything is parked of."""

encode = msgspec.json.Encoder().encode


class Job:
    """A partition over its store: each step is written before the next one."""

    def __init__(self, folder: Path) -> None:
        self.overlay = Overlay(RocksStore(folder / "state", wal=False))
        self.partition = self._opened()
        self.offset = 0
        self.memory_mb = 0.0
        """The most that was resident."""
        self.writes = 0
        self.largest = 0
        """Records that left with one write, at most."""

    def _opened(self) -> Partition:
        return Partition(
            MES_EVENTS, 0, rules_for(MES_EVENTS), self.overlay, bounds=STEP_BOUNDS,
            lines_max=LINES_MAX,
        )  # fmt: skip

    def reopen(self) -> float:
        """Open the partition from what was written; return how many seconds that took."""
        began = time.perf_counter()
        del self.partition  # a task has let go of it, too
        gc.unfreeze()
        gc.collect()
        self.partition = self._opened()
        return time.perf_counter() - began

    def records(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[Record]:
        """Return the next records of the log."""
        begin = self.offset
        self.offset += len(pairs)
        return [
            Record(number, None, key, value) for number, (key, value) in enumerate(pairs, begin)
        ]

    def step(self, records: Sequence[Record]) -> list[Outgoing]:
        """Take a step, and write it."""
        step = self.partition.step(records)
        self.overlay.hold(step.changes)
        self.overlay.add(self.partition.sealed())
        self.overlay.settle(1, self.overlay.merged(1))
        self.writes += 1
        self.largest = max(self.largest, len(step.outputs))
        self.memory_mb = max(self.memory_mb, resident_mb())
        return step.outputs

    def take(self, pairs: Iterator[tuple[bytes, bytes]]) -> float:
        """Take all of these records; return the CPU seconds of it, without those of making them."""
        used = 0.0
        while part := list(islice(pairs, STEP_RECORDS)):
            records = self.records(part)
            began = time.process_time()
            while self.partition.offset < records[-1].offset:
                self.step(records)
            used += time.process_time() - began
        return used


class Found(msgspec.Struct):
    """The figures of a run."""

    parked: int
    lots: int
    others: int
    us_before: float
    us_meanwhile: float
    us_unheld: float
    us_parking: float
    us_release: float
    release_seconds: float
    writes: int
    largest_write: int
    others_meanwhile: int
    reopen_seconds: float
    mb_before: float
    mb_parking: float
    mb_release: float


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parked", type=int, default=1_000_000)
    parser.add_argument("--lots", type=int, default=100, help="of the parked events, in turn")
    parser.add_argument("--events", type=int, default=400_000, help="of the other lines, each time")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    found = run(options.parked, options.lots, options.events)
    told: dict[str, Any] = {"machine": machine(), **msgspec.to_builtins(found)}
    keep(options.results, "parked", told, page(told, found))
    check(found)


def check(found: Found) -> None:
    """Raise `Failed` where a bound doesn't hold."""
    if found.writes < found.parked / STEP_BOUNDS.rows / 2:
        raise Failed(f"{found.parked:,} events went on in {found.writes} writes")
    bound = found.mb_before + GROWTH_MB + found.lots * LOT_BYTES / 2**20
    for what, memory in (("parking", found.mb_parking), ("the release", found.mb_release)):
        if memory > bound:
            raise Failed(f"{memory:.0f} MB by {what}, {found.mb_before:.0f} MB before")


def run(parked: int, lots: int, events: int) -> Found:
    """Park events, and let them go on; raise `Failed` if one is lost, doubled or out of order."""
    plan = Plan(events=8 * events, lines=64, rate=1.5, turns=32)
    others = of_others(plan)
    with TemporaryDirectory(prefix="lineside-parked-") as folder:
        job = Job(Path(folder))
        job.take(islice(others, events // 4))  # windows and caches are filled
        gc.collect()
        gc.freeze()
        at = max(line.watermark for line in job.partition.lines.values())
        unheld = job.take(of_line("FREE", parked, lots, at))
        before = job.take(islice(others, events))
        mb_before = job.memory_mb
        job.take(iter([hold(at)]))
        parking = job.take(of_line("HELD", parked, lots, at))
        if job.partition.parking.count != parked:
            raise Failed(f"{job.partition.parking.count:,} of {parked:,} events are parked")
        mb_parking = job.memory_mb
        meanwhile = job.take(islice(others, events))
        job.memory_mb, job.writes, job.largest = 0.0, 0, 0
        left, cpu, seconds, taken, reopened = released(job, others, at)
        if left != (parked + 1) // 2:
            raise Failed(f"{left:,} confirmations of {parked:,} events left")
        line = job.partition.line(PARKED_KEY)
        assert line is not None  # it has had events
        if any(balance.error for balance in balances(line, job.partition.rules).values()):
            raise Failed("what was parked doesn't add up to what left and is open")
        return Found(
            parked=parked, lots=lots, others=events,
            us_before=round(before / events * 1e6, 2),
            us_meanwhile=round(meanwhile / events * 1e6, 2),
            us_unheld=round(unheld / parked * 1e6, 2),
            us_parking=round(parking / parked * 1e6, 2),
            us_release=round((cpu - taken * meanwhile / events) / parked * 1e6, 2),
            release_seconds=round(seconds, 1),
            writes=job.writes, largest_write=job.largest, others_meanwhile=taken,
            reopen_seconds=round(reopened, 3),
            mb_before=round(mb_before, 1), mb_parking=round(mb_parking, 1),
            mb_release=round(job.memory_mb, 1),
        )  # fmt: skip


def released(
    job: Job, others: Iterator[tuple[bytes, bytes]], at: int
) -> tuple[int, float, float, int, float]:
    """Release the hold; return how much left, CPU, seconds, others, and seconds of opening it."""
    total, left, taken, reopened = job.partition.parking.count, 0, 0, 0.0
    began, used = time.perf_counter(), 0.0
    waiting = job.records([release(at)])
    fresh = False
    while waiting or job.partition.unfinished:
        before = time.process_time()
        outputs = job.step(waiting)
        used += time.process_time() - before
        for number in map(number_of, outputs):
            if number is not None:
                if number != 2 * left:
                    raise Failed(f"event {number} left where {2 * left} was due")
                left += 1
        waiting = [each for each in waiting if each.offset > job.partition.offset]
        fresh = not fresh
        if fresh and not waiting and job.partition.unfinished:
            waiting = job.records(list(islice(others, 200)))
            taken += len(waiting)
        if not reopened and job.partition.parking.count < total // 2:
            reopened = job.reopen()
    return left, used, time.perf_counter() - began, taken, reopened


def of_others(plan: Plan) -> Iterator[tuple[bytes, bytes]]:
    """Yield the key and value of the events of 64 lines but machine events and holds."""
    for topic, key, value in Workload(plan).records():
        if topic == MES_EVENTS and b'"quality.' not in value:
            yield key, value


def event(type_: str, id: str, at: int, line: str, **data: Any) -> tuple[bytes, bytes]:
    """Return an event's key and value."""
    told = {
        "specversion": "1.0", "type": type_, "source": "/bench", "id": id, "time": instant.text(at),
        "plant": "DE01", "line": line, "data": data,
    }  # fmt: skip
    return f"DE01/{line}".encode(), encode(told)


def hold(at: int) -> tuple[bytes, bytes]:
    """Return the hold that parks all of the line's events."""
    return event(
        "quality.hold_placed.v1", "placed", at, "LAB", hold="H", scope="item", value="HELD",
        reason="crack",
    )  # fmt: skip


def release(at: int) -> tuple[bytes, bytes]:
    """Return its release."""
    return event("quality.hold_released.v1", "released", at, "LAB", hold="H", disposition="use")


def of_line(line: str, count: int, lots: int, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield events of one line, by turns confirmed and consumed; its item is named as it is."""
    for number in range(count):
        type_ = "material.consumed.v1" if number % 2 else "production.confirmed.v1"
        yield event(
            type_, f"e{number}", at + number * 1_000, line, order="O1", operation="0010",
            item=line, lot=f"LOT{number % lots}", quantity="1.5", uom="pc",
        )  # fmt: skip


def number_of(record: Outgoing) -> int | None:
    """Return which of the held confirmations a record posts, None if it posts none."""
    if record.key != PARKED_KEY or not record.id.startswith("pc:"):
        return None
    return int(record.id.rpartition("|e")[2])


def page(told: dict[str, Any], found: Found) -> str:
    """Return the figures as Markdown."""
    rows = [
        ("an event of the other lines, before", f"{found.us_before}"),
        ("the same, while they are parked", f"{found.us_meanwhile}"),
        ("an event of one line that no hold touches", f"{found.us_unheld}"),
        ("an event that is parked", f"{found.us_parking}"),
        ("an event that goes on", f"{found.us_release}"),
    ]
    memory = [
        ("before", f"{found.mb_before:.0f}"),
        ("while they are parked, at most", f"{found.mb_parking:.0f}"),
        ("in the release, at most", f"{found.mb_release:.0f}"),
    ]
    return (
        f"# {found.parked:,} parked events of one line\n\n"
        f"Of {found.lots:,} lots in turn; {found.others:,} events of 64 other lines each time.\n\n"
        + table(["CPU", "us"], rows)
        + "\n"
        + table(["memory", "MB"], memory)
        + f"\nThe release took {found.release_seconds} s and {found.writes:,} writes, of at most "
        f"{found.largest_write:,} records; {found.others_meanwhile:,} events of other lines were "
        f"taken meanwhile. To open the partition halfway took {found.reopen_seconds} s.\n"
        f"\n{about(told)}"
    )


if __name__ == "__main__":
    run_main(main)
