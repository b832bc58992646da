"""Runs the whole job over a log in a file, without a broker, and writes the outputs."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from streams.codec.decode import decode
from streams.codec.logfile import LogReader, Placed, lines_of
from streams.contract.reference import Reference
from streams.contract.topics import EXCEPTIONS, MES_EVENTS, OUTPUTS, REFERENCE
from streams.log.record import Outgoing
from tables.line.rules import Rules
from tables.partition.partition import Partition
from tables.reasons import Reasons
from tables.report import Report, report
from tables.store.rocksdb import RocksStore
from tables.store.store import MemoryBudget, SpillingStore, Store

WRITTEN: Final = (*OUTPUTS, REFERENCE)
"""The topics of which a replay writes a file each."""


def replay(
    log: BinaryIO,
    out: Path,
    rules: dict[str, Rules],
    partitions: int = 1,
    close: bool = False,
    progress: Callable[[int], object] | None = None,
    reasons: Reasons | None = None,
) -> Report:
    """Run the job over `log` and write DIR/<topic>.ndjson and DIR/report.json.

    The files get their names when all are complete. `progress` gets the number of bytes read,
    `reasons` the refused records.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".replay-", dir=out) as scratch:
        folder = Path(scratch)
        reader, budget = LogReader(partitions), MemoryBudget()
        tasks: dict[tuple[str, int], Partition] = {}
        with ExitStack() as stack:
            files = {
                topic: stack.enter_context((folder / f"{topic}.ndjson").open("wb"))
                for topic in WRITTEN
            }

            def task_of(at: tuple[str, int]) -> Partition:
                if at not in tasks:
                    store = SpillingStore(_rocks(folder / "state" / f"{at[0]}-{at[1]}"), budget)
                    stack.callback(store.close)
                    tasks[at] = Partition(*at, rules[at[0]], store, lasting=False)
                return tasks[at]

            def leave(outputs: list[Outgoing]) -> None:
                for record in outputs:
                    if record.topic != EXCEPTIONS:
                        files[record.topic].write(record.value + b"\n")

            for _ in _chunks(log, reader, progress):
                refused: list[tuple[int, bytes]] = []
                held: list[tuple[int, Outgoing]] = []
                for at, placed in reader.take():
                    task = task_of(at)
                    step = task.step_decoded(placed.records, placed.decoded)
                    leave(step.outputs)
                    refused += _numbered(step.outputs, placed)
                    held += [(at[1], each) for each in step.outputs if each.topic == REFERENCE]
                    task.commit(step)
                # What the job makes known holds everywhere from the next line on, as on a broker.
                for origin, record in held if partitions > 1 and reader.bare else ():
                    told = decode(record.value, (), MES_EVENTS)
                    assert isinstance(told, Reference)  # lineside has written it
                    for number in range(partitions):
                        if number != origin:
                            task = task_of((MES_EVENTS, number))
                            step = task.learn(told)
                            leave(step.outputs)
                            task.commit(step)
                # A line's exceptions may come from two partitions: sort them by the log's lines.
                for number, value in sorted(refused, key=lambda one: one[0]):
                    files[EXCEPTIONS].write(value + b"\n")
                    if reasons is not None:
                        reasons.add_exception(f"line {number:,}", value)
            if close:
                for task in tasks.values():
                    leave(task.close_all())
            result = report(tasks.values(), reader.passed_over)
        (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(result)))
        for name in [*(f"{topic}.ndjson" for topic in WRITTEN), "report.json"]:
            os.replace(folder / name, out / name)
        shutil.rmtree(folder / "state", ignore_errors=True)
    return result


def _rocks(path: Path) -> Callable[[], Store]:
    return lambda: RocksStore(path, wal=False)


def _numbered(outputs: list[Outgoing], placed: Placed) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, value) of the exceptions among `outputs`."""
    # `records` is consumed in step with `outputs`: a log may have two records of one offset.
    records = zip(placed.records, placed.numbers, strict=True)
    for output in outputs:
        if output.topic == EXCEPTIONS:
            offset = int(output.id.rpartition("/")[2])
            number = next(number for record, number in records if record.offset == offset)
            yield number, output.value


def _chunks(
    log: BinaryIO, reader: LogReader, progress: Callable[[int], object] | None
) -> Iterator[None]:
    """Place the lines of one block after the other; `progress` gets the bytes read."""
    before = 0
    for lines in lines_of(log):
        for some in _up_to_holds(lines) if reader.partitions > 1 else [lines]:
            reader.place(some)
            yield
        if progress is not None and log.seekable():
            progress(log.tell() - before)
            before = log.tell()


def _up_to_holds(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Yield lines in parts, each up to one that may place or release a hold."""
    begin = 0
    for end, line in enumerate(lines, 1):
        if b"quality." in line or b"\\" in line:
            yield lines[begin:end]
            begin = end
    if begin < len(lines):
        yield lines[begin:]
