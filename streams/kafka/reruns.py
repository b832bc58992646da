"""EDGE: what sends inputs again reads and writes through, on Kafka."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.contract.topics import AUDIT
from streams.kafka.cluster import Cluster, bounds, read_to
from streams.kafka.desk import WRITE_SECONDS_MAX, write_in_transaction
from streams.kafka.fetched import record_of
from streams.kafka.producer import started, stop, translated_errors
from streams.log.desk import Again
from streams.log.headers import STRUCTURED
from streams.log.record import TP, Record
from streams.log.reruns import RerunLog, Span


class KafkaReruns:
    """One transactional id for one rerun: who begins it anew shuts out the one before."""

    def __init__(self, cluster: Cluster, group: str, counts: Mapping[str, int]) -> None:
        """Take the group, and each topic's partition count."""
        self._cluster = cluster
        self._group = group
        self._counts = counts
        self._producer: AIOKafkaProducer | None = None

    async def spans(self, topics: Sequence[str], begin: int, end: int) -> Mapping[TP, Span]:
        """Return where records of these times lie: from the first one that is as late on."""
        tps = self._partitions(topics)
        found: dict[TP, Span] = {}
        with translated_errors():
            async with self._cluster.reader() as reader:
                ends = {tp: last for tp, (_, last) in (await bounds(reader, tps)).items()}
                first = await reader.offsets_for_times(dict.fromkeys(tps, begin // 1000))
                last = await reader.offsets_for_times(dict.fromkeys(tps, -(-end // 1000)))
        for tp in tps:
            start, stop_at = (ends[tp] if at[tp] is None else at[tp].offset for at in (first, last))
            found[tp.topic, tp.partition] = start, max(start, min(stop_at, ends[tp]))
        return found

    async def ends(self, topics: Sequence[str]) -> Mapping[TP, int]:
        """Return the next offset of each partition, open transactions included."""
        with translated_errors():
            async with self._cluster.reader(isolation_level="read_uncommitted") as reader:
                found = await bounds(reader, self._partitions(topics))
        return {(tp.topic, tp.partition): end for tp, (_, end) in found.items()}

    async def read(self, spans: Mapping[TP, Span]) -> AsyncIterator[tuple[TP, Sequence[Record]]]:
        """Yield the committed records of spans; open transactions are waited for."""
        with translated_errors():
            async with self._cluster.reader() as reader:
                for tp, (start, end) in spans.items():
                    if start >= end:
                        continue
                    at = TopicPartition(*tp)
                    reader.assign([at])
                    first, _ = (await bounds(reader, [at]))[at]
                    reader.seek(at, max(start, first))
                    async for _, records in read_to(reader, {at: end}):
                        yield tp, [record_of(record) for record in records]

    async def take(self, run: str) -> None:
        """Take the rerun's id: what another one had begun with it is aborted."""
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await self.close()
                limit = round(WRITE_SECONDS_MAX * 1000)
                name = f"{self._group}-desk-{run}"
                self._producer = await started(
                    self._cluster.producer(name, transaction_timeout_ms=limit)
                )

    async def notes(self) -> Sequence[bytes]:
        """Return what is on `audit.v1`."""
        found: list[bytes] = []
        spans = {tp: (0, end) for tp, end in (await self.ends([AUDIT])).items()}
        async for _, records in self.read(spans):
            found += [record.value for record in records if record.value is not None]
        return found

    async def send(self, events: Sequence[Again], note: bytes | None = None) -> None:
        """Write all in one transaction."""
        producer = self._producer
        assert producer is not None  # `take` has started it
        notes = [] if note is None else [Again(AUDIT, 0, None, note, (STRUCTURED,))]
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await write_in_transaction(producer, [*events, *notes], self._counts)

    async def close(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)

    def _partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        return [TopicPartition(name, n) for name in topics for n in range(self._counts[name])]


if TYPE_CHECKING:
    _log: type[RerunLog] = KafkaReruns
