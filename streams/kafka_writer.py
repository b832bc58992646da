"""EDGE: what a partition's task writes to Kafka: outputs, changelog batches, ticks."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import time
from typing import Final

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    ProducerFenced,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from streams.cluster import BATCH_BYTES_MAX, BrokerError, Cluster, bounds, read_to
from streams.record import Outgoing, partition_of
from streams.topics import CLOCK, INPUTS
from streams.writing import Fenced, Lost, StateChange

FENCE: Final = b"f"
"""Prefix of the changelog key that a new owner writes first, with the count of partitions."""

OUTPUT_BATCH_BYTES: Final = 900_000
"""Before compression: below Kafka's default `max.message.bytes` of 1 MiB."""

TRANSACTION_SECONDS_MAX: Final = 60.0
"""A transaction that is open for longer is aborted by the broker: whoever began it is gone."""

STOP_SECONDS_MAX: Final = 1.0
"""A producer whose broker is away is left behind after that."""

NOTHING_HELPS: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""Errors that no patience cures: they end the job, in a sentence."""

Target = tuple[str, int]

log = logging.getLogger("lineside.writer")


def fence_key(partitions: int) -> bytes:
    """Return the changelog key under which owners announce themselves.

    It has the count of the input topic's partitions: where another one is found, keys have moved
    away from their ledgers.
    """
    return FENCE + str(partitions).encode()


class Outputs:
    """The idempotent producer that the partitions of a process share, started when first used.

    What it is given is sent until it's acknowledged, however long a broker is away; an error that
    no patience cures ends it, and the next use starts another.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._starting: asyncio.Task[AIOKafkaProducer] | None = None

    async def send(self, batches: Iterable[tuple[Target, Sequence[Outgoing]]]) -> None:
        """Send batches, and return when all are acknowledged. Raises `KafkaError`."""
        producer = await self.producer()
        try:
            await _acknowledged(await _sent(producer, batches))
        except KafkaError:
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
        """Stop the producer; another one starts if it's used again."""
        starting, self._starting = self._starting, None
        if starting is None:
            return
        if not starting.done():
            starting.cancel()
            return
        if starting.exception() is None:
            await stop(starting.result())


class KafkaWriter:
    """Writes for one input partition under one transactional id: a later writer fences this one.

    The changelog takes the changes of a write as one RecordBatch in a transaction, in both
    guarantees: a process that was away while its partition moved (a zombie) can write no state any
    more. With `exactly_once` the outputs are in the same transaction; with `at_least_once` they are
    sent and acknowledged before it.
    """

    def __init__(
        self,
        cluster: Cluster,
        outputs: Outputs | None,
        changelog: TopicPartition,
        counts: Mapping[str, int],
        transactional_id: str,
    ) -> None:
        """Take the producer for outputs, or None for `exactly_once`; `counts`: partitions."""
        self._outputs = outputs
        self._changelog = changelog
        self._counts = counts
        self._producer = cluster.producer(
            transactional_id, transaction_timeout_ms=round(TRANSACTION_SECONDS_MAX * 1000)
        )

    async def fence(self, partitions: int, owner: str) -> int:
        """Shut out every earlier writer of this partition; return the fence's changelog offset.

        All that any earlier writer has got into the changelog is before it. Raises `Lost`.
        """
        note = msgspec.json.encode({"owner": owner, "at_ms": _now_ms()})
        with _sorted_errors():
            await started(self._producer)
            return await self._transact((), [(fence_key(partitions), note)])

    async def write(
        self, outputs: Sequence[Outgoing], changes: Sequence[StateChange]
    ) -> Sequence[StateChange]:
        """Write outputs, then the state; see `streams.writing.Writer`."""
        with _sorted_errors():
            batches = list(self._batches(outputs))
            if self._outputs is not None and batches:
                await self._outputs.send(batches)
                batches = []
            offset = await self._transact(batches, changes)
        if offset < 0:  # the broker knows this batch, but not where it is any more
            return ()
        return [position_note(offset + len(changes), _now_ms())]

    async def _transact(
        self,
        batches: Iterable[tuple[Target, Sequence[Outgoing]]],
        changes: Sequence[StateChange],
    ) -> int:
        await self._producer.begin_transaction()
        builder = self._producer.create_batch()
        now = _now_ms()
        for key, value in changes:
            if builder.append(timestamp=now, key=key, value=value) is None:
                raise BrokerError(
                    f"the state changes of a batch for {self._changelog.topic} take more than "
                    f"{BATCH_BYTES_MAX:,} bytes: that's more than one RecordBatch can hold"
                )
        builder.close()
        name, number = self._changelog
        sent = [await self._producer.send_batch(builder, name, partition=number)]
        sent += await _sent(self._producer, batches)
        offset: int = (await _acknowledged(sent))[0].offset
        await self._producer.commit_transaction()
        return offset

    def _batches(self, outputs: Sequence[Outgoing]) -> Iterator[tuple[Target, Sequence[Outgoing]]]:
        """Yield outputs by topic and partition, in order, cut to a size that brokers take."""
        grouped: defaultdict[Target, list[Outgoing]] = defaultdict(list)
        for record in outputs:
            at = record.topic, partition_of(record.key, self._counts[record.topic])
            grouped[at].append(record)
        for target, records in grouped.items():
            begin = size = 0
            for index, record in enumerate(records):
                more = len(record.value) + len(record.key or b"") + 30
                if size and size + more > OUTPUT_BATCH_BYTES:
                    yield target, records[begin:index]
                    begin, size = index, 0
                size += more
            yield target, records[begin:]

    async def close(self) -> None:
        """Stop the producer: an open transaction is aborted by the next writer's fence."""
        await stop(self._producer)


