"""EDGE: what the agent that sends refused events again reads and writes through, on Kafka."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition

from streams.contract.topics import CLOCK, EXCEPTIONS, MES_EVENTS
from streams.kafka.clients import Access
from streams.kafka.cluster import Cluster, read_to
from streams.kafka.cluster import bounds as bounds_of
from streams.kafka.fetched import record_of
from streams.kafka.office import KafkaOffice
from streams.kafka.producer import acknowledged, now_ms
from streams.kafka.writer import OUTPUT_BATCH_BYTES
from streams.log.headers import RECORD_BYTES_MAX
from streams.log.record import Record
from streams.log.resending import Begun, ResendingLog, Resent

HEADER_BYTES: Final = 20
"""Of a header beside its name and value: how long they are, in at most ten bytes each."""


class KafkaResending(KafkaOffice):
    """Events and notes leave in one transaction: the last holder's is there or isn't."""

    def __init__(
        self,
        cluster: Cluster,
        clients: Access,
        group: str,
        counts: Mapping[str, int],
        leads: Callable[[], bool],
    ) -> None:
        """Take each topic's partition count, and what says whether this process has the office."""
        super().__init__(cluster, clients, f"{group}-resent", leads)
        self._resent = f"{group}/resent/".encode()
        """On the clock's topic, the keys of notes begin with this."""
        self._counts = counts

    async def begin(self) -> Begun:
        """Start a producer: the last one's is fenced, and what it had begun is aborted."""
        await self.take_office()
        return Begun(await self.notes(self._resent), frozenset())

    async def bounds(self) -> Mapping[int, tuple[int, int]]:
        """Return the first and the next offset of each partition of exceptions."""
        wanted = [TopicPartition(EXCEPTIONS, number) for number in range(self._counts[EXCEPTIONS])]
        async with self.asking() as reader:
            return {tp.partition: each for tp, each in (await bounds_of(reader, wanted)).items()}

    async def read(
        self, starts: Mapping[int, int], ends: Mapping[int, int]
    ) -> AsyncIterator[tuple[int, Sequence[Record]]]:
        """Yield committed exceptions; open transactions before their ends are waited for."""
        if not starts:
            return
        async with self.asking() as reader:
            wanted = {TopicPartition(EXCEPTIONS, number): at for number, at in starts.items()}
            reader.assign(list(wanted))
            for tp, at in wanted.items():
                reader.seek(tp, at)
            async for tp, records in read_to(reader, {tp: ends[tp.partition] for tp in wanted}):
                yield tp.partition, [record_of(record) for record in records]

    async def send(self, events: Sequence[Resent], notes: Mapping[int, bytes]) -> None:
        """Write events and notes in one transaction."""
        async with self.transaction() as producer:
            now = now_ms()
            sent = []
            for part in parts_of(events):
                batch = producer.create_batch()
                for event in part:
                    batch.append(
                        timestamp=now, key=event.key, value=event.value, headers=[*event.headers]
                    )
                where = part[0].partition
                sent.append(await producer.send_batch(batch, MES_EVENTS, partition=where))
            for number, note in notes.items():
                batch = producer.create_batch()
                batch.append(timestamp=now, key=self._resent + b"%d" % number, value=note)
                sent.append(await producer.send_batch(batch, CLOCK, partition=0))
            await acknowledged(sent)


def parts_of(events: Sequence[Resent]) -> Iterator[Sequence[Resent]]:
    """Yield events of one partition each, in order, in parts that fit what an input takes."""
    by_partition: dict[int, list[Resent]] = {}
    for event in events:
        by_partition.setdefault(event.partition, []).append(event)
    for own in by_partition.values():
        part: list[Resent] = []
        room = OUTPUT_BATCH_BYTES
        for event in own:
            size = _bytes_of(event)
            if size > room and part:
                yield part
                part, room = [], OUTPUT_BATCH_BYTES
            part.append(event)
            room -= size
        yield part


def _bytes_of(event: Resent) -> int:
    headers = sum(len(name) + len(value or b"") + HEADER_BYTES for name, value in event.headers)
    return len(event.value) + len(event.key or b"") + headers + RECORD_BYTES_MAX


if TYPE_CHECKING:
    _log: type[ResendingLog] = KafkaResending
