"""`lineside` with a clock around each stage of an event: what bench_profile.py starts.

    BENCH_PROFILE=FILE python benchmarks/profiled_worker.py worker --until-drained

Counts CPU seconds of the main thread by stage, each without the stages inside it, from the first
record on. What is outside of all stages is sampled by the CPU time of the process (SIGPROF), and
told apart by the package that the interpreter is in. Writes FILE, in JSON, when the worker ends.
"""

import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

SAMPLE_SECONDS: Final = 0.002

PACKAGES: Final = ("aiokafka", "faust", "mode", "uvloop", "asyncio", "rocksdict")
"""Whose code the rest may be in; all else is lineside's own."""

cpu = time.thread_time


class Clock:
    """Adds up the CPU seconds of the main thread by stage."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.samples: Counter[str] = Counter()
        self.records = 0
        self._stages: list[str] = []
        self._since = 0.0
        self._began: tuple[float, float] | None = None

    def begin(self) -> None:
        """Start with the first record; what was before is start-up."""
        if self._began is None:
            self._began = time.process_time(), cpu()
            signal.signal(signal.SIGPROF, self._sample)
            signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)

    def around(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return `work` with its time added to a stage."""

        def timed(*arguments: Any, **options: Any) -> Any:
            self._turn()
            self._stages.append(stage)
            try:
                return work(*arguments, **options)
            finally:
                self._turn()
                self._stages.pop()

        return timed

    def _turn(self) -> None:
        now = cpu()
        if self._stages:
            self.seconds[self._stages[-1]] += now - self._since
        self._since = now

    def _sample(self, _: int, frame: FrameType | None) -> None:
        if not self._stages:
            self.samples[package_of(frame)] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return what was counted: seconds by stage, of the main thread, of the process."""
        assert self._began is not None
        signal.setitimer(signal.ITIMER_PROF, 0)
        process, main = self._began
        return {
            "records": self.records,
            "stages": dict(self.seconds),
            "main_thread": cpu() - main,
            "process": time.process_time() - process,
            "rest_samples": dict(self.samples),
        }


def package_of(frame: FrameType | None) -> str:
    """Return the package whose code is running."""
    parts = Path(frame.f_code.co_filename).parts if frame is not None else ()
    return next((name for name in PACKAGES if name in parts), "lineside")


def instrument(clock: Clock) -> None:
    """Put the clock around the stages of a worker."""
    from streams.kafka import fetched as kafka_fetched
    from streams.kafka import record_batches as kafka_batches
    from streams.kafka import unpacking
    from streams.kafka import writer as kafka_writer
    from tables.partition import batch, partition, snapshot
    from tables.store.rocksdb import RocksStore

    around = clock.around
    unpacking._Stream.next_chunk = around("unpack what was fetched", unpacking._Stream.next_chunk)
    block_from = kafka_fetched.block_from

    def counted(*arguments: Any) -> Any:
        clock.begin()
        block = block_from(*arguments)
        clock.records += len(block)
        return block

    kafka_fetched.block_from = around("find the records", counted)

    class Timed(batch.Batch):
        """The hot loop, with a clock around its halves."""

        read = around("decode, and ledger keys", batch.Batch.read)
        take = around("check, dedupe, fold, encode", batch.Batch.take)

    partition.Batch = Timed
    snapshot.ledger_changes = around("what the ledger changes", snapshot.ledger_changes)
    snapshot.sealing_changes = around("encode lines, once a write", snapshot.sealing_changes)
    RocksStore.get_many = around("RocksDB: look up in the ledger", RocksStore.get_many)
    RocksStore.write = around("RocksDB: write the state", RocksStore.write)
    kafka_writer.grouped = around("group what leaves by partition", kafka_writer.grouped)
    kafka_batches.outgoing_payload = around("pack outputs", kafka_batches.outgoing_payload)
    kafka_batches.pairs_payload = around("pack the changelog", kafka_batches.pairs_payload)
    sealed = kafka_batches.SealedBatch
    sealed.__init__ = around("compress (LZ4)", sealed.__init__)
    sealed._build = around("checksum (CRC-32C)", sealed._build)


def main() -> None:
    """Run the command line with the clock."""
    from agents.cli import main as cli

    clock = Clock()
    instrument(clock)
    try:
        cli.main(sys.argv[1:], standalone_mode=False)
    finally:
        if clock.records:
            Path(os.environ["BENCH_PROFILE"]).write_text(json.dumps(clock.as_dict(), indent=2))


if __name__ == "__main__":
    main()
