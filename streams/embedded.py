"""EDGE: the embedded log as a Faust transport: one process is broker, consumer and producer."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from faust.assignor.client_assignment import ClientAssignment
from faust.transport import base, consumer, producer
from faust.types import TP, ConsumerMessage
from faust.types.tuples import RecordMetadata

from streams.batches import Batch
from streams.embedded_log import EmbeddedLog, Entry
from streams.record import Outgoing, partition_of
from streams.topics import CATALOGUE

BATCH_RECORDS_MAX: Final = 2_000
"""Records that are delivered at once: bounds memory, and how long the loop is kept busy."""


class Broker:
    """The log with every topic of the catalogue, and who has to be told that it grew."""

    def __init__(self, log: EmbeddedLog, partitions: int) -> None:
        self.log = log
        self.partitions = partitions
        self._grown = asyncio.Event()
        for topic in CATALOGUE:
            self.create_topic(topic.name)

    def create_topic(self, topic: str) -> None:
        """Make a topic's partitions."""
        for number in range(self.partitions):
            self.log.partition(topic, number)

    def append(self, topic: str, partition: int, entries: Sequence[Entry]) -> int:
        """Append records and wake whoever waits for some; return the first offset."""
        offset = self.log.partition(topic, partition).append(entries)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        return offset

    async def wait(self, timeout: float) -> None:
        """Wait until the log grows, at most `timeout` seconds."""
        try:
            await asyncio.wait_for(self._grown.wait(), timeout)
        except TimeoutError:
            return


