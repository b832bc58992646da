"""EDGE: what the agents of master data read and write through, on Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from streams.contract.topics import CLOCK, EXCEPTIONS, MES_EVENTS, REFERENCE
from streams.kafka.clients import Access
from streams.kafka.cluster import Cluster, read_to
from streams.kafka.fetched import record_of
from streams.kafka.identity import identity
from streams.kafka.office import KafkaOffice
from streams.kafka.producer import Outputs, acknowledged, sent, translated_errors
from streams.kafka.writer import OUTPUT_BATCH_BYTES, WRITE_SECONDS_MAX, grouped_plain
from streams.log.record import TP, Outgoing, Record, partition_of
from streams.log.reference import Pair, ReferenceLog


class KafkaReference(KafkaOffice):
    """One agent's way to master data on a cluster.

    The keeper writes in transactions. Copies are written outside of them: to write one again does
    no harm.
    """

    def __init__(
        self,
        cluster: Cluster,
        clients: Access,
        outputs: Outputs,
        group: str,
        counts: Mapping[str, int],
        leads: Callable[[], bool],
        same_log: bool = False,
    ) -> None:
        """Take each topic's partition count, and what says whether this process has the office.

        With `same_log` a topic of another id is taken for a copy of the one before.
        """
        super().__init__(cluster, clients, f"{group}-reference", leads)
        self._outputs = outputs
        self._copied = f"{group}/copied/".encode()
        """Keys of notes on the clock's topic begin with this; the last tick's is the group."""
        self._counts = counts
        self._same_log = same_log

    @property
    def partitions(self) -> int:
        """How many partitions `mes.events.v1` has."""
        return self._counts[MES_EVENTS]

    async def identity(self, topic: str) -> str:
        """Return a topic's id, nothing where another one may be a copy."""
        if self._same_log:
            return ""
        async with self.asking() as reader:
            return (await identity(reader, TopicPartition(topic, 0))).id.hex()

    async def end(self, topic: str) -> int:
        """Return the offset after a topic's last record, committed or not yet."""
        tp = TopicPartition(topic, 0)
        async with self.asking() as reader:
            end: int = (await reader.end_offsets([tp]))[tp]
            return end

    async def read(self, topic: str, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """Yield committed records; open transactions before `end` are waited for."""
        tp = TopicPartition(topic, 0)
        async with self.asking() as reader:
            begin = (await reader.beginning_offsets([tp]))[tp]
            if start >= end or begin >= end:
                return
            reader.assign([tp])
            reader.seek(tp, max(start, begin))
            async for _, records in read_to(reader, {tp: end}):
                yield [record_of(record) for record in records]

    async def keep(self, exceptions: Sequence[Outgoing], records: Sequence[Outgoing]) -> None:
        """Write exceptions and records in one transaction."""
        async with self.transaction() as producer:
            await acknowledged(await sent(producer, self._grouped([*exceptions, *records])))

    async def noted(self) -> dict[int, bytes]:
        """Return the last note on each partition."""
        return await self.notes(self._copied)

    async def note(self, notes: Mapping[int, bytes]) -> None:
        """Write notes beside the last tick."""
        pairs = [(self._copied + b"%d" % number, note) for number, note in notes.items()]
        await self._send([((CLOCK, 0), pairs)])

    async def copy(self, copies: Mapping[int, Sequence[Pair]]) -> None:
        """Write copies into partitions of `mes.events.v1`."""
        await self._send([((MES_EVENTS, number), pairs) for number, pairs in copies.items()])

    async def tell(self, records: Sequence[Pair]) -> None:
        """Write notes to `reference.v1`."""
        await self._send([((REFERENCE, 0), records)])

    async def _send(self, placed: Sequence[tuple[TP, Sequence[Pair]]]) -> None:
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await self._outputs.send(
                    (place, part) for place, pairs in placed for part in parts_of(place[0], pairs)
                )

    def _grouped(self, records: Sequence[Outgoing]) -> list[tuple[TP, list[Outgoing]]]:
        return grouped_plain(records, {}, self._place, OUTPUT_BATCH_BYTES)

    def _place(self, topic: str, key: bytes | None) -> TP:
        return topic, partition_of(key, self._counts[topic]) if topic == EXCEPTIONS else 0


def parts_of(topic: str, pairs: Sequence[tuple[bytes | None, bytes]]) -> Iterator[list[Outgoing]]:
    """Yield pairs as records, in order, in parts that fit a RecordBatch."""
    records = [Outgoing(topic, key, "", "", value) for key, value in pairs]
    for _, part in grouped_plain(records, {}, lambda topic, _: (topic, 0), OUTPUT_BATCH_BYTES):
        yield part


if TYPE_CHECKING:
    _log: type[ReferenceLog] = KafkaReference
