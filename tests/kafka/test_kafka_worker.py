"""A worker on Kafka: equal to a replay, through stops, moves, losses of its disk, and growth."""

import asyncio
import json
import shutil
import signal
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from agents.provision.topics import configs
from broker import run_apart
from clusters import Broker, fresh_topics
from contents import all_bounds
from departed import Records, sorted_exceptions
from kafka_workers import (
    PAUSE_SECONDS,
    REFUSAL_SECONDS_MAX,
    STOP_SECONDS_MAX,
    KafkaJob,
    WorkerProcess,
    free_port,
    http_status,
    one_sentence,
    wait_until,
)
from streams.contract.topics import INPUTS, MES_EVENTS, changelog
from streams.kafka.cluster import Cluster

GUARANTEES = pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])

TICK_SECONDS = 0.1
"""So short that somebody who comes back late ticks with whoever took over, if nothing stops it."""

CLOCK_LEADER = MES_EVENTS, 0
"""Whoever owns this partition writes the ticks."""


def size_of(records: Records) -> int:
    return sum(map(len, records.values()))


# Equal to a replay.


@GUARANTEES
def test_a_worker_gives_what_a_replay_gives(
    job: KafkaJob, lines: list[bytes], guarantee: str
) -> None:
    job.write(lines)
    job.drain(guarantee=guarantee)
    assert sorted_exceptions(job.left()) == job.expected()
    assert job.committed() == {tp: (end, "lineside") for tp, end in job.ends(INPUTS).items()}


@GUARANTEES
def test_sigterm_stops_in_order_and_a_restart_repeats_nothing(
    job: KafkaJob, lines: list[bytes], guarantee: str
) -> None:
    job.write(lines)
    total, done = sum(job.ends(INPUTS).values()), 0
    stopped_midway = 0
    for _ in range(2):
        worker = job.worker(guarantee=guarantee)
        worker.wait_for("it's at work", lambda status, n=done: status["counts"]["in"] > n)
        began = time.monotonic()
        assert worker.end(signal.SIGTERM) == 0, worker.said
        assert time.monotonic() - began < STOP_SECONDS_MAX
        committed = sum(offset for offset, _ in job.committed().values())
        stopped_midway += done < committed < total
        done = committed
    assert stopped_midway, "the stops came too late to show anything"
    job.drain(guarantee=guarantee)
    assert sorted_exceptions(job.left()) == job.expected()


# Several workers.


def test_no_slot_of_the_clock_is_ticked_twice_whoever_is_killed_or_frozen(job: KafkaJob) -> None:
    workers = {name: job.worker(name, tick_seconds=TICK_SECONDS) for name in ("a", "b")}

    def clock_leader() -> str | None:
        owners = [name for name, each in workers.items() if CLOCK_LEADER in each.owned()]
        return owners[0] if len(owners) == 1 else None

    def wait_for_ticks() -> None:
        since = job.ends(INPUTS)
        wait_until(
            "ticks are everywhere",
            lambda: all(len(found) >= 5 for found in job.read(INPUTS, since).values()),
        )

    def wait_for_both() -> None:
        wait_until("both have partitions", lambda: all(each.owned() for each in workers.values()))

    wait_for_both()
    killed = wait_until("one of them has the clock", clock_leader)
    wait_for_ticks()
    workers[killed].kill()
    wait_for_ticks()
    workers[killed] = job.worker(killed, tick_seconds=TICK_SECONDS)
    wait_for_both()
    frozen = workers[wait_until("one of them has the clock", clock_leader)]
    frozen.process.send_signal(signal.SIGSTOP)
    wait_for_ticks()
    frozen.process.send_signal(signal.SIGCONT)
    wait_for_both()
    wait_for_ticks()
    for worker in workers.values():
        assert worker.end() == 0, worker.said
    for tp, records in job.read(INPUTS).items():
        ticks = [json.loads(record.value)["id"] for record in records]
        assert len(set(ticks)) == len(ticks) >= 20, f"a slot twice in {tp}"


def test_a_standby_takes_over_from_its_copy(job: KafkaJob, lines: list[bytes]) -> None:
    first, second = (job.worker(name, standbys=1) for name in ("first", "second"))
    half = len(lines) // 2

    def shared() -> bool:
        owned = [first.owned(), second.owned()]
        copies = [each.status()["standbys"] for each in (first, second)]
        return all(owned) and sum(map(len, owned)) == sum(map(len, copies)) == 2 * job.partitions

    wait_until("each has some partitions, and copies of the other's", shared)
    parts = [each.status()["share"] for each in (first, second)]
    assert {part["of"] for part in parts} == {2 * job.partitions}
    assert sum(part["partitions"] for part in parts) == 2 * job.partitions
    job.write(lines[:half])
    job.wait_until_processed()
    for worker in (first, second):
        worker.wait_for(
            "the copies have caught up",
            lambda status: all(one["left"] == 0 for one in status["standbys"]),
        )
    run_apart(forget_changelogs(job))
    assert first.end() == 0, first.said
    status = second.wait_for(
        "it has all", lambda status: len(status["partitions"]) == 2 * job.partitions
    )
    assert status["share"] == {"partitions": 2 * job.partitions, "of": 2 * job.partitions}
    assert 0 <= status["rate"] < half  # what the other one counted is none of its doing
    job.write(lines[half:])
    job.wait_until_processed()
    assert second.end() == 0, second.said
    assert sorted_exceptions(job.left()) == job.expected()


