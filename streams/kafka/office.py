"""EDGE: an office that one process of a group holds: its reader, its notes, its transactions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.contract.topics import CLOCK
from streams.kafka.cluster import Cluster, bounds, read_to
from streams.kafka.producer import started, stop, translated_errors
from streams.log.writing import Lost

OFFICE_SECONDS_MAX: Final = 20.0
"""A write of an office that isn't acknowledged by then is given up, and the office taken anew."""


class KafkaOffice:
    """All who may hold it share a transactional id: one that takes it shuts out the one before.

    No two agents of a process share one, since its reader has a position.
    """

    def __init__(
        self,
        cluster: Cluster,
        transactional_id: str,
        leads: Callable[[], bool],
        **reader_options: Any,
    ) -> None:
        """Take what says whether this process has the office, and options of its reader."""
        self._cluster = cluster
        self._id = transactional_id
        self._leads = leads
        self._reader_options = reader_options
        self._reading = AsyncExitStack()
        self._reader: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None

    def leads(self) -> bool:
        """Return whether this is this process's office; another one may still think so."""
        return self._leads()

    async def rest(self) -> None:
        """Let go of all connections; the next call makes new ones."""
        await self._let_go_of_reader()
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
            async with self._cluster.reader() as consumer:
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
        """Yield the reader, started when first used; after an error the next use starts another."""
        try:
            with translated_errors():
                if self._reader is None:
                    self._reader = await self._reading.enter_async_context(
                        self._cluster.reader(**self._reader_options)
                    )
                yield self._reader
        except Lost:
            await self._let_go_of_reader()
            raise

    async def _let_go_of_reader(self) -> None:
        reading, self._reading, self._reader = self._reading, AsyncExitStack(), None
        await reading.aclose()

    async def _let_go_of_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)
