"""What metrics cost: the same partitions with a meter and with none, in turns, in one process.

    python benchmarks/bench_metrics.py [--events N] [--rounds R] [--records N]

Partition tasks take the workload in blocks of so many records, as from Kafka, with the state in
RocksDB and a writer that acknowledges at once: checks, folds, state and what the meter notes, no
network. Prints the CPU time of the thread an event, medians of the rounds, and of the differences
between neighbours; on a machine that others use, too, these are lost in the noise. So there is what
the meter's own calls take, with a clock around each, which is more than they take without. Then
what a scrape takes, of a job of so many lines: reading it, in the event loop, and writing the text,
in a thread.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest
from workload import Plan, Workload

from agents.partition.meter import Meter
from agents.partition.opening import Opened, Progress
from agents.partition.task import PartitionTask
from agents.process_events import Job
from agents.serve.job_metrics import JobMetrics
from agents.serve.liveness import Liveness
from agents.serve.metrics import Exposition
from agents.worker.logs import Refusals
from streams.contract.topics import INPUTS
from streams.log.batches import Batch
from streams.log.record import Record
from tables.line.rules import rules_for
from tables.store.rocksdb import RocksStore


class Silent(Meter):
    """A meter that notes nothing."""

    def opening(self, topic: str, number: int) -> None: ...
    def opened(self, partition: Any) -> None: ...
    def closed(self, partition: Any) -> None: ...
    def computed(self, records: int, seconds: float) -> None: ...
    def acknowledged(self, batches: Any) -> None: ...

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note nothing."""
        yield


class Timed(Meter):
    """A meter with a clock around what it's called for at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def computed(self, records: int, seconds: float) -> None:
        """Note a step."""
        began = time.thread_time()
        super().computed(records, seconds)
        self.seconds += time.thread_time() - began

    def acknowledged(self, batches: Any) -> None:
        """Note what was acknowledged."""
        began = time.thread_time()
        super().acknowledged(batches)
        self.seconds += time.thread_time() - began

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note a stage: the clocks leave out what it does."""
        began = time.thread_time()
        with super().stage(name):
            self.seconds += time.thread_time() - began
            yield
            began = time.thread_time()
        self.seconds += time.thread_time() - began


class TimedRefusals(Refusals):
    """What tells of refused events, with a clock around it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def log_exceptions(self, outputs: Any) -> None:
        """Look for exceptions among records that have left."""
        began = time.thread_time()
        super().log_exceptions(outputs)
        self.seconds += time.thread_time() - began


class Acknowledged:
    """A writer to which everything arrives at once, outputs before states as by default."""

    sends_ahead, pause_seconds = True, 0.0

    async def send(self, outputs: Any) -> None:
        """Take all."""

    async def write(self, outputs: Any, changes: Any) -> Any:
        """Take all."""
        return ()

    async def close(self) -> None:
        """Let go of nothing."""


async def run(
    batches: dict[str, list[Batch]], meter: Meter, refusals: Refusals | None, folder: Path
) -> float:
    """Return the thread's CPU time of processing all of these batches."""
    used = 0.0
    for topic, all_ in batches.items():
        store = RocksStore(folder / topic, wal=False)
        done = asyncio.Event()

        async def open_(_: Progress, store: RocksStore = store) -> Opened:
            return Opened(store, Acknowledged())

        async def seek(_: int) -> None: ...

        def observe(outputs: Any, done: asyncio.Event = done) -> None:
            if refusals is not None:
                refusals.log_exceptions(outputs)
            done.set()

        task = PartitionTask(topic, 0, rules_for(topic), open_, seek, observe, _raise, meter)
        while not task.hungry:
            await asyncio.sleep(0)
        began = time.thread_time()
        for batch in all_:
            while not task.hungry:
                await asyncio.sleep(0)
            await task.take(batch)
        while task.lasting < all_[-1].end:
            done.clear()
            await done.wait()
        used += time.thread_time() - began
        await task.close()
    return used


def _raise(error: BaseException) -> None:
    raise error


def batches_of(plan: Plan, size: int) -> dict[str, list[Batch]]:
    """Return the workload in blocks, by topic, as if it had just been produced."""
    from streams.log.blocks import block_of

    now = round(time.time() * 1e6)
    records: dict[str, list[Record]] = {topic: [] for topic in INPUTS}
    for topic, key, value in Workload(plan).records():
        own = records[topic]
        own.append(Record(len(own), now + len(own) * 100, key, value))
    return {
        topic: [
            Batch(topic, 0, start, block_of(own[start : start + size]))
            for start in range(0, len(own), size)
        ]
        for topic, own in records.items()
    }