async def forget_changelogs(job: KafkaJob) -> None:
    """Delete all that there is in the changelogs: whoever reads them from their start is lost."""
    names = [changelog(job.group, topic) for topic in INPUTS]
    wanted = [TopicPartition(name, n) for name in names for n in range(job.partitions)]
    async with job.cluster.admin() as admin:
        for name in names:
            config = {"cleanup.policy": "compact,delete", "retention.ms": "-1"}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
            while (await configs(admin, [name]))[name]["cleanup.policy"] == "compact":  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_SECONDS)
        ends = {tp: end for tp, (_, end) in (await all_bounds(job.cluster, wanted)).items()}
        await admin.delete_records({tp: RecordsToDelete(end) for tp, end in ends.items()})


# Its state, lost or another's.


async def test_a_wiped_disk_is_recovered_before_it_is_ready_and_repeats_nothing(
    job: KafkaJob, lines: list[bytes]
) -> None:
    half = len(lines) // 2
    job.write(lines[:half])
    job.drain()
    shutil.rmtree(job.folder / "worker")
    port = free_port()
    seen: list[int] = []

    def answer() -> int:
        try:
            seen.append(http_status(f"http://127.0.0.1:{port}/ready"))
        except OSError:
            return 0
        return seen[-1]

    state = TopicPartition(changelog(job.group, MES_EVENTS), 0)
    async with open_transaction(job.cluster, state):  # nobody can read past it
        worker = job.worker(port=port)
        wait_until("its page is there", answer)
        status = worker.wait_for(
            "all other partitions are ready",
            lambda status: sum(one["ready"] for one in status["partitions"]) == 7,
        )
        (waiting,) = [one for one in status["partitions"] if not one["ready"]]
        assert (waiting["topic"], waiting["partition"]) == CLOCK_LEADER
        assert waiting["recovery"]["left"] > 0
        assert not status["ready"]
        assert answer() == 503
        assert set(seen) == {503}
    wait_until("it's ready", lambda: answer() == 200)
    status = worker.status()
    assert status["ready"]
    assert all(one["ready"] and one["recovery"] is None for one in status["partitions"])
    job.write(lines[half:])
    job.wait_until_processed()
    assert worker.end() == 0, worker.said
    assert sorted_exceptions(job.left()) == job.expected()


@asynccontextmanager
async def open_transaction(cluster: Cluster, tp: TopicPartition) -> AsyncIterator[None]:
    """Leave a transaction open on a partition meanwhile; it's aborted then."""
    producer = cluster.producer(f"test-{tp.topic}")
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(tp.topic, b"?", key=b"o", partition=tp.partition)
        yield
        await producer.abort_transaction()
    finally:
        await producer.stop()


@pytest.mark.parametrize("elsewhere", ["nothing", "less", "more"])
def test_a_state_from_before_the_topics_were_made_anew_is_recovered_in_full(
    broker: Broker, job: KafkaJob, lines: list[bytes], elsewhere: str
) -> None:
    """Whatever another worker has processed meanwhile: less than the state has seen, or more."""
    first, second, third = lines[:7_000], lines[7_000:14_000], lines[14_000:]
    job.write(first)
    job.drain()
    fresh_topics(broker, job.partitions, job.group)
    job.write({"nothing": [], "less": second[:1_000], "more": second}[elsewhere])
    if elsewhere != "nothing":
        job.drain("another")
    job.write(third)
    said = job.drain()
    assert "isn't the one that the local state is of" in said
    assert sorted_exceptions(job.left()) == job.expected()


# What it refuses.


def test_partitions_added_to_inputs_are_refused(job: KafkaJob, lines: list[bytes]) -> None:
    job.write(lines[:1_000])
    job.drain()
    run_apart(add_partitions(job.cluster, INPUTS, job.partitions + 2))
    worker = job.worker()
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    sentence = one_sentence(worker)
    name = changelog(job.group, MES_EVENTS)
    assert f"topic {MES_EVENTS} has 6 partitions, and its changelog {name} has 4" in sentence
    assert "docs/topics.md" in sentence


def test_partitions_added_to_inputs_and_changelogs_are_refused(
    job: KafkaJob, lines: list[bytes]
) -> None:
    job.write(lines[:1_000])
    job.drain()
    grown = [*INPUTS, *(changelog(job.group, topic) for topic in INPUTS)]
    run_apart(add_partitions(job.cluster, grown, job.partitions + 2))
    left = size_of(job.left())
    worker = job.worker()
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    sentence = one_sentence(worker)
    assert "-changelog/" in sentence
    assert "is of a system with 4 partitions of its input topic, which now has 6" in sentence
    assert "docs/topics.md" in sentence
    assert size_of(job.left()) == left


async def add_partitions(cluster: Cluster, names: Iterable[str], count: int) -> None:
    """Grow topics to so many partitions, and wait until all can be used."""
    async with cluster.admin() as admin:
        await admin.create_partitions({name: NewPartitions(count) for name in names})
        await all_bounds(cluster, [TopicPartition(name, n) for name in names for n in range(count)])


def test_a_broker_that_isnt_there_is_one_sentence(tmp_path: Path) -> None:
    url = f"kafka://127.0.0.1:{free_port()}"
    worker = WorkerProcess(url, "nobody", tmp_path)
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    assert f"no Kafka broker answers at {url.removeprefix('kafka://')}" in one_sentence(worker)


def test_missing_topics_are_one_sentence_with_the_way_out(job: KafkaJob) -> None:
    group = f"{job.group}-b"
    worker = WorkerProcess(job.broker.url, group, job.folder / "worker")
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    sentence = one_sentence(worker)
    assert all(changelog(group, topic) in sentence for topic in INPUTS)
    assert f"`lineside topics create --broker {job.broker.url} --group {group}`" in sentence
