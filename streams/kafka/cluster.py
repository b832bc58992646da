"""EDGE: a Kafka cluster, and the clients that reach it: consumers, producers, the admin client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from msgspec import Struct

from streams.address import read_servers
from streams.kafka import aiokafka_patches
from streams.kafka.client import let_go
from streams.kafka.security import Attempt, Security, attempt
from streams.log.writing import Lost
from streams.trouble import Trouble

COMPRESSION: Final = "lz4"

FETCH_BYTES_MAX: Final = 1 << 20
FETCH_BYTES_MIN: Final = 64 << 10
"""Of one partition at a time, compressed. A larger batch is fetched whatever its size."""

FETCHED_BYTES_MAX: Final = 64 << 20
"""Of all partitions of a consumer: bounds what lies fetched and unread."""

ANSWER_BYTES_MAX: Final = 16 << 20
"""Of one fetch, for all partitions that a broker leads."""

RECORDS_MAX: Final = 5_000
"""Handed over at once by a reader."""

BATCH_BYTES_MAX: Final = 16 << 20
"""The largest RecordBatch that is built; a topic's `max.message.bytes` is the broker's limit."""

REACH_SECONDS_MAX: Final = 15.0
"""A cluster that hasn't answered a new client by then can't be reached."""


REQUEST_SECONDS_MAX: Final = 10.0
"""A reader's or an admin client's request that hasn't been answered by then is sent again. (One to
a broker that hangs is given up sooner; a producer's limit is also for how long a batch may wait.)
"""

aiokafka_patches.apply()


class BrokerError(Trouble):
    """A cluster that can't be reached, or that refuses what it is asked for."""


class Unreachable(BrokerError, Lost):
    """No broker answers: a sentence where something starts, a reason to wait where it runs."""


class Cluster(Struct, frozen=True):
    """Where a Kafka cluster is, and who asks."""

    servers: tuple[str, ...]
    """host:port of some brokers; the others are learnt from them."""
    client_id: str = "lineside"
    security: Security = Security()

    def consumer(self, **options: Any) -> AIOKafkaConsumer:
        """Return a consumer, not started yet: it sees what is committed, and commits nothing."""
        return AIOKafkaConsumer(
            bootstrap_servers=list(self.servers),
            **self.security.options(),
            **{
                "client_id": self.client_id,
                "request_timeout_ms": round(REQUEST_SECONDS_MAX * 1000),
                "enable_auto_commit": False,
                "auto_offset_reset": "none",
                "isolation_level": "read_committed",
                "max_partition_fetch_bytes": FETCH_BYTES_MAX,
                "fetch_max_bytes": ANSWER_BYTES_MAX,
                "max_poll_records": RECORDS_MAX,
                **options,
            },
        )

    def producer(self, transactional_id: str | None = None, **options: Any) -> AIOKafkaProducer:
        """Return an idempotent producer, not started yet; with an id it's a transactional one."""
        return AIOKafkaProducer(
            bootstrap_servers=list(self.servers),
            client_id=self.client_id,
            transactional_id=transactional_id,
            enable_idempotence=True,
            compression_type=COMPRESSION,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=BATCH_BYTES_MAX,
            **self.security.options(),
            **options,
        )

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """Give a started admin client; raises `Unreachable` if no broker answers."""
        client = AIOKafkaAdminClient(
            bootstrap_servers=list(self.servers),
            client_id=self.client_id,
            request_timeout_ms=round(REQUEST_SECONDS_MAX * 1000),
            **self.security.options(),
        )
        await self._started(client)
        try:
            yield client
        finally:
            await let_go(client._client, client.close)

    @asynccontextmanager
    async def reader(self, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
        """Give a started consumer without a group; raises `Unreachable` if no broker answers."""
        consumer = self.consumer(**options)
        await self._started(consumer)
        try:
            await asyncio.sleep(0)  # aiokafka cancels whoever stops it before its tasks have begun
            yield consumer
        finally:
            await let_go(consumer._client, consumer.stop)

    async def _started(self, client: Any) -> None:
        """Start a client; one that doesn't come up is let go. Raises `Unreachable`."""
        attempt.set(trying := Attempt())
        try:
            async with asyncio.timeout(REACH_SECONDS_MAX):
                await client.start()
        except BaseException as error:
            stop = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
            with contextlib.suppress(Exception):
                await let_go(client._client, stop)
            if not isinstance(error, KafkaError | OSError | TimeoutError):
                raise
            raise Unreachable(
                trying.refusal
                or f"no Kafka broker answers at {', '.join(self.servers)}: is it running, and is "
                "the address right?"
            ) from None
        finally:
            attempt.set(None)


def read_broker(url: str, security: Security | None = None) -> Cluster:
    """Return the cluster of `kafka://host:port[,host:port...]`, or raise `ValueError`.

    Without `security` it is one on this machine.
    """
    return Cluster(read_servers(url), security=security or Security())


def fetch_bytes(partitions: int) -> int:
    """Return how much a consumer of so many partitions fetches of each at a time."""
    share = FETCHED_BYTES_MAX // max(partitions, 1)
    return max(min(share, FETCH_BYTES_MAX), FETCH_BYTES_MIN)


def asked_to_end() -> bool:
    """Return whether the running task was cancelled, and not just something that it waits for.

    aiokafka's clients cancel tasks of their own now and then; who waits for one of them sees a
    `CancelledError`, too, and would end as if he had been asked to.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def bounds(
    consumer: AIOKafkaConsumer, tps: Iterable[TopicPartition]
) -> Mapping[TopicPartition, tuple[int, int]]:
    """Return the first offset that there is and the next that will be, by partition."""
    wanted = list(tps)
    first = await consumer.beginning_offsets(wanted)
    end = await consumer.end_offsets(wanted)
    return {tp: (first[tp], end[tp]) for tp in wanted}


async def read_to(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> AsyncIterator[tuple[TopicPartition, list[ConsumerRecord]]]:
    """Yield what partitions hold from where the consumer stands to `ends`, in lumps.

    The consumer is assigned and sought already. Control records (the ends of transactions) count as
    offsets, and aren't yielded.
    """
    left = dict(ends)
    while True:
        for tp in [
            tp for tp in left if consumer.assignment() and await _reached(consumer, tp, left)
        ]:
            del left[tp]
        if not left:
            return
        lumps = await consumer.getmany(*left, timeout_ms=200)
        for tp, records in lumps.items():
            wanted = [record for record in records if record.offset < left[tp]]
            if wanted:
                yield tp, wanted


async def _reached(
    consumer: AIOKafkaConsumer, tp: TopicPartition, ends: Mapping[TopicPartition, int]
) -> bool:
    position: int = await consumer.position(tp)
    return position >= ends[tp]
