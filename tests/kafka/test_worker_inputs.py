"""What a worker makes of its input topics: transactions, codecs, keys, deletions, a first start."""

import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import OffsetAndMetadata

from broker import run_apart
from clusters import create_topic, delete_topics
from contents import write
from departed import sorted_exceptions
from kafka_workers import REFUSAL_SECONDS_MAX, KafkaJob, one_sentence
from runs import confirmed, consumed, event
from streams.contract.topics import (
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    INPUT_BATCH_BYTES,
    INPUTS,
    MES_EVENTS,
)
from streams.kafka.cluster import Cluster
from streams.kafka.member import OFFSET_NOTE
from streams.log.record import Record

KEY = b"DE01/L1"
M = TopicPartition(MES_EVENTS, 0)

FETCH_SECONDS = 1.0
"""A broker that has nothing to give says so by then."""


def confirmations(first: int, count: int) -> list[bytes]:
    """Return events that each lead to one posting at once; a year ago, for any clock."""
    return [confirmed(number - 366 * 86_400) for number in range(first, first + count)]


def give(job: KafkaJob, values: list[bytes]) -> None:
    """Put events of line DE01/L1 on the first M partition, whatever its hash says."""
    run_apart(
        write(job.cluster, {(MES_EVENTS, 0): [Record(0, None, KEY, each) for each in values]})
    )


def posted(job: KafkaJob) -> list[str]:
    """Return the ids of the events that were posted, in order."""
    found = job.read([ERP_TRANSACTIONS]).values()
    return [json.loads(each.value)["data"]["causes"][0] for records in found for each in records]


def ids(values: list[bytes]) -> list[str]:
    return [json.loads(value)["id"] for value in values]


@pytest.fixture
def partitions() -> int:
    """One of each topic: what is asked of a worker here is asked of each partition."""
    return 1


# Transactions of producers.


@asynccontextmanager
async def transactional(cluster: Cluster) -> AsyncIterator[AIOKafkaProducer]:
    """Give an MES that produces in transactions."""
    producer = cluster.producer("test-mes")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, values: list[bytes]) -> None:
    for value in values:
        await producer.send(MES_EVENTS, value, key=KEY, partition=0)
    await producer.flush()


def drained(status: dict[str, Any]) -> bool:
    return status["ready"] and all(one["lag"] == 0 for one in status["partitions"])


@pytest.mark.parametrize("last", ["committed", "aborted"])
async def test_what_a_transaction_aborted_is_never_processed(job: KafkaJob, last: str) -> None:
    committed, aborted = confirmations(0, 5), confirmations(100, 5)
    worker = job.worker()
    async with transactional(job.cluster) as mes:
        for fate in sorted(["aborted", "committed"], key=lambda fate: fate == last):
            await mes.begin_transaction()
            await send(mes, committed if fate == "committed" else aborted)
            await (mes.commit_transaction if fate == "committed" else mes.abort_transaction)()
    status = worker.wait_for("five came in", lambda status: status["counts"]["in"] >= 5)
    status = worker.wait_for("nothing is left, though markers are last", drained)
    assert status["counts"]["accepted"] == status["counts"]["in"] == 5
    assert worker.end() == 0, worker.said
    assert posted(job) == ids(committed)
    job.drain()  # and by itself it ends, too


async def test_what_follows_an_open_transaction_waits_for_its_end(job: KafkaJob) -> None:
    before, within, after = (confirmations(n, 3) for n in (0, 10, 20))
    give(job, before)
    async with transactional(job.cluster) as mes:
        await mes.begin_transaction()
        await send(mes, within)
        give(job, after)
        worker = job.worker("worker", "--until-drained")
        worker.wait_for("the first are in", lambda status: status["counts"]["in"] == 3)
        worker.wait_for(
            "the others are lagging", lambda status: status["partitions"][-1]["lag"] == 6
        )
        assert worker.running
        await mes.commit_transaction()
    assert worker.wait() == 0, worker.said
    assert posted(job) == ids([*before, *within, *after])


# How records come.


def test_compressed_records_are_read(job: KafkaJob, kcat: Callable[..., bytes]) -> None:
    codecs = ["gzip", "snappy", "lz4", "zstd"]
    values = {codec: confirmations(1_000 * n, 200) for n, codec in enumerate(codecs)}
    for codec, own in values.items():
        lines = b"".join(KEY + b"|" + value + b"\n" for value in own)
        kcat("-P", "-t", MES_EVENTS, "-p", "0", "-K", "|", "-z", codec, stdin=lines)
    job.drain()
    assert posted(job) == ids([value for own in values.values() for value in own])


