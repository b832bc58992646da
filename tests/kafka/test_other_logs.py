"""Topics made anew under a job's feet, and damaged copies: nothing is lost or doubled in silence."""

import json
import shutil
import time
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete

from broker import run_apart
from clusters import delete_topics, fresh_topics
from contents import write
from kafka_workers import REFUSAL_SECONDS_MAX, KafkaJob, WorkerProcess, one_sentence, wait_until
from runs import confirmed, consumed
from streams.contract.topics import ERP_TRANSACTIONS, INPUTS, MES_EVENTS, changelog
from streams.kafka.member import OFFSET_NOTE
from streams.log.record import Record

KEY = b"DE01/L1"
M = TopicPartition(MES_EVENTS, 0)

NOTICED_SECONDS_MAX = 60.0
"""A running worker has seen by then what has become of its topics."""


@pytest.fixture
def partitions() -> int:
    """One of each topic: what is asked of a worker here is asked of each partition."""
    return 1


def confirmations(first: int, count: int) -> list[bytes]:
    """Return events that each lead to one posting at once; a year ago, for any clock."""
    return [confirmed(number - 366 * 86_400) for number in range(first, first + count)]


def give(job: KafkaJob, values: list[bytes]) -> None:
    run_apart(
        write(job.cluster, {(MES_EVENTS, 0): [Record(0, None, KEY, each) for each in values]})
    )


def renew(job: KafkaJob, name: str) -> None:
    """Delete a topic, and make it anew."""
    fresh_topics(job.broker, job.partitions, job.group, names=[name])


def renew_changelog(job: KafkaJob) -> None:
    renew(job, changelog(job.group, MES_EVENTS))


def posted(job: KafkaJob) -> list[str]:
    """Return the ids of the events that were posted, in order."""
    found = job.read([ERP_TRANSACTIONS]).values()
    return [json.loads(each.value)["data"]["causes"][0] for records in found for each in records]


def ids(values: list[bytes]) -> list[str]:
    return [json.loads(value)["id"] for value in values]


def processed(worker: WorkerProcess, count: int) -> None:
    worker.wait_for(
        f"{count} came in",
        lambda status: (
            status["counts"]["in"] == count and all(p["lag"] == 0 for p in status["partitions"])
        ),
    )


# Inputs.


def test_an_input_topic_made_anew_with_more_records_than_before_is_refused(job: KafkaJob) -> None:
    give(job, confirmations(0, 10))
    job.drain()
    renew(job, MES_EVENTS)
    give(job, confirmations(100, 30))
    worker = job.worker()
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    sentence = one_sentence(worker)
    assert "the topic of mes.events.v1/0 isn't the one that its state is of" in sentence
    assert "LINESIDE_GROUP" in sentence
    assert posted(job) == ids(confirmations(0, 10))


def test_an_input_topic_made_anew_under_a_running_worker_ends_it(job: KafkaJob) -> None:
    give(job, confirmations(0, 10))
    worker = job.worker()
    processed(worker, 10)
    renew(job, MES_EVENTS)
    give(job, confirmations(100, 30))
    assert worker.wait(NOTICED_SECONDS_MAX) == 1
    assert "made anew" in one_sentence(worker)
    again = job.worker()
    assert again.wait(REFUSAL_SECONDS_MAX) == 1
    assert "isn't the one that its state is of" in one_sentence(again)


def test_an_input_topic_that_was_away_for_a_while_is_looked_at_again(job: KafkaJob) -> None:
    give(job, confirmations(0, 10))
    worker = job.worker(watchful=True)
    processed(worker, 10)
    delete_topics(job.broker, [MES_EVENTS])
    missed = f"there is no topic {MES_EVENTS} any more"
    wait_until("it's missed, and nobody's any more", lambda: missed in worker.said)
    renew(job, MES_EVENTS)
    give(job, confirmations(100, 30))
    assert worker.wait(NOTICED_SECONDS_MAX) == 1
    assert "isn't the one that its state is of" in one_sentence(worker)


