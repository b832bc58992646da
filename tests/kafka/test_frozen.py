"""One of three brokers hangs: nothing stands still for longer than it takes to notice, nothing is lost."""

import asyncio
import threading
import time
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Self

import pytest

from departed import sorted_exceptions, without_repeats
from heads import Heads
from kafka_cluster import KafkaCluster
from kafka_workers import KafkaJob, WorkerProcess, kafka_job, wait_until
from runs import At, placed
from streams.contract.topics import INPUTS
from streams.kafka.cluster import Cluster
from streams.log.record import Record

PARTITIONS = 4

FROZEN_SECONDS = 30.0
"""What stands still for as long as the broker does is past what is allowed."""

GO_ON_SECONDS_MAX = 15.0
"""What a hanging broker may cost: what it led is the others' after 6 to 9 s, a transaction that it
was to take part in after 6 s more; the rest is noticing."""

SLACK_SECONDS = 10.0
"""For machines on which everything takes twice as long."""

SESSION_SECONDS = 8.0
"""A worker's default."""

PAUSE_SECONDS = 0.25
"""Between two events of a partition: states are written all the time."""

LIBRARY = (
    "Traceback",
    "Unexpected error",
    "was never retrieved",
    "was destroyed but it is pending",
)
"""Words of a library about itself: nobody can do anything with them."""


class Trickle:
    """Writes an event to each partition now and then, in a thread; waits where the cluster does."""

    def __init__(self, cluster: Cluster, records: Mapping[At, list[Record]]) -> None:
        self._cluster = cluster
        self._records = records
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._write()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    async def _write(self) -> None:
        await asyncio.gather(*(self._write_one(at, own) for at, own in self._records.items()))

    async def _write_one(self, at: At, records: list[Record]) -> None:
        # Each has a producer of its own, so that none waits for another's leader.
        producer = self._cluster.producer()
        await producer.start()
        try:
            for record in cycle(records):  # to come again is something to process, too
                if self._ending.is_set():
                    return
                topic, number = at
                await producer.send_and_wait(topic, record.value, record.key, number)
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            await producer.stop()


def shared(workers: list[WorkerProcess]) -> bool:
    return all(len(worker.owned()) == PARTITIONS for worker in workers)


def stands_still(
    cluster: KafkaCluster, job: KafkaJob, lines: list[bytes], guarantee: str, seconds: float
) -> dict[At, float]:
    """Freeze the group's coordinator; return for how long each partition stood still at most."""
    settings = {"guarantee": guarantee, "session_timeout_seconds": SESSION_SECONDS}
    workers = [job.worker(name, **settings) for name in ("a", "b")]
    wait_until("each worker has half", lambda: shared(workers))
    everywhere = [(topic, number) for topic in INPUTS for number in range(PARTITIONS)]
    with (
        Heads(job.cluster, job.group, PARTITIONS) as heads,
        Trickle(job.cluster, placed(lines, PARTITIONS)),
    ):
        heads.wait_until_moved("all partitions are at work", everywhere, 0, SESSION_SECONDS)
        frozen = cluster.coordinator_of_group(job.group)
        heads.watch()
        cluster.freeze(frozen)
        time.sleep(seconds)
        thawed = round(time.time() * 1000)
        cluster.thaw(frozen)
        heads.wait_until_moved("all go on", everywhere, thawed, seconds)
    cluster.wait_until_in_step()
    job.wait_until_processed()
    for worker in workers:
        assert worker.end() == 0, worker.said
        for word in LIBRARY:
            assert word not in worker.said, worker.said
    return {at: stood / 1000 for at, stood in heads.stood_ms.items()}


@pytest.mark.slow
def test_a_broker_that_hangs_stops_nothing_for_long(
    own_cluster: KafkaCluster, lines: list[bytes], tmp_path: Path
) -> None:
    with kafka_job(own_cluster, "frozen", tmp_path, PARTITIONS) as job:
        stood = stands_still(own_cluster, job, lines, "exactly_once", FROZEN_SECONDS)
        assert max(stood.values()) < GO_ON_SECONDS_MAX + SLACK_SECONDS, stood
        left, repeated = without_repeats(sorted_exceptions(job.left()))
        assert left == job.expected()
        assert not repeated