async def scraped(lines: int, folder: Path) -> tuple[float, float, float, int]:
    """Return the seconds of reading a job, of its longest slice, of writing the text; its size."""
    plan = Plan(events=lines * 200, lines=lines, plants=8)
    batches = batches_of(plan, 2_000)
    stores: list[RocksStore] = []

    async def open_(tp: Any, _: Progress) -> Opened:
        stores.append(RocksStore(folder / tp.topic, wal=False))
        return Opened(stores[-1], Acknowledged())

    job = Job({topic: rules_for(topic) for topic in INPUTS}, open_)

    async def seek(_: Any, __: int) -> None: ...

    job.seek = seek
    from faust.types import TP

    job.take_over({TP(topic, 0) for topic in INPUTS})
    while not job.ready:
        await asyncio.sleep(0)
    for all_ in batches.values():
        for batch in all_:
            task = job.tasks[TP(batch.topic, 0)]
            while not task.hungry:
                await asyncio.sleep(0)
            await job.process(batch)
        while task.lasting < all_[-1].end:
            await asyncio.sleep(0.01)
    exposition = Exposition(JobMetrics(job, Host(), Liveness(job, Host()), str(folder), 10.0).read)
    await exposition.text()
    read: list[list[float]] = []
    written, size = [], 0
    for _ in range(5):
        read.append(list(exposition.read_job()))
        began = time.thread_time()
        size = len(generate_latest(exposition.registry))
        written.append(time.thread_time() - began)
    await job.release()
    slices = [statistics.median(each) for each in zip(*read, strict=True)]
    return sum(slices), max(slices), statistics.median(written), size


class Host:
    """Where such a job runs: nowhere."""

    guarantee, answers = "at_least_once", True
    clock_difference = 0.01

    def end_offset(self, tp: Any) -> int:
        """Return an end."""
        return 0

    def committed_end(self, tp: Any) -> int:
        """Return an end."""
        return 0

    def standbys(self) -> dict[Any, int]:
        """Return that there are none."""
        return {}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--records", type=int, default=1_000, help="of a block")
    parser.add_argument("--lines", type=int, default=200, help="of the job that is scraped")
    options = parser.parse_args()
    batches = batches_of(Plan(events=options.events), options.records)
    total = sum(len(batch.records) for all_ in batches.values() for batch in all_)
    gc.collect()
    gc.freeze()
    gc.set_threshold(400_000, 50, 50)
    without, with_ = [], []
    for number in range(options.rounds + 1):
        pair: Sequence[tuple[Meter, list[float]]] = [(Silent(), without), (Meter(), with_)]
        for meter, times in pair if number % 2 else pair[::-1]:
            refusals = None if isinstance(meter, Silent) else Refusals()
            with tempfile.TemporaryDirectory(prefix="lineside-bench-") as folder:
                used = asyncio.run(run(batches, meter, refusals, Path(folder)))
            if number:  # the first warms up
                times.append(used / total * 1e6)
    calls = []
    for _ in range(options.rounds):
        timed, refusals_timed = Timed(), TimedRefusals()
        with tempfile.TemporaryDirectory(prefix="lineside-bench-") as folder:
            asyncio.run(run(batches, timed, refusals_timed, Path(folder)))
        calls.append((timed.seconds + refusals_timed.seconds) / total * 1e6)
    own = statistics.median(calls)
    base = statistics.median(without)
    more = statistics.median(one - other for one, other in zip(with_, without, strict=True))
    print(f"{total:,} records, blocks of {options.records:,}, {options.rounds} rounds")
    print(f"without a meter  {base:6.3f} us an event")
    print(f"with one         {statistics.median(with_):6.3f} us an event")
    print(f"the difference   {more:6.3f} us an event: {more / base:.1%}")
    print(f"its own calls    {own:6.3f} us an event: {own / base:.1%}")
    with tempfile.TemporaryDirectory(prefix="lineside-bench-") as folder:
        read, slice_, written, size = asyncio.run(scraped(options.lines, Path(folder)))
    print(f"a scrape of {options.lines} lines: read in {read * 1e3:.1f} ms "
          f"(at most {slice_ * 1e3:.1f} ms in one go), "
          f"written in {written * 1e3:.1f} ms, {size:,} bytes")  # fmt: skip
    print(f"every 15 s that is {(read + written) / 15:.2%} of a core")


if __name__ == "__main__":
    main()
