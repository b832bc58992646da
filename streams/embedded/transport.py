"""EDGE: the embedded log as a Faust transport: one process is broker, consumer and producer."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from time import time
from typing import Any, ClassVar, Final, Protocol

from faust.assignor.client_assignment import ClientAssignment
from faust.transport import base, producer
from faust.types import TP
from faust.types.tuples import RecordMetadata

from streams.contract.topics import CATALOGUE, CLOCK, INPUTS, SINGLE
from streams.embedded.log import EmbeddedLog, Entry
from streams.log.batches import BatchConsumer
from streams.log.headers import STRUCTURED, headers_of
from streams.log.owner import App, Owner
from streams.log.record import Outgoing, Record, partition_of
from streams.log.writing import StateChange, StateChanges

BATCH_RECORDS_MAX: Final = 2_000
"""Records that are delivered at once: bounds memory, and how long the loop is kept busy."""

log = logging.getLogger("lineside.clock")


class Broker:
    """The log with every topic of the catalogue, and who has to be told that it grew."""

    def __init__(self, log: EmbeddedLog, partitions: int) -> None:
        self.log = log
        self.partitions = partitions
        self._grown = asyncio.Event()
        for topic in (*(topic.name for topic in CATALOGUE), CLOCK):
            self.create_topic(topic)

    def create_topic(self, topic: str) -> None:
        """Make a topic's partitions."""
        for number in range(self.partitions_of(topic)):
            self.log.partition(topic, number)

    def partitions_of(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        return 1 if topic in SINGLE else self.partitions

    def append(self, topic: str, partition: int, entries: Sequence[Entry]) -> int:
        """Append records and wake whoever waits for some; return the first offset."""
        offset = self.log.partition(topic, partition).append(entries)
        self.wake()
        return offset

    def send(self, outputs: Sequence[Outgoing]) -> None:
        """Append outputs to their topics, a frame for each partition, by their keys."""
        timestamp = round(time() * 1e3) * 1000
        grouped: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
        for record in outputs:
            at = record.topic, partition_of(record.key, self.partitions_of(record.topic))
            grouped[at].append((timestamp, record.key, record.value, headers_of(record)))
        for (topic, number), entries in grouped.items():
            self.append(topic, number, entries)

    def wake(self) -> None:
        """Wake whoever waits for records."""
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def wait(self, timeout: float) -> None:
        """Wait until the log grows, at most `timeout` seconds."""
        # Not `wait_for`: in Python 3.11 it swallows a cancellation that comes as the log grows.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._grown.wait()


class LogWriter:
    """Writes the outputs of a partition; its state is lasting once it's in the store."""

    sends_ahead = True
    pause_seconds = 0.0
    """A write is a call here: pausing saves nothing."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        """Append outputs to their topics, a frame for each partition, by their keys.

        Raises `LogError` if one can't be written.
        """
        self._broker.send(outputs)

    async def write(
        self, outputs: Sequence[Outgoing], changes: StateChanges
    ) -> Sequence[StateChange]:
        """Note nothing: the store has the state itself."""
        return ()

    async def close(self) -> None:
        """Nothing is held."""


class LogTicker:
    """Writes ticks to every input partition; the only one there is.

    A tick that comes again, since the clock went back, changes nothing; that it did is told.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._last = 0

    async def tick(self, slot: int, value: bytes) -> None:
        """Append the tick of an instant."""
        if slot <= self._last:
            log.warning(
                "the clock of this machine has gone back by %.0f s: what happens until it is where "
                "it was may be late, and leaves as a correction",
                (self._last - slot) / 1e6,
            )
        self._last = slot
        for topic in INPUTS:
            for number in range(self._broker.partitions):
                self._broker.append(topic, number, [(slot, None, value, (STRUCTURED,))])

    async def close(self) -> None:
        """Nothing is held."""


class LogOwner(Owner, Protocol):
    """An owner that brings the log."""

    @property
    def broker(self) -> Broker: ...


class LogApp(App, Protocol):
    """An app of such an owner."""

    @property
    def host(self) -> LogOwner: ...


class Consumer(BatchConsumer):
    """The group's only member: every partition is its own."""

    app: LogApp
    RebalanceListener: ClassVar = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._broker = self.app.host.broker
        self._assigned: set[TP] = set()

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
            await self.app.host.release()
        self._assigned = assigned
        await self.on_partitions_assigned(assigned, generation)
        self.app.host.take_over(assigned, set())

    async def _getmany(
        self, active_partitions: set[TP] | None, timeout: float
    ) -> dict[TP, tuple[int, Sequence[Record]]]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not self.should_stop:
            found: dict[TP, tuple[int, Sequence[Record]]] = {}
            for tp in sorted(self.app.job.hungry() & self._position.keys()):
                start = self._position[tp]
                records = self._broker.log.partition(*tp).read(start, BATCH_RECORDS_MAX)
                if records:
                    found[tp] = start, records
            left = deadline - loop.time()
            if found or left <= 0:
                return found
            await self._broker.wait(left)
        return {}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        for tp, offset in offsets.items():
            self._broker.log.partition(*tp).needed_from = offset
        return True

    async def _seek(self, partition: TP, offset: int) -> None:
        log = self._broker.log.partition(*partition)
        if log.needed_from is None:  # from now on, and not from the first commit on
            log.needed_from = offset
        self._position[partition] = offset
        self._broker.wake()

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

    def topic_partitions(self, topic: str) -> int | None:
        """Return the number of partitions of a topic."""
        return self._broker.partitions


class Producer(producer.Producer):  # type: ignore[misc]  # Faust's base is Any to mypy
    """Appends to the log; what it returns from is acknowledged."""

    app: LogApp

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._broker = self.app.host.broker

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
    """`embedded://`: no broker; the app brings the log (`app.host.broker`)."""

    Consumer: ClassVar = Consumer
    Producer: ClassVar = Producer

    default_port = 0
    driver_version = "embedded"