class Consumer(consumer.Consumer):  # type: ignore[misc]  # Faust's base is Any to mypy
    """The group's only member: every partition is its own, delivered in batches.

    Where a partition goes on is told by its state (`app.resume_offset`), which carries the offset
    of the last record that it contains. So there is no committed offset to lose.
    """

    RebalanceListener: ClassVar = None
    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._broker: Broker = self.app.broker_of_log
        self._resume_offset: Callable[[TP], int] = self.app.resume_offset
        self._position: dict[TP, int] = {}
        self._assigned: set[TP] = set()
        self._delivered: defaultdict[TP, deque[int]] = defaultdict(deque)

    async def create_topic(self, topic: str, partitions: int, *args: Any, **kwargs: Any) -> None:
        """Make a topic's partitions."""
        self._broker.create_topic(topic)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Assign every partition of `topics` to this member."""
        numbers = range(self._broker.partitions)
        assigned = {TP(topic, number) for topic in topics for number in numbers}
        assignor = self.app.assignor
        actives = {topic: list(numbers) for topic in topics}
        assignor._assignment = ClientAssignment(actives=actives, standbys={})
        assignor._active_tps, assignor._standby_tps = set(assigned), set()
        assignor.changelog_distribution = {}
        self.app.consumer_generation_id += 1
        # Not here: on_partitions_assigned waits for the end of subscribe.
        self.add_future(self._rebalance(assigned, self.app.consumer_generation_id))

    async def _rebalance(self, assigned: set[TP], generation: int) -> None:
        self.app.on_rebalance_start()
        if self._assigned:
            await self.on_partitions_revoked(self._assigned)
        self._assigned = assigned
        self._set_positions()
        await self.on_partitions_assigned(assigned, generation)

    def _set_positions(self) -> None:
        for tp in self._assigned:
            self._position[tp] = self._resume_offset(tp)
            self._broker.log.partition(*tp).needed_from = self._position[tp]
            self._read_offset[tp] = None
            self._delivered[tp].clear()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield a message for each partition that has records: its value is their batch."""
        records, _ = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if not records or self.should_stop or not self.flow_active:
            return
        for tp, found in records.items():
            if not self.flow_active or generation != self.app.consumer_generation_id:
                return
            first, last = found[0].offset, found[-1].offset
            if first != self._position[tp]:
                continue  # moved since
            self._position[tp] = last + 1
            self._delivered[tp].append(last)
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, ConsumerMessage(
                tp.topic, tp.partition, last, (found[-1].timestamp or 0) / 1e6, 0, None, None,
                Batch(tp.topic, tp.partition, found), None, 0, 0, tp, generation_id=generation,
            )  # fmt: skip

    async def _getmany(
        self, active_partitions: set[TP] | None, timeout: float
    ) -> dict[TP, list[Any]]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not self.should_stop:
            wanted = self._assigned if active_partitions is None else active_partitions
            found = {}
            for tp in sorted(wanted):
                records = self._broker.log.partition(*tp).read(
                    self._position[tp], BATCH_RECORDS_MAX
                )
                if records:
                    found[tp] = records
            left = deadline - loop.time()
            if found or left <= 0:
                return found
            await self._broker.wait(left)
        return {}

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset after the last batch that is acknowledged, with all before it."""
        acked, delivered = self._acked_index[tp], self._delivered[tp]
        offset = None
        while delivered and delivered[0] in acked:
            offset = delivered.popleft()
            acked.discard(offset)
        if offset is None:
            return None
        self._acked[tp] = [other for other in self._acked[tp] if other > offset]
        return offset + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """A batch is named by its last offset: what looks like a gap is the batch."""

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        for tp, offset in offsets.items():
            self._broker.log.partition(*tp).needed_from = offset
        return True

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every partition to where its state goes on."""
        self._set_positions()
        return {tp: offset for tp, offset in self._position.items() if offset}

    async def perform_seek(self) -> None:
        """Seek every partition to where its state goes on."""
        self._set_positions()

    async def _seek(self, partition: TP, offset: int) -> None:
        self._position[partition] = offset

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek to offsets."""
        for tp, offset in partitions.items():
            self._position[tp] = offset

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        raise NotImplementedError("records are delivered in batches")

    def assignment(self) -> set[TP]:
        """Return the partitions of this member."""
        return set(self._assigned)

    def highwater(self, tp: TP) -> int:
        """Return the offset that the next record of a partition gets."""
        return self._broker.log.partition(*tp).end_offset

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the offsets that the next records get."""
        return {tp: self.highwater(tp) for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the offsets of the oldest records."""
        return {tp: self._broker.log.partition(*tp).start_offset for tp in partitions}

    async def position(self, tp: TP) -> int | None:
        """Return the offset of the next record to deliver."""
        return self._position.get(tp)

    def topic_partitions(self, topic: str) -> int | None:
        """Return the number of partitions of a topic."""
        return self._broker.partitions

    def key_partition(
        self, topic: str, key: bytes | None, partition: int | None = None
    ) -> int | None:
        """Return the partition of a key."""
        return partition_of(key, self._broker.partitions) if partition is None else partition


class Producer(producer.Producer):  # type: ignore[misc]  # Faust's base is Any to mypy
    """Appends to the log; what it returns from is acknowledged."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._broker: Broker = self.app.broker_of_log

    async def deliver(self, outputs: Sequence[Outgoing], timestamp: int) -> None:
        """Append records to their topics, a frame for each partition, by their keys.

        Raises `LogError` if one can't be written.
        """
        grouped: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
        for record in outputs:
            at = record.topic, partition_of(record.key, self._broker.partitions)
            grouped[at].append((timestamp, record.key, record.value, ()))
        for (topic, number), entries in grouped.items():
            self._broker.append(topic, number, entries)

    async def create_topic(self, topic: str, partitions: int, *args: Any, **kwargs: Any) -> None:
        """Make a topic's partitions."""
        self._broker.create_topic(topic)

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, partition: int | None,
        timestamp: float | None, headers: Any, *, transactional_id: str | None = None,
    ) -> asyncio.Future[RecordMetadata]:  # fmt: skip
        """Append one record, as Faust's own channels would."""
        number = self.key_partition(topic, key).partition if partition is None else partition
        given = headers.items() if isinstance(headers, dict) else headers or ()
        micros = None if timestamp is None else round(timestamp * 1e6)
        offset = self._broker.append(topic, number, [(micros, key, value, list(given))])
        sent: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        tp = TP(topic, number)
        sent.set_result(RecordMetadata(topic, number, tp, offset, timestamp, 0))
        return sent

    async def send_and_wait(self, *args: Any, **kwargs: Any) -> RecordMetadata:
        """Append one record."""
        return await (await self.send(*args, **kwargs))

    async def flush(self) -> None:
        """Nothing is buffered here but what Faust buffers."""
        await self.buffer.flush()

    def key_partition(self, topic: str, key: bytes | None) -> TP:
        """Return the partition of a key."""
        return TP(topic, partition_of(key, self._broker.partitions))

    def supports_headers(self) -> bool:
        """Return that records may have headers."""
        return True


class Transport(base.Transport):  # type: ignore[misc]  # Faust's base is Any to mypy
    """`embedded://`: no broker; the app brings the log (`app.broker_of_log`)."""

    Consumer: ClassVar = Consumer
    Producer: ClassVar = Producer

    default_port = 0
    driver_version = "embedded"
