"""EDGE: what the agents of master data read and write through, on Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.structs import RecordMetadata

from streams.contract.topics import CLOCK, EXCEPTIONS, MES_EVENTS, REFERENCE
from streams.kafka.clients import Access
from streams.kafka.cluster import Cluster, polled_to
from streams.kafka.fetched import record_of, whole
from streams.kafka.identity import identity
from streams.kafka.office import KafkaOffice
from streams.kafka.producer import Outputs, acknowledged, sent, translated_errors
from streams.kafka.record_batches import COMPILED
from streams.kafka.writer import OUTPUT_BATCH_BYTES, WRITE_SECONDS_MAX, grouped_plain
from streams.log.headers import RECORD_BYTES_MAX
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
        taken: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        """Take each topic's partition count, and what says whether this process has the office.

        `taken` says up to where this process has taken a partition of `mes.events.v1`; None: it's
        another's. With `same_log` a topic of another id is taken for a copy of the one before.
        """
        blocks = {"key_deserializer": whole} if COMPILED else {}
        super().__init__(cluster, clients, f"{group}-reference", leads, **blocks)
        self._outputs = outputs
        self._copied = f"{group}/copied/".encode()
        """Keys of notes on the clock's topic begin with this; the last tick's is the group."""
        self._counts = counts
        self._same_log = same_log
        self._taken = taken
        self._written: dict[int, int] = {}
        """Where the last batch of copies lies in each partition that got any the last time."""

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
            async for _, found in polled_to(reader, {tp: end}):
                read = chain.from_iterable(found) if COMPILED else map(record_of, found)
                records = [record for record in read if record.offset < end]
                if records:
                    yield records

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
        await self._send([(pairs, [(CLOCK, 0)])])

    async def copy(self, copies: Mapping[int, Sequence[Pair]]) -> None:
        """Write copies into partitions of `mes.events.v1`."""
        together: dict[int, tuple[Sequence[Pair], list[TP]]] = {}
        for number, pairs in copies.items():
            together.setdefault(id(pairs), (pairs, []))[1].append((MES_EVENTS, number))
        written = await self._send(together.values())  # an offset below 0 isn't known
        self._written = {metadata.partition: metadata.offset for metadata in written}

    def untaken(self) -> int:
        """Return how many records wait, about, in the partition of this process that has fewest."""
        taken = [(at, self._taken(number)) for number, at in self._written.items()]
        return min((at - to for at, to in taken if to is not None), default=0)

    async def tell(self, records: Sequence[Pair]) -> None:
        """Write notes to `reference.v1`."""
        await self._send([(records, [(REFERENCE, 0)])])

    async def _send(
        self, placed: Iterable[tuple[Sequence[Pair], Sequence[TP]]]
    ) -> list[RecordMetadata]:
        """Send pairs, each sequence of them to some places of one topic."""
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                return await self._outputs.send(
                    (place, part)
                    for pairs, places in placed
                    for part in parts_of(places[0][0], pairs)
                    for place in places
                )

    def _grouped(self, records: Sequence[Outgoing]) -> list[tuple[TP, list[Outgoing]]]:
        return grouped_plain(records, {}, self._place, OUTPUT_BATCH_BYTES)

    def _place(self, topic: str, key: bytes | None) -> TP:
        return topic, partition_of(key, self._counts[topic]) if topic == EXCEPTIONS else 0


def parts_of(topic: str, pairs: Sequence[tuple[bytes | None, bytes]]) -> Iterator[list[Outgoing]]:
    """Yield pairs as records, in order, in parts that fit a RecordBatch."""
    part: list[Outgoing] = []
    room = OUTPUT_BATCH_BYTES
    for key, value in pairs:
        size = len(value) + len(key or b"") + RECORD_BYTES_MAX
        if size > room and part:
            yield part
            part, room = [], OUTPUT_BATCH_BYTES
        part.append(Outgoing(topic, key, "", "", value))
        room -= size
    if part:
        yield part


if TYPE_CHECKING:
    _log: type[ReferenceLog] = KafkaReference
