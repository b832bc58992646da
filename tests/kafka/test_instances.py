"""Workers with an instance: they keep their partitions over a restart, and have no double."""

import signal

import pytest

from broker import run_apart
from departed import sorted_exceptions
from kafka_workers import (
    SESSION_SECONDS,
    KafkaJob,
    WorkerProcess,
    one_sentence,
    share,
    wait_until,
)

SESSION_SECONDS_OF_INSTANCES = 20
"""Longer than a restart takes."""


@pytest.fixture(scope="module")
def events() -> int:
    return 6_000


def start(job: KafkaJob, name: str, **settings: object) -> WorkerProcess:
    return job.worker(
        name,
        **{"instance": name, "session_timeout_seconds": SESSION_SECONDS_OF_INSTANCES, **settings},
    )


def members(job: KafkaJob) -> list[str]:
    """Return the ids of the group's members."""

    async def member_names() -> list[str]:
        async with job.cluster.admin() as admin:
            (answer,) = await admin.describe_consumer_groups([job.group])
        return [member[0] for described in answer.groups for member in described[5]]

    return run_apart(member_names())


def handed_out(worker: WorkerProcess) -> int:
    """Return how often a worker was handed out partitions."""
    return worker.said.count("partitions are this worker's")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["in order", "killed"])
def test_a_restart_moves_no_partition_and_loses_nothing(
    job: KafkaJob, lines: list[bytes], number: signal.Signals
) -> None:
    once = {"guarantee": "exactly_once"}
    workers = {name: start(job, name, **once) for name in ("one", "two")}
    wait_until("both have their share", share(*workers.values()))
    had = {name: worker.owned() for name, worker in workers.items()}
    before = set(members(job))
    for name, other in (("one", "two"), ("two", "one")):  # one of them leads the group
        given = handed_out(workers[other])
        part = len(lines) // 2
        job.write(lines[:part] if name == "one" else lines[part:])
        workers[name].end(number)
        assert len(members(job)) == 2
        workers[name] = start(job, name, **once)
        wait_until("it has them again", lambda name=name: workers[name].owned() == had[name])
        assert handed_out(workers[name]) == 1
        assert handed_out(workers[other]) == given, "the other one wasn't disturbed"
    assert not before & set(members(job)), "a new process has a new member id"
    job.wait_until_processed()
    assert sorted_exceptions(job.left()) == job.expected()


def test_one_that_slept_past_its_session_joins_again(job: KafkaJob) -> None:
    one = start(job, "one", session_timeout_seconds=SESSION_SECONDS)
    two = start(job, "two", session_timeout_seconds=SESSION_SECONDS)
    wait_until("both have their share", share(one, two))
    one.process.send_signal(signal.SIGSTOP)
    wait_until("the other has all", lambda: len(two.owned()) == 8)
    one.process.send_signal(signal.SIGCONT)
    wait_until("both have their share", share(one, two))
    assert one.running


def test_of_two_with_one_instance_the_elder_ends_with_a_sentence(job: KafkaJob) -> None:
    elder = start(job, "one")
    wait_until("it has all", lambda: len(elder.owned()) == 8)
    younger = start(job, "double", instance="one")
    assert elder.wait() == 1
    sentence = one_sentence(elder)
    assert f"has joined the group '{job.group}' as instance 'one'" in sentence
    assert "give each worker an instance of its own" in sentence
    wait_until("the younger one has all", lambda: len(younger.owned()) == 8)
    assert younger.running