def test_bad_keys_and_values_are_exceptions_and_the_partition_moves_on(job: KafkaJob) -> None:
    good = confirmations(0, 2)
    wrong = consumed(-366 * 86_400, line="L2")
    foreign = event("machine.count.v1", -366 * 86_400, work_unit="U1", good=1, scrap=0)
    given = [
        (KEY, good[0]),
        (b"DE01/L3", wrong),
        (None, wrong),
        (b"", wrong),
        (b"\xff", wrong),
        (KEY, None),
        (None, None),
        (KEY, b""),
        (KEY, b"\xff\xfe"),
        (KEY, foreign),
        (KEY, good[1]),
    ]
    records = [Record(0, None, key, value) for key, value in given]
    run_apart(write(job.cluster, {(MES_EVENTS, 0): records}))
    job.drain()
    found = [
        json.loads(each.value) for each in job.read([EXCEPTIONS])[TopicPartition(EXCEPTIONS, 0)]
    ]
    assert [(each["data"]["offset"], each["data"]["code"]) for each in found] == [
        *((offset, "key_mismatch") for offset in range(1, 5)),
        *((offset, "malformed") for offset in range(5, 9)),
        (9, "unknown_type"),
    ]
    assert posted(job) == ids(good)
    assert job.committed()[M] == (len(given), OFFSET_NOTE)


# Where it begins.


async def commit(job: KafkaJob, offsets: Mapping[TopicPartition, int], note: str) -> None:
    """Set the group's offsets, as an operator's tool does."""
    consumer = job.cluster.consumer(group_id=job.group)
    await consumer.start()
    try:
        consumer.assign(list(offsets))
        await consumer.commit({tp: OffsetAndMetadata(at, note) for tp, at in offsets.items()})
    finally:
        await consumer.stop()


async def test_a_first_start_is_where_somebody_set_the_groups_offset(job: KafkaJob) -> None:
    values = confirmations(0, 10)
    give(job, values)
    await commit(job, {M: 4}, "")
    said = job.drain()
    assert "processed again" not in said
    assert posted(job) == ids(values[4:])
    found = job.read(INPUTS)
    assert sorted_exceptions(job.left()) == job.expected({**found, M: found[M][4:]})
    await commit(job, {M: 0}, "")  # from now on its state says
    give(job, more := confirmations(50, 2))
    job.drain()
    assert posted(job) == ids([*values[4:], *more])


async def test_its_own_offsets_are_no_first_start(job: KafkaJob) -> None:
    values = confirmations(0, 10)
    give(job, values)
    await commit(job, {M: 4}, OFFSET_NOTE)
    said = job.drain()
    assert "mes.events.v1/0 has been processed up to offset 4, but its state is gone" in said
    assert posted(job) == ids(values)


# What was deleted.


async def delete_before(cluster: Cluster, tp: TopicPartition, offset: int) -> None:
    """Delete the records of a partition below an offset, as retention does."""
    async with cluster.admin() as admin:
        await admin.delete_records({tp: RecordsToDelete(offset)})


def test_records_deleted_before_they_were_processed_are_reported_with_their_offsets(
    job: KafkaJob,
) -> None:
    values = confirmations(0, 10)
    give(job, values[:4])
    job.drain()
    give(job, values[4:])
    run_apart(delete_before(job.cluster, M, 7))
    worker = job.worker()
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    sentence = one_sentence(worker)
    assert "records 4 to 6 of mes.events.v1/0 were deleted before they were processed" in sentence
    assert "LINESIDE_SKIP_DELETED=true" in sentence
    assert posted(job) == ids(values[:4])
    said = job.drain(skip_deleted="true")
    assert "records 4 to 6 of mes.events.v1/0 were deleted" in said
    assert posted(job) == ids(values[:4] + values[7:])
    job.drain()  # once gone on, there's nothing to skip


def test_records_deleted_while_a_worker_was_frozen_end_it_with_a_sentence(job: KafkaJob) -> None:
    values = confirmations(0, 10)
    give(job, values[:4])
    worker = job.worker(session_timeout_seconds=6)
    worker.wait_for(
        "all is processed", lambda status: status["counts"]["in"] == 4 and drained(status)
    )
    worker.process.send_signal(signal.SIGSTOP)
    time.sleep(FETCH_SECONDS)  # what it has asked for is answered
    give(job, values[4:])
    run_apart(delete_before(job.cluster, M, 7))
    worker.process.send_signal(signal.SIGCONT)
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    assert "there is no offset 4 of mes.events.v1/0 any more" in one_sentence(worker)
    job.drain(skip_deleted="true")
    assert posted(job) == ids(values[:4] + values[7:])


def test_a_topic_made_anew_that_ends_before_what_its_state_has_seen_is_refused(
    job: KafkaJob,
) -> None:
    give(job, confirmations(0, 10))
    job.drain()
    delete_topics(job.broker, [MES_EVENTS])
    limit = {"max.message.bytes": str(INPUT_BATCH_BYTES)}
    create_topic(job.broker, MES_EVENTS, job.partitions, limit)
    give(job, confirmations(20, 5))
    worker = job.worker()
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    sentence = one_sentence(worker)
    assert "the topic of mes.events.v1/0 isn't the one that its state is of" in sentence
    assert "LINESIDE_GROUP" in sentence


def test_records_deleted_after_they_were_processed_are_no_loss(job: KafkaJob) -> None:
    values = confirmations(0, 10)
    give(job, values[:6])
    job.drain()
    give(job, values[6:])
    run_apart(delete_before(job.cluster, M, 6))
    job.drain()
    assert posted(job) == ids(values)


def test_a_first_start_is_at_the_first_record_that_there_is(job: KafkaJob) -> None:
    values = confirmations(0, 10)
    give(job, values)
    run_apart(delete_before(job.cluster, M, 3))
    job.drain()
    assert posted(job) == ids(values[3:])
