"""A data directory of the first version goes on with this one, through kills, and never back."""

import shutil
import signal
from pathlib import Path

import pytest

from departed import sorted_exceptions, without_repeats
from first_version import unpack
from streams.contract.topics import INPUTS, OUTPUTS
from streams.embedded.log import EmbeddedLog
from tables.partition.head import FORMATS, format_of
from tables.store.rocksdb import RocksStore
from tables.store.store import HEAD, MemoryStore
from upgraded import Handover, Inputs, assert_totals, expected
from workers import EVENTS, Case, WorkerProcess, records_of, records_of_log

PARTITIONS = 4
TPS = [(topic, number) for topic in INPUTS for number in range(PARTITIONS)]

MORE_BYTES = 100_000
"""Of outputs: so many leave before a worker is killed."""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("first"))


def state_of(data: Path, topic: str, number: int) -> MemoryStore:
    """Return a state in a data directory that no worker has."""
    found, stored = MemoryStore(), RocksStore(data / "state" / f"{topic}-{number}")
    found.write(list(stored.scan(b"")))
    stored.close()
    return found


def formats(data: Path) -> set[int]:
    """Return the formats of the states that there are."""
    heads = [state_of(data, *tp).get_many([HEAD])[0] for tp in TPS]
    return {format_of(head) for head in heads if head is not None}


def inputs_of(data: Path) -> Inputs:
    """Return what is on the input topics."""
    log = EmbeddedLog(data / "log")
    found = {tp: list(records_of(log, *tp)) for tp in TPS}
    log.close()
    return found


def size_of_outputs(data: Path) -> int:
    """Return how many bytes have left."""
    paths = (path for topic in OUTPUTS for path in (data / "log" / topic).glob("*/*.log"))
    return sum(path.stat().st_size for path in paths)


def killed_midway(data: Path, case: Case, code: Path | None = None) -> int:
    """Let a worker take up the directory, and kill it as soon as more has left.

    Return how many bytes have left by then.
    """
    worker = WorkerProcess(data, *case.arguments, code=code)
    assert worker.wait_for_outputs(size_of_outputs(data) + MORE_BYTES)
    assert worker.kill() == -signal.SIGKILL
    return size_of_outputs(data)


def test_a_directory_goes_on_exactly_and_its_copy_is_the_way_back(
    case: Case, first: Path, tmp_path: Path
) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    killed_midway(data, case, first)
    worker = WorkerProcess(data, *case.arguments, code=first)
    assert 0 < worker.wait_for_records(EVENTS // 4) < EVENTS
    assert worker.end(signal.SIGTERM) == 0  # in order: the state has all that has left
    assert formats(data) == {FORMATS[0]}
    shutil.copytree(data, copy)

    midway = killed_midway(data, case)
    assert FORMATS[-1] in formats(data)  # a partition that gets nothing more keeps its own
    code, said = WorkerProcess(data, *case.arguments).wait()
    assert code == 0, said
    assert size_of_outputs(data) > midway, "the kill came too late to show anything"
    inputs = inputs_of(data)
    states = [Handover(tp, state_of(copy, *tp), state_of(data, *tp)) for tp in TPS]
    found, _ = without_repeats(records_of_log(data))
    assert sorted_exceptions(found) == expected(first, tmp_path, inputs, states)
    left = [(topic, value) for (topic, *_), values in found.items() for value in values]
    assert_totals(inputs, left, states)

    code, said = WorkerProcess(data, *case.arguments, code=first).wait()
    assert code == 1
    assert f"has format {FORMATS[-1]}; this version reads format 1" in said
    code, said = WorkerProcess(copy, *case.arguments, code=first).wait()
    assert code == 0, said
    assert formats(copy) == {FORMATS[0]}
