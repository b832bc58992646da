"""Versions beside each other in one group: nothing lost or doubled, on the way there and back."""

import signal
from pathlib import Path

import msgspec
import pytest

from broker import run_apart
from contents import write
from departed import sorted_exceptions, without_repeats
from feeding import Feeder
from first_version import unpack
from kafka_workers import (
    KafkaJob,
    WorkerProcess,
    http_status,
    one_sentence,
    share,
    wait_until,
)
from streams.contract.topics import INPUTS, changelog
from streams.log.record import Record
from tables.store.store import HEAD

TICK_SECONDS = 0.5
"""Each partition gets something to process, whatever the log has for it."""

ROLL_SECONDS = 90
"""What the log is to last for, about: three times two restarts."""

WORKERS = ("one", "two")


@pytest.fixture(scope="module")
def first_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("first-version"))


@pytest.fixture(scope="module")
def events() -> int:
    return 60_000


def is_of_first_version(worker: WorkerProcess) -> bool:
    return http_status(f"{worker.url}readyz") == 404


def formats(job: KafkaJob) -> list[int]:
    """Return the format of each state, by what its changelog says last."""
    found = []
    for records in job.read([changelog(job.group, topic) for topic in INPUTS]).values():
        heads = [record.value for record in records if record.key == HEAD]
        found += [msgspec.msgpack.decode(heads[-1])[0]] if heads else []
    return found


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_a_rolling_upgrade_under_load_and_back_loses_and_doubles_nothing(
    job: KafkaJob, log: Path, first_version: Path, tmp_path: Path, guarantee: str
) -> None:
    rolls: list[tuple[Path | None, signal.Signals]] = [
        (None, signal.SIGTERM),  # there,
        (first_version, signal.SIGTERM),  # back,
        (None, signal.SIGKILL),  # and there, over the dead bodies of the first version
    ]
    running = {name: job.worker(name, code=first_version, guarantee=guarantee) for name in WORKERS}
    wait_until("both have their share", share(*running.values()))
    with Feeder(job.broker.url, log, tmp_path, ROLL_SECONDS) as feeder:
        feeder.last(ROLL_SECONDS)
        for code, number in rolls:
            for name in WORKERS:
                before = running[name].status()["counts"]["in"]
                running[name].wait_for(
                    "it's at work", lambda status, n=before: status["counts"]["in"] > n
                )
                assert running[name].end(number) == (-number if number == signal.SIGKILL else 0)
                running[name] = job.worker(name, code=code, guarantee=guarantee)
                wait_until("both have their share", share(*running.values()))
                assert is_of_first_version(running[name]) == (code is not None)
            feeder.check()
        feeder.finish()
    job.wait_until_processed()
    for worker in running.values():
        assert worker.end() == 0, worker.said
    left, repeated = without_repeats(job.left())
    assert sorted_exceptions(left) == job.expected()
    assert repeated == 0 or guarantee == "at_least_once"
    assert set(formats(job)) == {1}


def test_the_first_version_refuses_a_later_format_and_goes_on_once_it_is_set_back(
    job: KafkaJob, lines: list[bytes], first_version: Path
) -> None:
    parts = [lines[part::4] for part in range(4)]
    kept = {"guarantee": "exactly_once", "tick_seconds": TICK_SECONDS}
    job.write(parts[0])
    job.drain("one", code=first_version, guarantee="exactly_once")
    assert set(formats(job)) == {1}

    raised = job.worker("two", state_format=3, **kept)
    job.write(parts[1])
    wait_until("all states have the later format", lambda: formats(job) == [3] * 8)
    assert raised.end() == 0, raised.said

    refused = job.worker("three", code=first_version, guarantee="exactly_once")
    assert refused.wait() == 1
    assert "has format 3; this version reads format 1" in one_sentence(refused)
    job.write(parts[2])
    set_back = job.worker("two", state_format=1, **kept)
    wait_until("all states have the first format", lambda: formats(job) == [1] * 8)
    assert set_back.end() == 0, set_back.said

    job.write(parts[3])
    job.drain("three", code=first_version, guarantee="exactly_once")
    assert sorted_exceptions(job.left()) == job.expected()


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
    later = msgspec.msgpack.encode([4, "0.9.0", *members, "more"])
    run_apart(write(job.cluster, {tuple(at): [Record(0, None, HEAD, later)]}))
    worker = job.worker("two")
    assert worker.wait() == 1
    sentence = one_sentence(worker)
    assert f"/{at.partition} has format 4" in sentence
    assert "run lineside 0.9.0, which wrote it" in sentence
