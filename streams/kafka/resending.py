"""EDGE: what the agent that sends refused events again reads and writes through, on Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.contract.topics import CLOCK, EXCEPTIONS, MES_EVENTS
from streams.kafka.cluster import Cluster, read_to
from streams.kafka.cluster import bounds as bounds_of
from streams.kafka.fetched import record_of
from streams.kafka.producer import acknowledged, now_ms, started, stop, translated_errors
from streams.kafka.writer import TRANSACTION_SECONDS_MAX, WRITE_SECONDS_MAX
from streams.log.record import Record
from streams.log.resending import Begun, ResendingLog, Resent
from streams.log.writing import Lost


class KafkaResending:
    """Events and notes leave in one transaction; all holders of the office share its id.

    One that takes the office shuts out the one before, whose last transaction is there or isn't.
    """

    def __init__(
        self, cluster: Cluster, group: str, counts: Mapping[str, int], leads: Callable[[], bool]
    ) -> None:
        """Take each topic's partition count, and what says whether this process has the office."""
        self._cluster = cluster
        self._id = f"{group}-resent"
        self._resent = f"{group}/resent/".encode()
        """On the clock's topic, the keys of notes begin with this."""
        self._counts = counts
        self._leads = leads
        self._reading = AsyncExitStack()
        self._reader: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None

    def leads(self) -> bool:
        """Return whether this is this process's office; another one may still think so."""
        return self._leads()

    async def rest(self) -> None:
        """Let go of all connections; the next call makes new ones."""
        reading, self._reading, self._reader = self._reading, AsyncExitStack(), None
        await reading.aclose()
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)

    async def grown(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def begin(self) -> Begun:
        """Start a producer: the last one's is fenced, and what it had begun is aborted."""
        with translated_errors():
            producer, self._producer = self._producer, None
            if producer is not None:
                await stop(producer)
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                self._producer = await started(
                    self._cluster.producer(
                        self._id, transaction_timeout_ms=round(TRANSACTION_SECONDS_MAX * 1000)
                    )
                )
            return Begun(await self._noted(), frozenset())

    async def _noted(self) -> dict[int, bytes]:
        tp = TopicPartition(CLOCK, 0)
        notes: dict[int, bytes] = {}
        async with self._cluster.reader() as consumer:
            consumer.assign([tp])
            begin, end = (await bounds_of(consumer, [tp]))[tp]
            consumer.seek(tp, begin)
            async for _, records in read_to(consumer, {tp: end}):
                for record in records:
                    if record.key is not None and record.key.startswith(self._resent):
                        notes[int(record.key.removeprefix(self._resent))] = record.value
        return notes

    async def bounds(self) -> Mapping[int, tuple[int, int]]:
        """Return the first and the next offset of each partition of exceptions."""
        wanted = [TopicPartition(EXCEPTIONS, number) for number in range(self._counts[EXCEPTIONS])]
        async with self._asking() as reader:
            return {tp.partition: each for tp, each in (await bounds_of(reader, wanted)).items()}

    async def read(
        self, starts: Mapping[int, int], ends: Mapping[int, int]
    ) -> AsyncIterator[tuple[int, Sequence[Record]]]:
        """Yield committed exceptions; open transactions before their ends are waited for."""
        if not starts:
            return
        async with self._asking() as reader:
            wanted = {TopicPartition(EXCEPTIONS, number): at for number, at in starts.items()}
            reader.assign(list(wanted))
            for tp, at in wanted.items():
                reader.seek(tp, at)
            async for tp, records in read_to(reader, {tp: ends[tp.partition] for tp in wanted}):
                yield tp.partition, [record_of(record) for record in records]

    async def send(self, events: Sequence[Resent], notes: Mapping[int, bytes]) -> None:
        """Write events and notes in one transaction."""
        producer = self._producer
        assert producer is not None  # the office was taken
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX), producer.transaction():
                now = now_ms()
                sent = [
                    await producer.send(
                        MES_EVENTS,
                        event.value,
                        event.key,
                        partition=event.partition,
                        timestamp_ms=now,
                        headers=list(event.headers),
                    )
                    for event in events
                ]
                sent += [
                    await producer.send(CLOCK, note, self._resent + b"%d" % number)
                    for number, note in notes.items()
                ]
                await acknowledged(sent)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[AIOKafkaConsumer]:
        """Yield the reader, started when first used; after an error the next use starts another."""
        try:
            with translated_errors():
                if self._reader is None:
                    self._reader = await self._reading.enter_async_context(self._cluster.reader())
                yield self._reader
        except Lost:
            reading, self._reading, self._reader = self._reading, AsyncExitStack(), None
            await reading.aclose()
            raise


if TYPE_CHECKING:
    _log: type[ResendingLog] = KafkaResending
