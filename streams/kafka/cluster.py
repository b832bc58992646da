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
"""Fetched of one partition at a time, compressed. A larger batch is fetched as a whole."""

FETCHED_BYTES_MAX: Final = 64 << 20
"""Fetched and not read yet, for all partitions of a consumer."""

ANSWER_BYTES_MAX: Final = 16 << 20
"""One answer to a fetch, for all partitions that a broker leads."""

RECORDS_MAX: Final = 5_000
"""Records that a reader hands over at a time."""

BATCH_BYTES_MAX: Final = 16 << 20
"""The largest RecordBatch that is built; a topic's `max.message.bytes` is the broker's limit."""

REACH_SECONDS_MAX: Final = 15.0
"""A cluster that hasn't answered a new client by then counts as unreachable."""


REQUEST_SECONDS_MAX: Final = 10.0
"""A request of a reader or an admin client that isn't answered by then is sent again. (Requests to
a hanging broker are given up sooner; a producer's limit also bounds how long a batch may wait.)"""

aiokafka_patches.apply()


class BrokerError(Trouble):
    """A cluster can't be reached, or refuses a request."""


class Unreachable(BrokerError, Lost):
    """No broker answers. At a start this ends the command; in a running job it is a `Lost`."""


class Cluster(Struct, frozen=True):
    """The address of a Kafka cluster, its security, and the name of the client."""

    servers: tuple[str, ...]
    """host:port of some brokers; they name the others."""
    client_id: str = "lineside"
    security: Security = Security()

    def consumer(self, **options: Any) -> AIOKafkaConsumer:
        """Return a consumer, not started yet, that reads committed records and commits nothing."""
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
        """Return an idempotent producer, not started yet; with an id a transactional one."""
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
        """Yield a started admin client; raises `Unreachable` if no broker answers."""
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
        """Yield a started consumer without a group; raises `Unreachable` if no broker answers."""
        consumer = self.consumer(**options)
        await self._started(consumer)
        try:
            await asyncio.sleep(0)  # a stop before aiokafka's tasks have begun would be cancelled
            yield consumer
        finally:
            await let_go(consumer._client, consumer.stop)

    async def _started(self, client: Any) -> None:
        """Start a client; if it can't start, close it and raise `Unreachable`."""
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

    Without `security` the cluster has to be on this machine.
    """
    return Cluster(read_servers(url), security=security or Security())


def fetch_bytes(partitions: int) -> int:
    """Return how many bytes of each of its `partitions` a consumer fetches at a time."""
    share = FETCHED_BYTES_MAX // max(partitions, 1)
    return max(min(share, FETCH_BYTES_MAX), FETCH_BYTES_MIN)


async def bounds(
    consumer: AIOKafkaConsumer, tps: Iterable[TopicPartition]
) -> Mapping[TopicPartition, tuple[int, int]]:
    """Return the first and the next offset of each partition."""
    wanted = list(tps)
    first = await consumer.beginning_offsets(wanted)
    end = await consumer.end_offsets(wanted)
    return {tp: (first[tp], end[tp]) for tp in wanted}


async def read_to(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> AsyncIterator[tuple[TopicPartition, list[ConsumerRecord]]]:
    """Yield the records of partitions from the consumer's position to `ends`, many at a time.

    The consumer must be assigned and positioned. Control records (the ends of transactions) have
    offsets, and aren't yielded.
    """
    async for tp, records in polled_to(consumer, ends):
        wanted = [record for record in records if record.offset < ends[tp]]
        if wanted:
            yield tp, wanted


async def polled_to(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> AsyncIterator[tuple[TopicPartition, list[Any]]]:
    """Yield what a consumer gives up to `ends`, records behind them among it.

    It is a list of records, or of blocks of them (see `streams.kafka.fetched.whole`).
    """
    left = dict(ends)
    while True:
        for tp in [
            tp for tp in left if consumer.assignment() and await _reached(consumer, tp, left)
        ]:
            del left[tp]
        if not left:
            return
        polled = await consumer.getmany(*left, timeout_ms=200)
        for tp, found in polled.items():
            yield tp, found


async def _reached(
    consumer: AIOKafkaConsumer, tp: TopicPartition, ends: Mapping[TopicPartition, int]
) -> bool:
    position: int = await consumer.position(tp)
    return position >= ends[tp]
