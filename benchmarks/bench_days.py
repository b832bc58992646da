"""Whether memory grows with event time: ten days of lines whose orders and lots change.

    python benchmarks/bench_days.py [--lines N] [--days D] [--seconds S] [--results DIR]

Both input topics of N lines go through `Partition.step`, the overlay and RocksDB as in a worker, in
this process and without Kafka. Each line reports every S seconds; it has another order and other
lots every 32 events, stops, late and repeated events. Memory is what the process has resident, the
log's generator included. It fails if the last quarter of the days has more than 1.1 times the
memory of the second one, and 20 MB.
"""

import argparse
import gc
import os
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from measure import Failed, about, keep, machine, table
from rig import run_main
from workload import Plan, Workload

from agents.partition.task import STEP_BOUNDS
from agents.process_events import LINES_MAX
from streams.contract.topics import INPUTS
from streams.log.record import Record
from tables.line.rules import rules_for
from tables.partition.partition import Partition
from tables.store.overlay import Overlay
from tables.store.rocksdb import RocksStore

STEP_RECORDS: Final = 4_000
STEPS_A_WRITE: Final = 4

DAY_SECONDS: Final = 86_400

ORDER_EVENTS: Final = 32
"""Of a line with one order and the same lots; at 60 s it is as long as the order, half an hour."""

SAMPLES: Final = 80

GROWTH_MAX: Final = 1.1
GROWTH_MB: Final = 20.0
"""What may be more in the last quarter, by a factor and by so many MB."""

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Sample(msgspec.Struct):
    """What the process held after so many days of event time."""

    days: float
    memory_mb: float
    disk_mb: float
    rows: int
    """Of open windows."""
    seconds: float
    """Since the start, of the clock on the wall."""


class Task:
    """A partition over its store, written every some steps."""

    def __init__(self, topic: str, folder: Path) -> None:
        self._overlay = Overlay(RocksStore(folder / topic, wal=False))
        self.partition = Partition(
            topic, 0, rules_for(topic), self._overlay, bounds=STEP_BOUNDS, lines_max=LINES_MAX
        )
        self._waiting: list[Record] = []
        self._offset = self._held = 0

    def add(self, key: bytes, value: bytes) -> None:
        self._waiting.append(Record(self._offset, None, key, value))
        self._offset += 1
        if len(self._waiting) == STEP_RECORDS:
            self.work()

    def work(self) -> None:
        """Process what waits."""
        records, self._waiting = self._waiting, []
        while records and self.partition.offset < records[-1].offset:
            self._overlay.hold(self.partition.step(records).changes)
            self._held += 1
            if self._held >= STEPS_A_WRITE:
                self._overlay.add(self.partition.sealed())
                self._overlay.settle(self._held, self._overlay.merged(self._held))
                self._held = 0

    @property
    def rows(self) -> int:
        return sum(
            len(rows)
            for line in self.partition.lines.values()
            for carried in line.windows
            for rows in carried.values()
        )

    def disk_bytes(self) -> int:
        return self._overlay.size_bytes() or 0

    def close(self) -> None:
        self._overlay.close()


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000)
    parser.add_argument("--days", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="between two events of a line")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    events = round(options.lines * options.days * DAY_SECONDS / options.seconds)
    plan = Plan(events=events, lines=options.lines, rate=1 / options.seconds, turns=ORDER_EVENTS)
    with TemporaryDirectory(prefix="lineside-days-") as folder:
        samples = list(run(plan, options.days, Path(folder)))
    second, last = of_quarter(samples, 2), of_quarter(samples, 4)
    flat = last <= max(GROWTH_MAX * second, second + GROWTH_MB)
    found: dict[str, Any] = {
        "machine": machine(),
        "plan": msgspec.to_builtins(plan),
        "days": options.days,
        "samples": msgspec.to_builtins(samples),
        "second_quarter_mb": round(second, 1),
        "last_quarter_mb": round(last, 1),
        "flat": flat,
    }
    keep(options.results, "days", found, page(found))
    if not flat:
        raise Failed(
            f"memory isn't flat: {second:.0f} MB in the second quarter, {last:.0f} MB in the last"
        )


def run(plan: Plan, days: float, folder: Path) -> Iterator[Sample]:
    """Process a log, and yield a sample now and then."""
    tasks = {topic: Task(topic, folder) for topic in INPUTS}
    gc.collect()
    gc.freeze()
    began = time.monotonic()
    records = Workload(plan).records()
    each = max(plan.events // SAMPLES, 1)
    made = 0
    while part := list(islice(records, each)):
        for topic, key, value in part:
            tasks[topic].add(key, value)
        made += len(part)
        day = min(made * days / plan.events, days)
        yield Sample(
            days=round(day, 3),
            memory_mb=round(resident_mb(), 1),
            disk_mb=round(sum(task.disk_bytes() for task in tasks.values()) / 2**20, 1),
            rows=sum(task.rows for task in tasks.values()),
            seconds=round(time.monotonic() - began, 1),
        )
        if made % (10 * each) < each:
            print(f"day {day:.1f}: {resident_mb():.0f} MB", flush=True)
    for task in tasks.values():
        task.work()
        if task.partition.counts.accepted == 0:
            raise Failed(f"nothing of {task.partition.topic} was accepted")
        task.close()


def resident_mb() -> float:
    """Return what this process has resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES / 2**20


def of_quarter(samples: list[Sample], number: int) -> float:
    """Return the median memory of a quarter of the samples, from 1 to 4."""
    size = len(samples) // 4
    return statistics.median(one.memory_mb for one in samples[(number - 1) * size : number * size])


def page(found: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    plan, samples = found["plan"], found["samples"]
    rows = [
        (
            f"{one['days']:.1f}",
            f"{one['memory_mb']:.0f}",
            f"{one['rows']:,}",
            f"{one['disk_mb']:,.0f}",
        )
        for one in samples[:: max(len(samples) // 10, 1)]
    ]
    return (
        f"# Memory over {found['days']:g} days of event time\n\n"
        f"{plan['lines']:,} lines, an event of each every {1 / plan['rate']:g} s, another order "
        f"and other lots every {plan['turns']} events: {plan['events']:,} events. Median of the "
        f"second quarter {found['second_quarter_mb']} MB, of the last "
        f"{found['last_quarter_mb']} MB: "
        f"{'flat' if found['flat'] else '**not flat**'}.\n\n"
        + table(["days", "resident, MB", "rows of open windows", "RocksDB on disk, MB"], rows)
        + f"\n{about(found)}"
    )


if __name__ == "__main__":
    run_main(main)
