"""Where the time of a replay goes, by stage.

    python benchmarks/bench_stages.py [--events N]

Runs the stages of `agents.replay.replay` one after the other over a simulated log, with a clock
around each, in one process: those of the plain code, since the compiled core does several at once.
Prints microseconds of wall time a line, beside what decoding alone takes. Start-up, progress and
the report aren't in it.
"""

import argparse
import gc
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_replay import count_lines, decode_in_process, simulate

from streams.codec import logfile
from streams.codec.logfile import LogReader, lines_of
from streams.contract.topics import INPUTS
from tables.line.rules import rules_for
from tables.partition import snapshot
from tables.partition.head import NEVER
from tables.partition.partition import Partition
from tables.store.store import MemoryStore


class Clock:
    """Adds up seconds by stage."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def __call__(self, stage: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do `work`, and add its time to the stage."""
        began = time.perf_counter()
        result = work(*arguments)
        self.seconds[stage] += time.perf_counter() - began
        return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineside-bench-") as folder:
        log = simulate(Path(folder), options.events)
        lines = count_lines(log)
        decoding = decode_in_process(log)
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        clock, left = staged(log)
    print(f"records that left, per line: {left / lines:.2f}")
    print(f"{'decoding alone':30} {decoding / lines * 1e6:6.2f}")
    for stage, seconds in clock.seconds.items():
        print(f"{stage:30} {seconds / lines * 1e6:6.2f}")
    print(f"{'all stages':30} {sum(clock.seconds.values()) / lines * 1e6:6.2f}")


def staged(log: Path) -> tuple[Clock, int]:
    """Return the time by stage, and how many records left."""
    clock, left = Clock(), 0
    logfile.placed_by = logfile.placed_by_plain
    reader = LogReader()
    tasks = {topic: Partition(topic, 0, rules_for(topic), MemoryStore(), False) for topic in INPUTS}
    with log.open("rb") as file:
        blocks = lines_of(file)
        while block := clock("read and split lines", next, blocks, None):
            clock("decode, check, place", reader.place, block)
            for (topic, _), placed in reader.take():
                task = tasks[topic]
                batch = task._batch
                own, named = clock("ledger keys", batch.read, placed.records, NEVER, placed.decoded)
                found = clock("look up in the ledger", task.store.get_many, own + named)
                batch.of_reversed = {
                    key: entry
                    for key, entry in zip(named, found[len(own) :], strict=True)
                    if entry is not None
                }
                clock("judge, fold, encode", batch.take, found[: len(own)])
                task.offset = placed.records[-1].offset
                touched = batch.touched.values()
                changes = clock(
                    "ledger changes", snapshot.ledger_changes, task, touched, batch.fresh
                )
                changes |= clock("line changes", snapshot.sealing_changes, task, touched)
                clock("write the state", task.store.write, changes.items())
                left += len(batch.out)
    return clock, left


if __name__ == "__main__":
    main()
