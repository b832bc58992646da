"""From the first version to this one, under load: nothing lost, nothing doubled, and no way back."""

import signal
from pathlib import Path

import msgspec
import pytest

from broker import run_apart
from contents import write
from departed import by_line, sorted_exceptions
from feeding import Feeder
from first_version import unpack
from handovers import formats, handovers, inputs_of
from kafka_workers import (
    KafkaJob,
    WorkerProcess,
    http_status,
    one_sentence,
    share,
    wait_until,
)
from streams.contract.topics import INPUTS, OUTPUTS, changelog
from streams.log.record import Record
from tables.partition.head import FORMATS
from tables.store.store import HEAD
from upgraded import assert_totals, expected

LAST = FORMATS[-1]

ROLL_SECONDS = 40
"""What the log is to last for, about: two restarts."""

WORKERS = ("one", "two")


@pytest.fixture(scope="module")
def first_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("first-version"))


@pytest.fixture(scope="module")
def events() -> int:
    return 40_000


def is_of_first_version(worker: WorkerProcess) -> bool:
    return http_status(f"{worker.url}readyz") == 404


def wait_until_at_work(worker: WorkerProcess) -> None:
    """Wait until it has taken more than it had."""
    before = worker.status()["counts"]["in"]
    worker.wait_for("it's at work", lambda status: status["counts"]["in"] > before)


@pytest.mark.parametrize(
    ("guarantee", "number"),
    [("at_least_once", signal.SIGTERM), ("exactly_once", signal.SIGKILL)],
)
def test_a_rolling_upgrade_under_load_loses_and_doubles_nothing(
    job: KafkaJob,
    log: Path,
    first_version: Path,
    tmp_path: Path,
    guarantee: str,
    number: signal.Signals,
) -> None:
    """What leaves is exactly what the first version makes of all before a partition's handover, and
    this version of the rest, beginning with the first version's state."""
    running = {name: job.worker(name, code=first_version, guarantee=guarantee) for name in WORKERS}
    wait_until("both have their share", share(*running.values()))
    assert all(is_of_first_version(worker) for worker in running.values())
    with Feeder(job.broker.url, log, tmp_path, ROLL_SECONDS) as feeder:
        feeder.last(ROLL_SECONDS)
        wait_until("the first version has all states", lambda: formats(job) == {FORMATS[0]})
        for name in WORKERS:
            wait_until_at_work(running[name])
            assert running[name].end(number) == (-number if number == signal.SIGKILL else 0)
            running[name] = job.worker(name, guarantee=guarantee)
            wait_until("both have their share", share(*running.values()))
            assert not is_of_first_version(running[name])
        for name in WORKERS:
            wait_until_at_work(running[name])
        feeder.check()
        feeder.finish()
    job.wait_until_processed()
    for worker in running.values():
        assert worker.end() == 0, worker.said
    inputs, states, found = inputs_of(job), list(handovers(job)), job.read(OUTPUTS)
    assert len(states) == 8
    left = [(tp.topic, record.value) for tp in found for record in found[tp]]
    assert sorted_exceptions(by_line(left)) == expected(first_version, tmp_path, inputs, states)
    assert_totals(inputs, left, states)
    assert formats(job) == {LAST}


def test_the_first_version_refuses_what_this_one_has_written_and_changes_nothing(
    job: KafkaJob, lines: list[bytes], first_version: Path, tmp_path: Path
) -> None:
    """There is no way back; this version goes on, whatever the first one has tried meanwhile."""
    parts = [lines[part::3] for part in range(3)]
    job.write(parts[0])
    job.drain("one", code=first_version, guarantee="exactly_once")
    assert formats(job) == {1}
    job.write(parts[1])
    job.drain("two", guarantee="exactly_once")
    assert formats(job) == {LAST}
    ends = job.ends(OUTPUTS)

    job.write(parts[2])
    refused = job.worker("three", code=first_version, guarantee="exactly_once")
    assert refused.wait() == 1
    assert f"has format {LAST}; this version reads format 1" in one_sentence(refused)
    assert job.ends(OUTPUTS) == ends
    assert formats(job) == {LAST}

    job.drain("two", guarantee="exactly_once")
    wanted = expected(first_version, tmp_path, inputs_of(job), handovers(job))
    assert sorted_exceptions(job.left()) == wanted


def test_a_state_format_that_cannot_be_written_ends_a_worker_before_it_has_a_partition(
    job: KafkaJob, lines: list[bytes], first_version: Path
) -> None:
    job.write(lines[:1_000])
    job.drain("one", code=first_version)
    refused = job.worker("two", state_format=1)
    assert refused.wait() == 2
    assert "state_format is 1: it must be 0 or 4" in one_sentence(refused)
    assert formats(job) == {1}


def test_this_version_names_the_one_that_can_read_a_later_format(
    job: KafkaJob, lines: list[bytes]
) -> None:
    job.write(lines[:1_000])
    job.drain("one")
    state = job.read([changelog(job.group, topic) for topic in INPUTS])
    at, head = next(
        (tp, record.value)
        for tp, records in state.items()
        for record in reversed(records)
        if record.key == HEAD
    )
    _, _, *members = msgspec.msgpack.decode(head)
    later = msgspec.msgpack.encode([LAST + 1, "0.9.0", *members, "more"])
    run_apart(write(job.cluster, {tuple(at): [Record(0, None, HEAD, later)]}))
    worker = job.worker("two")
    assert worker.wait() == 1
    sentence = one_sentence(worker)
    assert f"/{at.partition} has format {LAST + 1}" in sentence
    assert "run lineside 0.9.0, which wrote it" in sentence
