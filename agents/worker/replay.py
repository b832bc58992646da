"""A log in a file through the whole job, without a broker: what would leave, had it come in?"""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from agents.worker.report import Report, Tally, report
from streams.logfile import LogReader, Placed, lines_of
from streams.record import Outgoing
from streams.topics import OUTPUTS
from tables.partition import Partition
from tables.rocksdb import RocksStore
from tables.rules import Rules

CHUNK_LINES: Final = 4_096
"""Lines that are read before their partitions take a step: bounds memory."""


def replay(
    log: BinaryIO,
    out: Path,
    rules: dict[str, Rules],
    partitions: int = 1,
    close: bool = False,
    progress: Callable[[int], object] = lambda size: None,
) -> Report:
    """Run the job over `log` and write DIR/<topic>.ndjson and DIR/report.json.

    The files appear under their names when all are complete; `progress` gets the bytes read.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".replay-", dir=out) as scratch:
        folder = Path(scratch)
        reader, tally = LogReader(partitions), Tally()
        tasks: dict[tuple[str, int], Partition] = {}
        with ExitStack() as stack:
            files = {
                topic: stack.enter_context((folder / f"{topic}.ndjson").open("wb"))
                for topic in OUTPUTS
            }

            def leave(outputs: list[Outgoing]) -> None:
                tally.add(outputs)
                for record in outputs:
                    files[record.topic].write(record.value + b"\n")

            for chunk in _chunks(log, reader, progress):
                for at, placed in chunk.items():
                    if at not in tasks:
                        store = RocksStore(folder / "state" / f"{at[0]}-{at[1]}", wal=False)
                        stack.callback(store.close)
                        tasks[at] = Partition(*at, rules[at[0]], store)
                    task = tasks[at]
                    step = task.step_unchecked(
                        [one.record for one in placed], [one.decoded for one in placed]
                    )
                    leave(step.outputs)
                    task.commit(step)
            if close:
                for task in tasks.values():
                    leave(task.close_all())
            result = report(tasks.values(), tally, reader.passed_over)
        (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(result)))
        for name in [*(f"{topic}.ndjson" for topic in OUTPUTS), "report.json"]:
            os.replace(folder / name, out / name)
        shutil.rmtree(folder / "state", ignore_errors=True)
    return result


def _chunks(
    log: BinaryIO, reader: LogReader, progress: Callable[[int], object]
) -> Iterator[dict[tuple[str, int], list[Placed]]]:
    """Yield the records of `CHUNK_LINES` lines at a time, by partition."""
    chunk: defaultdict[tuple[str, int], list[Placed]] = defaultdict(list)
    count = size = 0
    for line, bytes_read in lines_of(log):
        for placed in reader.place(line):
            chunk[placed.topic, placed.partition].append(placed)
        count += 1
        size += bytes_read
        if count == CHUNK_LINES:
            yield chunk
            progress(size)
            chunk, count, size = defaultdict(list), 0, 0
    if chunk:
        yield chunk
    progress(size)
