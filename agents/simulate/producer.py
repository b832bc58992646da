"""A producer to a cluster's input topics: idempotent, bounded, and exact about what arrived."""

import asyncio
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from msgspec import Struct

from agents.provision.topics import partitions_of
from agents.simulate.pace import clock
from streams.contract.topics import INPUTS
from streams.kafka.cluster import BrokerError, Cluster
from streams.kafka.producer import started, stop
from streams.log.record import TP, Record
from streams.trouble import Trouble

UNACKNOWLEDGED_RECORDS_MAX: Final = 20_000
"""A producer waits while more records are unacknowledged: bounds its memory and its stop."""

BATCH_BYTES: Final = 256 << 10
"""Of values, keys and headers, before compression: well below the limit of a topic."""

STOP_SECONDS_MAX: Final = 10.0
"""After a signal, the producer waits this long for acknowledgements."""

PROGRESS_SECONDS: Final = 1.0


class ProduceError(Trouble):
    """Records can't be produced, or it isn't known whether they arrived."""


class Sent(Struct):
    """Counts of the produced records."""

    events: int = 0
    ticks: int = 0
    """Counted as records: a tick goes to each partition."""
    unacknowledged: int = 0
    seconds: float = 0.0


class BoundedProducer:
    """An idempotent producer with a bounded number of unacknowledged records."""

    def __init__(self, kafka_producer: AIOKafkaProducer, counts: dict[str, int]) -> None:
        self.counts = counts
        """The partition count of each input topic."""
        self.sent = Sent()
        self.stopping = asyncio.Event()
        self._producer = kafka_producer
        self._open: deque[tuple[asyncio.Future[Any], int]] = deque()

    @property
    def room(self) -> int:
        """How many more records may be unacknowledged."""
        return UNACKNOWLEDGED_RECORDS_MAX - self.sent.unacknowledged

    async def send(self, at: TP, records: Iterable[Record]) -> None:
        """Send records to a partition, in order; one without a timestamp gets the current time."""
        now = clock()
        for batch in _batches(records):
            await self._room_for(len(batch))
            builder = self._producer.create_batch()
            for record in batch:
                timestamp = now if record.timestamp is None else record.timestamp
                builder.append(
                    timestamp=timestamp // 1000,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                )
            builder.close()
            self._open.append((await self._submit(builder, at), len(batch)))
            self.sent.unacknowledged += len(batch)

    async def settle(self) -> None:
        """Wait until all sent records are acknowledged."""
        while self._open:
            await self._settle_oldest()

    async def _submit(self, builder: Any, at: TP) -> asyncio.Future[Any]:
        while True:
            try:
                topic, number = at
                sent: asyncio.Future[Any] = await self._producer.send_batch(
                    builder, topic, partition=number
                )
            except KafkaTimeoutError:  # the previous batch is still waiting for its broker
                continue
            sent.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at
            return sent

    async def _room_for(self, count: int) -> None:
        while self._open and (self._open[0][0].done() or self.room < count):
            await self._settle_oldest()

    async def _settle_oldest(self) -> None:
        sent, count = self._open[0]
        await sent
        self._open.popleft()
        self.sent.unacknowledged -= count


Work = Callable[[BoundedProducer], Awaitable[None]]


async def produce(cluster: Cluster, work: Work) -> Sent:
    """Let `work` send until it ends or a signal comes; return when all is acknowledged.

    Progress goes to the standard error. Raises `ProduceError` if topics are missing, or if records
    aren't acknowledged in time after a signal, and `BrokerError`.
    """
    counts = await _counts(cluster)
    kafka_producer = cluster.producer()
    try:
        await started(kafka_producer)
        producer = BoundedProducer(kafka_producer, counts)
        try:
            await _until_acknowledged(producer, work)
        finally:
            await stop(kafka_producer)
    except KafkaError as error:
        raise BrokerError(f"the broker doesn't take what is sent: {error}") from error
    return producer.sent


async def _counts(cluster: Cluster) -> dict[str, int]:
    """Return the partition count of each input topic."""
    found = await partitions_of(cluster)
    url = f"kafka://{','.join(cluster.servers)}"
    absent = [topic for topic in INPUTS if topic not in found]
    if absent:
        are = "topic {} is" if len(absent) == 1 else "topics {} are"
        raise ProduceError(
            f"{are.format(' and '.join(absent))} missing: make what is missing with "
            f"`lineside topics create --broker {url}`"
        )
    counts = {topic: found[topic] for topic in INPUTS}
    if len(set(counts.values())) > 1:
        counted = " and ".join(f"{count} of {topic}" for topic, count in counts.items())
        raise ProduceError(
            f"there are {counted}: they must have as many partitions, see "
            f"`lineside topics check --broker {url}`"
        )
    return counts


async def _until_acknowledged(producer: BoundedProducer, work: Work) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, producer.stopping.set)
    begun = monotonic()
    working = asyncio.ensure_future(_work(producer, work))
    stopped = asyncio.ensure_future(producer.stopping.wait())
    reporting = asyncio.ensure_future(_report_progress(producer.sent))
    try:
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([working], timeout=STOP_SECONDS_MAX)
        if not working.done():
            sent = producer.sent
            raise ProduceError(
                f"{sent.unacknowledged:,} of {sent.events + sent.ticks:,} records weren't "
                f"acknowledged within {STOP_SECONDS_MAX:.0f} s: whether they have arrived isn't "
                "known"
            )
        working.result()
    finally:
        producer.sent.seconds = monotonic() - begun
        for task in (working, stopped, reporting):
            task.cancel()
        await asyncio.gather(working, stopped, reporting, return_exceptions=True)


async def _work(producer: BoundedProducer, work: Work) -> None:
    await work(producer)
    await producer.settle()


async def _report_progress(sent: Sent) -> None:
    begun, before = monotonic(), 0
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        records = sent.events + sent.ticks
        line = (
            f"{monotonic() - begun:5.0f} s  sent {records:,}  {records - before:,}/s  "
            f"unacknowledged {sent.unacknowledged:,}"
        )
        before = records
        if sys.stderr.isatty():
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Yield records in batches of about `BATCH_BYTES`; a larger record is a batch of its own."""
    batch: list[Record] = []
    size = 0
    for record in records:
        more = len(record.value or b"") + len(record.key or b"")
        more += sum(len(name) + len(value or b"") for name, value in record.headers)
        if batch and size + more > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += more
    if batch:
        yield batch