def test_a_copy_of_an_input_topic_goes_on_where_somebody_says_so(job: KafkaJob) -> None:
    values = confirmations(0, 30)
    give(job, values[:10])
    job.drain()
    renew(job, MES_EVENTS)
    give(job, values)
    worker = job.worker()
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    assert "LINESIDE_SAME_LOG=true" in one_sentence(worker)
    said = job.drain(same_log="true")
    assert "the same record at offset 9: going on" in said
    assert posted(job) == ids(values)
    job.drain()  # it's bound to the new one


def test_another_topic_isnt_taken_for_a_copy_whatever_is_said(job: KafkaJob) -> None:
    give(job, confirmations(0, 10))
    job.drain()
    renew(job, MES_EVENTS)
    give(job, confirmations(100, 30))
    worker = job.worker(same_log="true")
    assert worker.wait(REFUSAL_SECONDS_MAX) == 1
    assert "isn't the one that its state is of" in one_sentence(worker)


def test_partitions_added_under_a_running_worker_end_it_with_a_sentence(job: KafkaJob) -> None:
    give(job, confirmations(0, 10))
    worker = job.worker(watchful=True)
    processed(worker, 10)

    async def grow() -> None:
        async with job.cluster.admin() as admin:
            await admin.create_partitions({topic: NewPartitions(3) for topic in INPUTS})

    run_apart(grow())
    assert worker.wait(NOTICED_SECONDS_MAX) == 1
    sentence = one_sentence(worker)
    assert "had 1 partitions when this worker started, and has grown" in sentence
    assert "docs/topics.md" in sentence


# Changelogs.


def window(first: int, count: int) -> list[bytes]:
    """Return events that stay in an open window until a later one comes."""
    return [consumed(-366 * 86_400, id=f"m{number}") for number in range(first, first + count)]


def test_a_state_whose_changelog_was_made_anew_is_written_to_the_new_one(job: KafkaJob) -> None:
    """Its copy is all that is left of it; it serves whoever comes after, without a copy."""
    give(job, [*confirmations(0, 10), *window(0, 5)])
    job.drain()
    renew_changelog(job)
    said = job.drain()
    assert (
        "was made anew, and has no state: the local one, which is whole, was written to it" in said
    )
    give(job, confirmations(0, 10))
    job.drain("another")
    worker = job.worker("a third")
    processed(worker, 25)
    counts = worker.status()["counts"]
    assert (counts["accepted"], counts["duplicate"]) == (15, 10)
    assert worker.end() == 0, worker.said
    assert posted(job) == ids(confirmations(0, 10))


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_a_changelog_made_anew_under_a_running_worker_gets_the_whole_state(
    job: KafkaJob, guarantee: str
) -> None:
    give(job, [*confirmations(0, 10), *window(0, 5)])
    worker = job.worker(guarantee=guarantee)
    processed(worker, 15)
    renew_changelog(job)
    give(job, confirmations(10, 10))
    processed(worker, 25)
    assert "was written to it" in worker.said
    assert worker.end() == 0, worker.said
    shutil.rmtree(worker.folder)
    give(job, [*confirmations(0, 20), *window(0, 5)])
    worker = job.worker(guarantee=guarantee)
    processed(worker, 50)
    counts = worker.status()["counts"]
    assert (counts["accepted"], counts["duplicate"]) == (25, 25)
    assert worker.end() == 0, worker.said
    assert sorted(set(posted(job))) == sorted(ids(confirmations(0, 20)))


def test_an_idle_worker_notices_that_its_changelog_was_made_anew(job: KafkaJob) -> None:
    """Before another one takes over, who would find nothing."""
    give(job, confirmations(0, 10))
    worker = job.worker(watchful=True)
    processed(worker, 10)
    renew_changelog(job)
    wait_until(
        "the state is in the new one",
        lambda: "was written to it" in worker.said,
        NOTICED_SECONDS_MAX,
    )
    processed(worker, 10)
    worker.kill()
    give(job, confirmations(0, 10))
    job.drain("another")
    assert posted(job) == ids(confirmations(0, 10))


