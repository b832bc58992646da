"""EDGE: an office that one process of a group holds: what it reads, its notes, its transactions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.contract.topics import CLOCK
from streams.kafka.clients import Access
from streams.kafka.cluster import Cluster, bounds, read_to
from streams.kafka.producer import started, stop, translated_errors

OFFICE_SECONDS_MAX: Final = 20.0
"""A write of an office that isn't acknowledged by then is given up, and the office taken anew."""


class KafkaOffice:
    """All who may hold it share a transactional id: one that takes it shuts out the one before."""

    def __init__(
        self,
        cluster: Cluster,
        clients: Access,
        transactional_id: str,
        leads: Callable[[], bool],
        **reader_options: Any,
    ) -> None:
        """Take what gives readers, with which options, and what says whether this is the holder."""
        self._cluster = cluster
        self._clients = clients
        self._id = transactional_id
        self._leads = leads
        self._reader_options = reader_options
        self._producer: AIOKafkaProducer | None = None

    def leads(self) -> bool:
        """Return whether this is this process's office; another one may still think so."""
        return self._leads()

    async def rest(self) -> None:
        """Let go of the producer; who takes the office starts another."""
        await self._let_go_of_producer()

    async def grown(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def take_office(self) -> None:
        """Start a producer: the last holder's is fenced, and what it had begun is aborted."""
        with translated_errors():
            await self._let_go_of_producer()
            async with asyncio.timeout(OFFICE_SECONDS_MAX):
                self._producer = await started(
                    self._cluster.producer(
                        self._id, transaction_timeout_ms=round(OFFICE_SECONDS_MAX * 1000)
                    )
                )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AIOKafkaProducer]:
        """Yield the producer of the office within a transaction."""
        producer = self._producer
        assert producer is not None  # the office was taken
        with translated_errors():
            async with asyncio.timeout(OFFICE_SECONDS_MAX), producer.transaction():
                yield producer

    async def notes(self, prefix: bytes) -> dict[int, bytes]:
        """Return the last notes on the clock's topic, by the number behind `prefix` in the key."""
        tp = TopicPartition(CLOCK, 0)
        notes: dict[int, bytes] = {}
        with translated_errors():
            async with self._clients.reader() as consumer:
                consumer.assign([tp])
                begin, end = (await bounds(consumer, [tp]))[tp]
                consumer.seek(tp, begin)
                async for _, records in read_to(consumer, {tp: end}):
                    for record in records:
                        if record.key is not None and record.key.startswith(prefix):
                            notes[int(record.key.removeprefix(prefix))] = record.value
        return notes

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[AIOKafkaConsumer]:
        """Yield a reader; it is for another use afterwards."""
        with translated_errors():
            async with self._clients.reader(**self._reader_options) as reader:
                yield reader

    async def _let_go_of_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)
