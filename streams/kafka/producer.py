"""EDGE: producers of Kafka records: start, stop, batches, and the meaning of errors."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from time import time
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    IllegalOperation,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    ProducerFenced,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.structs import RecordMetadata

from streams.kafka.client import let_go
from streams.kafka.cluster import BATCH_BYTES_MAX, BrokerError, Cluster
from streams.kafka.record_batches import AnyBatch, SealedBatch, outgoing_batch
from streams.log.cancellation import asked_to_end
from streams.log.record import TP, Outgoing
from streams.log.writing import Fenced, Lost

STOP_SECONDS_MAX: Final = 1.0
"""A stopped producer may take this long to notice: the pause before it sends again."""

FATAL_ERRORS: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""Errors that trying again doesn't cure: they end the job with a message."""


class Outputs:
    """The idempotent producer that the partitions of a process share, started when first used.

    Batches are sent again until they are acknowledged, however long a broker is away. An error that
    this doesn't cure ends the producer, and the next use starts another.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._starting: asyncio.Task[AIOKafkaProducer] | None = None

    async def send(self, batches: Iterable[tuple[TP, Sequence[Outgoing]]]) -> list[RecordMetadata]:
        """Send batches; return where they lie when all are acknowledged. Raises `KafkaError`."""
        producer = await self.producer()
        try:
            return await acknowledged(await sent(producer, batches))
        except (KafkaError, asyncio.CancelledError):  # it may be stuck: stop it at once
            await self.close()
            raise

    async def producer(self) -> AIOKafkaProducer:
        """Return the producer, started."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(started(self._cluster.producer()))
        starting = self._starting
        try:
            return await asyncio.shield(starting)
        except KafkaError:
            if self._starting is starting:
                self._starting = None
            raise

    async def close(self) -> None:
        """Stop the producer; the next use starts another."""
        starting, self._starting = self._starting, None
        if starting is None:
            return
        if not starting.done():
            starting.cancel()
            return
        if starting.exception() is None:
            await stop(starting.result())


async def started(producer: AIOKafkaProducer) -> AIOKafkaProducer:
    """Start a producer; stop it if that fails. Raises `KafkaError`."""
    try:
        await producer.start()
    except BaseException:
        await stop(producer)
        raise
    return producer


async def stop(producer: AIOKafkaProducer) -> None:
    """Stop a producer; batches that it can't send in time are dropped, and their futures fail."""
    sender = producer._sender.sender_task
    if sender is not None and sender.done():  # fenced: aiokafka's `stop` would wait for ever
        producer._closed = True
    await let_go(producer.client, producer.stop)
    producer._message_accumulator.fail_all(ProducerClosed())
    if sender is not None:  # `stop` was cut short before it ended this task
        sender.cancel()
        await asyncio.wait([sender], timeout=STOP_SECONDS_MAX)


async def sent(
    producer: AIOKafkaProducer, batches: Iterable[tuple[TP, Sequence[Outgoing]]]
) -> list[asyncio.Future[RecordMetadata]]:
    """Hand batches to a producer; return the future of each.

    Where the same sequence of records follows itself, for another place, it's encoded once.
    """
    futures: list[asyncio.Future[RecordMetadata]] = []
    now = now_ms()
    batch: AnyBatch | None = None
    last: Sequence[Outgoing] = ()
    for (topic, number), records in batches:
        if isinstance(batch, SealedBatch) and records is last:
            batch = batch.again()
        else:
            batch, last = outgoing_batch(producer, records, now, BATCH_BYTES_MAX), records
        if batch is None:
            raise BrokerError(f"{len(records)} records for {topic} don't fit a RecordBatch")
        futures.append(await producer.send_batch(batch, topic, partition=number))
    return futures


async def acknowledged(futures: Iterable[asyncio.Future[RecordMetadata]]) -> list[RecordMetadata]:
    """Wait for all futures; raise the first error if there is one."""
    results = []
    for done in await asyncio.gather(*futures, return_exceptions=True):
        if isinstance(done, BaseException):
            raise done
        results.append(done)
    return results


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Turn Kafka errors into `Fenced`, `Lost`, or a `BrokerError` if trying again can't help.

    aiokafka cancels what waits for a connection that closes: a task that asked isn't cancelled by
    that.
    """
    try:
        yield
    except ProducerFenced:
        raise Fenced("another worker has taken over") from None
    except FATAL_ERRORS as error:
        raise BrokerError(f"the broker refuses a record: {error}") from error
    except asyncio.CancelledError:
        if asked_to_end():
            raise
        raise Lost("aiokafka gave up what was asked for: its connection is gone") from None
    except (KafkaError, IllegalOperation, AssertionError, TimeoutError) as error:
        # aiokafka raises the middle two if its producer had failed before and was used again.
        raise Lost(f"the broker didn't take what was sent ({error!r})") from error


def now_ms() -> int:
    return round(time() * 1000)
