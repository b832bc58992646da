"""The books of a job on a real broker, kept by desks that share its partitions."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from sqlalchemy import Engine

from agents.keep_books import Progress, keep_books
from books.databases import *  # noqa: F403
from books.filled import Job, contents, fill
from broker import run_apart
from contents import all_bounds, read
from kafka_workers import KafkaJob, record_of
from logs import random_log
from streams.contract.policy import default_policy
from streams.contract.topics import ERP_MASTER, SINGLE
from streams.kafka.books import KafkaBooks
from streams.kafka.cluster import read_broker
from streams.log.record import TP
from tables.books.opening import migrate, open_books
from tables.books.positions import positions
from tables.books.writing import TOPICS

pytestmark = pytest.mark.kafka

WAIT_SECONDS_MAX = 60.0


@pytest.fixture
def partitions() -> int:
    return 2


class Desk:
    """A keeper of its own, with its own place in the group."""

    def __init__(self, job: KafkaJob, engine: Engine) -> None:
        self.log = KafkaBooks(job.cluster, job.group)
        self.progress = Progress()
        keep = keep_books(self.log, engine, self.progress, default_policy(), 36_500, 0)
        self.task = asyncio.ensure_future(keep())

    async def until(self, found: Callable[[], object]) -> None:
        """Wait until something is true of it."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not found():
                await asyncio.sleep(0.05)
                if self.task.done():
                    self.task.result()

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.log.close()


def all_of(job: KafkaJob) -> frozenset[TP]:
    return frozenset(
        (topic, number)
        for topic in TOPICS
        for number in range(1 if topic in SINGLE else job.partitions)
    )


def topics_of(job: KafkaJob) -> Job:
    """Return what lies on the job's topics now."""
    counts = {topic: 1 if topic in SINGLE else job.partitions for topic in TOPICS}
    found = Job()
    for tp, records in run_apart(read(job.cluster, counts)).items():
        if records:
            found.topics[tp.topic, tp.partition] = [record_of(one) for one in records]
    return found


def kept(job: KafkaJob, engine: Engine, count: int) -> None:
    """Let desks fill books until they have everything."""
    tps = [TopicPartition(*at) for at in all_of(job) if at[0] != ERP_MASTER]
    there = run_apart(all_bounds(job.cluster, tps))
    ends = {(tp.topic, tp.partition): end for tp, (_, end) in there.items()}

    def full() -> bool:
        with engine.connect() as connection:
            there = positions(connection)
        return all(there.get(at, 0) >= end for at, end in ends.items())

    async def run() -> None:
        desks = [Desk(job, engine) for _ in range(count)]
        try:
            for desk in desks:
                await desk.until(lambda desk=desk: desk.progress.own)
            await desks[0].until(full)
            assert all(desk.progress.trouble is None for desk in desks)
        finally:
            for desk in desks:
                await desk.leave()

    run_apart(run())


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
@pytest.mark.parametrize("desks", [1, 2])
def test_the_books_have_what_the_topics_have(
    job: KafkaJob, sqlite_books: Engine, tmp_path: Path, guarantee: str, desks: int
) -> None:
    job.write(random_log(81 + desks, 400))
    job.drain(guarantee=guarantee)
    kept(job, sqlite_books, desks)
    expected = open_books(f"sqlite:///{tmp_path}/expected.db")
    migrate(expected)
    fill(expected, topics_of(job))
    assert contents(sqlite_books) == contents(expected)
    outcomes = [row[5] for row in contents(sqlite_books)["inputs"]]
    assert {"accepted", "refused"} <= set(outcomes)
    expected.dispose()


def test_desks_share_the_partitions_and_take_over_from_one_that_leaves(
    job: KafkaJob, postgres_books: Engine
) -> None:
    job.write(random_log(84, 100))
    job.drain()
    everything = all_of(job)

    async def run() -> None:
        first = Desk(job, postgres_books)
        await first.until(lambda: first.progress.own == everything)
        second = Desk(job, postgres_books)
        await second.until(
            lambda: (
                second.progress.own
                and first.progress.own
                and first.progress.own | second.progress.own == everything
                and not first.progress.own & second.progress.own
            )
        )
        await first.leave()
        await second.until(lambda: second.progress.own == everything)
        await second.leave()

    run_apart(run())


def test_a_cluster_that_is_away_is_told_and_waited_for(sqlite_books: Engine) -> None:
    async def run() -> None:
        log = KafkaBooks(read_broker("kafka://127.0.0.1:1"), "nobody")
        progress = Progress()
        task = asyncio.ensure_future(
            keep_books(log, sqlite_books, progress, default_policy(), settle_seconds=0)()
        )
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while progress.trouble is None:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.05)
        assert "no Kafka broker answers at 127.0.0.1:1" in progress.trouble
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        await log.close()

    run_apart(run())