class KafkaTicker:
    """Writes ticks while it is this process's office: the owner of the first M partition has it.

    Each slot is claimed on the clock's topic in a transaction of one id that all owners share, and
    only then written: so no slot is written twice, whoever was stopped or cut off when. A slot that
    was claimed by one that then died isn't written; the next one closes what it would have.
    """

    def __init__(self, cluster: Cluster, outputs: Outputs, group: str) -> None:
        self._cluster = cluster
        self._outputs = outputs
        self._id = f"{group}-clock"
        self._key = group.encode()
        self._producer: AIOKafkaProducer | None = None
        self._last = 0

    async def tick(self, slot: int, value: bytes) -> None:
        """Write the tick of an instant to all input partitions. Raises `Lost`."""
        with _sorted_errors():
            if self._producer is None:
                await self._begin()
            if slot <= self._last or self._producer is None:
                return
            self._last = slot
            async with self._producer.transaction():
                await self._producer.send_and_wait(CLOCK, str(slot).encode(), self._key)
            producer = await self._outputs.producer()
            sent = []
            for topic in INPUTS:
                for number in sorted(await producer.partitions_for(topic)):
                    batch = producer.create_batch()
                    batch.append(timestamp=slot // 1000, key=None, value=value)
                    sent.append(await producer.send_batch(batch, topic, partition=number))
            await _acknowledged(sent)

    async def _begin(self) -> None:
        """Shut out the last owner, and learn which slot it claimed last."""
        producer = self._cluster.producer(self._id)
        try:
            await started(producer)
            self._last = await self._last_claimed()
        except BaseException:
            await stop(producer)
            raise
        self._producer = producer

    async def _last_claimed(self) -> int:
        tp = TopicPartition(CLOCK, 0)
        last = 0
        async with self._cluster.reader() as consumer:
            consumer.assign([tp])
            begin, end = (await bounds(consumer, [tp]))[tp]
            consumer.seek(tp, begin)
            async for _, records in read_to(consumer, {tp: end}):
                last = max([last, *(int(r.value) for r in records if r.key == self._key)])
        return last

    async def close(self) -> None:
        """Give up the office."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)


POSITION: Final = b"c"
"""The key under which a local store notes how much of the changelog it has."""


def position_note(offset: int, at_ms: int) -> StateChange:
    """Return the change that notes: all of the changelog before `offset` is here, as of `at_ms`."""
    return POSITION, msgspec.msgpack.encode([offset, at_ms])


async def started(producer: AIOKafkaProducer) -> AIOKafkaProducer:
    """Start a producer; one that can't start is stopped. Raises `KafkaError`."""
    try:
        await producer.start()
    except BaseException:
        await stop(producer)
        raise
    return producer


async def stop(producer: AIOKafkaProducer) -> None:
    """Stop a producer; what it can't send in time is dropped, and whoever waits for it told so."""
    sender = producer._sender.sender_task
    if sender is not None and sender.done():  # fenced: aiokafka's `stop` would wait for ever
        producer._closed = True
    with contextlib.suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await producer.stop()
    with contextlib.suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await producer.client.close()
    producer._message_accumulator.fail_all(ProducerClosed())


async def _sent(
    producer: AIOKafkaProducer, batches: Iterable[tuple[Target, Sequence[Outgoing]]]
) -> list[asyncio.Future[RecordMetadata]]:
    """Hand batches to a producer; return what becomes of each."""
    sent = []
    now = _now_ms()
    for (topic, number), records in batches:
        builder: BatchBuilder = producer.create_batch()
        for record in records:
            builder.append(timestamp=now, key=record.key, value=record.value)
        builder.close()
        sent.append(await producer.send_batch(builder, topic, partition=number))
    return sent


async def _acknowledged(sent: Iterable[asyncio.Future[RecordMetadata]]) -> list[RecordMetadata]:
    """Wait for all, and raise the first error if there is one."""
    acknowledged = []
    for done in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(done, BaseException):
            raise done
        acknowledged.append(done)
    return acknowledged


@contextlib.contextmanager
def _sorted_errors() -> Iterator[None]:
    """Raise `Fenced`, `Lost`, or a `BrokerError` where trying again can't help."""
    try:
        yield
    except ProducerFenced:
        raise Fenced("another worker has taken over") from None
    except NOTHING_HELPS as error:
        raise BrokerError(f"the broker refuses a record: {error}") from error
    except KafkaError as error:
        raise Lost(f"the broker didn't take what was sent ({error!r})") from error


def _now_ms() -> int:
    return round(time() * 1000)