def test_a_lost_state_is_reported_and_one_that_never_was_isnt(job: KafkaJob) -> None:
    """Without a copy there's nothing to write: all is processed again, the same."""
    give(job, confirmations(0, 10))
    said = job.drain()
    job.drain()
    assert "its state is gone" not in said
    renew_changelog(job)
    said = job.drain("another")
    gone = [line for line in said.splitlines() if "its state is gone" in line]
    assert len(gone) == 1
    assert "mes.events.v1/0 has been processed up to offset 10" in gone[0]
    assert posted(job) == ids(confirmations(0, 10)) * 2


def test_partitions_without_records_say_nothing_and_keep_the_offset_that_somebody_set(
    job: KafkaJob,
) -> None:
    give(job, confirmations(0, 10))
    run_apart(set_offset(job, M, 10))
    for _ in range(2):
        worker = job.worker()
        worker.wait_for("it's ready", lambda status: status["ready"])
        time.sleep(4)  # offsets are told every few seconds
        assert worker.end() == 0, worker.said
        assert "its state is gone" not in worker.said
    assert job.committed().get(M) == (10, "")
    give(job, confirmations(20, 2))
    job.drain()
    assert posted(job) == ids(confirmations(20, 2))
    assert job.committed()[M] == (12, OFFSET_NOTE)


async def set_offset(job: KafkaJob, tp: TopicPartition, offset: int) -> None:
    """Set the group's offset, as an operator's tool does."""
    consumer = job.cluster.consumer(group_id=job.group)
    await consumer.start()
    try:
        consumer.assign([tp])
        await consumer.commit({tp: offset})
    finally:
        await consumer.stop()


# What was deleted.


def test_what_it_goes_on_without_is_shown_for_good(job: KafkaJob) -> None:
    give(job, confirmations(0, 4))
    job.drain()
    give(job, confirmations(4, 6))

    async def cut() -> None:
        async with job.cluster.admin() as admin:
            await admin.delete_records({M: RecordsToDelete(7)})

    run_apart(cut())
    job.drain(skip_deleted="true")
    worker = job.worker("another")
    status = worker.wait_for("it's ready", lambda status: status["ready"])
    assert [one["deleted"] for one in status["partitions"]] == [0, 3]
    assert worker.end() == 0, worker.said


# Damaged copies.


def damage(worker: WorkerProcess) -> None:
    """Turn the bits of a copy's first block."""
    (folder,) = (worker.folder / "state").glob("*mes.events.v1-changelog-0")
    files = sorted(folder.glob("*.sst"))
    assert files
    for file in files:
        flip(file)


def flip(file: Path) -> None:
    found = bytearray(file.read_bytes())
    found[20:84] = bytes(byte ^ 0xFF for byte in found[20:84])
    file.write_bytes(found)


def test_a_damaged_copy_is_made_anew_at_a_start(job: KafkaJob) -> None:
    values = confirmations(0, 2_000)
    give(job, values)
    job.drain()
    worker = job.worker()
    processed(worker, 2_000)
    assert worker.end() == 0
    damage(worker)
    give(job, values)
    worker = job.worker()
    processed(worker, 4_000)
    assert "is damaged (Corruption" in worker.said
    assert "made again from its changelog" in worker.said
    assert "Traceback" not in worker.said
    assert worker.status()["counts"]["duplicate"] == 2_000
    assert worker.end() == 0, worker.said
    assert posted(job) == ids(values)


def test_damage_that_a_running_worker_comes_upon_is_mended_as_it_goes(job: KafkaJob) -> None:
    values = confirmations(0, 20_000)
    give(job, values)
    job.drain()
    worker = job.worker()
    worker.wait_for("it's ready", lambda status: status["ready"])
    (folder,) = (worker.folder / "state").glob("*mes.events.v1-changelog-0")
    for file in folder.glob("*.sst"):  # most of it hasn't been read yet
        whole = bytearray(file.read_bytes())
        for at in range(20, len(whole) - 4_096, 4_096):
            whole[at] ^= 0xFF
        file.write_bytes(whole)
    give(job, values)
    processed(worker, 40_000)
    assert "is damaged (Corruption" in worker.said
    assert "Traceback" not in worker.said
    assert worker.status()["counts"]["duplicate"] == 20_000
    assert worker.end() == 0, worker.said
    assert posted(job) == ids(values)
