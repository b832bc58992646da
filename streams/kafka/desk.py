"""EDGE: what the desk writes through, on Kafka: acts and events in one transaction, each once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.contract.acts import act_of
from streams.contract.topics import AUDIT
from streams.kafka.clients import Access
from streams.kafka.cluster import BrokerError, Cluster, bounds, read_to
from streams.kafka.producer import acknowledged, now_ms, started, stop, translated_errors
from streams.kafka.resending import HEADER_BYTES
from streams.kafka.writer import OUTPUT_BATCH_BYTES
from streams.log.desk import Again, DeskLog, Sending
from streams.log.headers import RECORD_BYTES_MAX, STRUCTURED
from streams.log.record import TP, partition_of

WRITE_SECONDS_MAX: Final = 20.0
"""A transaction that isn't acknowledged by then is given up; what became of it is looked up."""

ABORT_SECONDS_MAX: Final = 2.0
"""For taking a transaction back: whoever takes the id next does it, too."""


class KafkaDesk:
    """Each desk has a transactional id of its own, which stands in its claims.

    Who completes what another one left takes its id: that shuts it out, and aborts what it had
    begun. So an act and its event are there both, once, or they aren't.
    """

    alone = False

    def __init__(
        self, cluster: Cluster, clients: Access, group: str, counts: Mapping[str, int], name: str
    ) -> None:
        """Take each topic's partition count, and a name that no desk of the group has had.

        Raises `BrokerError` if the topic of acts is missing.
        """
        if AUDIT not in counts:
            url = f"kafka://{','.join(cluster.servers)}"
            raise BrokerError(
                f"topic {AUDIT} is missing, which the desk writes acts to: make it with "
                f"`lineside topics create --broker {url} --group {group}`"
            )
        self._cluster = cluster
        self._clients = clients
        self._counts = counts
        self._sender = f"{group}-desk-{name}"
        self._producer: AIOKafkaProducer | None = None

    @property
    def sender(self) -> str:
        """The transactional id, under which this desk writes."""
        return self._sender

    async def send(self, sendings: Sequence[Sending]) -> None:
        """Write acts and events in one transaction.

        Raises `BrokerError` if a record is refused for good: then nothing is written.
        """
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                if self._producer is None:
                    self._producer = await self._new_producer(self._sender)
                try:
                    await self._write(self._producer, sendings)
                except BaseException:
                    await self._let_go()
                    raise

    async def complete(self, sender: str, sendings: Sequence[Sending], start: int) -> None:
        """Take a sender's id, and write of its acts those that aren't on their topic."""
        if sender == self._sender:
            await self._let_go()
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX), self._as_sender(sender) as producer:
                noted = await self._acts_from(start, {one.id for one in sendings})
                left = [one for one in sendings if one.id not in noted]
                if left:
                    await self._write(producer, left)

    async def close(self) -> None:
        """Let go of the producer."""
        await self._let_go()

    async def _write(self, producer: AIOKafkaProducer, sendings: Sequence[Sending]) -> None:
        events = [one.again for one in sendings if one.again is not None]
        acts = [Again(AUDIT, 0, one.subject.encode(), one.act, (STRUCTURED,)) for one in sendings]
        await write_in_transaction(producer, [*events, *acts], self._counts)

    async def _acts_from(self, start: int, wanted: Collection[str]) -> set[str]:
        """Return which acts are on their topic, from an offset on.

        It is read to its very end: another desk's open transaction may lie before an act, and a
        reader of what is committed sees the end before it.
        """
        tp, found = TopicPartition(AUDIT, 0), set()
        async with self._clients.reader(isolation_level="read_uncommitted") as reader:
            first, end = (await bounds(reader, [tp]))[tp]
        async with self._clients.reader() as reader:
            reader.assign([tp])
            reader.seek(tp, min(max(start, first), end))
            async for _, records in read_to(reader, {tp: end}):
                acts = map(act_of, (record.value for record in records))
                found |= {act.id for act in acts if act is not None and act.id in wanted}
        return found

    @asynccontextmanager
    async def _as_sender(self, sender: str) -> AsyncIterator[AIOKafkaProducer]:
        producer = await self._new_producer(sender)
        try:
            yield producer
        finally:
            await stop(producer)

    async def _new_producer(self, sender: str) -> AIOKafkaProducer:
        """Start a producer: whoever had its id is fenced, and what it had begun is aborted."""
        limit = round(WRITE_SECONDS_MAX * 1000)
        return await started(self._cluster.producer(sender, transaction_timeout_ms=limit))

    async def _let_go(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)


async def write_in_transaction(
    producer: AIOKafkaProducer, records: Sequence[Again], counts: Mapping[str, int]
) -> None:
    """Write records, all or none, by a producer that has a transactional id.

    An open transaction holds up who reads what is committed, so it's taken back after an error.
    aiokafka's own context would wait for the broker with that, however long it is away.
    """
    await producer.begin_transaction()
    try:
        now, futures = now_ms(), []
        for (topic, number), part in _parts(records, counts):
            batch = producer.create_batch()
            for one in part:
                batch.append(timestamp=now, key=one.key, value=one.value, headers=[*one.headers])
            futures.append(await producer.send_batch(batch, topic, partition=number))
        await acknowledged(futures)
        await producer.commit_transaction()
    except BaseException:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(ABORT_SECONDS_MAX):
                await producer.abort_transaction()
        raise


def _parts(
    records: Sequence[Again], counts: Mapping[str, int]
) -> Iterator[tuple[TP, Sequence[Again]]]:
    """Yield records of one partition each, in their order, in parts that fit what a topic takes."""
    by_partition: dict[TP, list[Again]] = {}
    for one in records:
        number, count = one.partition, counts[one.topic]
        if number is None or number >= count:
            number = partition_of(one.key, count)
        by_partition.setdefault((one.topic, number), []).append(one)
    for tp, own in by_partition.items():
        part: list[Again] = []
        room = OUTPUT_BATCH_BYTES
        for one in own:
            size = _bytes_of(one)
            if size > room and part:
                yield tp, part
                part, room = [], OUTPUT_BATCH_BYTES
            part.append(one)
            room -= size
        yield tp, part


def _bytes_of(one: Again) -> int:
    headers = sum(len(name) + len(value or b"") + HEADER_BYTES for name, value in one.headers)
    return len(one.value) + len(one.key or b"") + headers + RECORD_BYTES_MAX


if TYPE_CHECKING:
    _log: type[DeskLog] = KafkaDesk
