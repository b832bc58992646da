"""Copies an input topic into another one, with any number of partitions, line by line in order."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from msgspec import Struct

from agents.worker.topics import configs, make_topics, partitions_of
from streams.cluster import BrokerError, Cluster, bounds, read_to
from streams.codec import decode
from streams.events import Tick
from streams.misfits import command_to_set
from streams.record import partition_of
from streams.trouble import Trouble

BATCH_BYTES: Final = 256 << 10
"""Of one target partition at a time, before compression; a single record may be larger."""

OVERHEAD_BYTES: Final = 20
"""What a record takes besides its parts, at most, and a header besides its own."""

TIMESTAMPS: Final = "message.timestamp.type"
CREATE_TIME: Final = "CreateTime"
"""The record timestamp is the one that a producer gives."""

Headers = Sequence[tuple[str, bytes | None]]


class CopyError(Trouble):
    """A topic that can't be copied, or that can't take a copy."""


class Copied(Struct):
    """How many records were read, and how many written: a tick goes to several partitions."""

    read: int = 0
    written: int = 0


class Progress(Protocol):
    """Where a copy says how far it is, in records."""

    length: int | None

    def update(self, n_steps: int) -> None:
        """Take so many records as read."""
        ...


async def copy_topic(cluster: Cluster, source: str, target: str, progress: Progress) -> Copied:
    """Copy all of a topic into an empty one: keys, values, headers and timestamps.

    A target that isn't there is made, with as many partitions, to be kept until it's deleted.
    Nobody may write to either topic meanwhile. Raises `CopyError` where the copy would be another
    log, and `BrokerError`.
    """
    try:
        sources, targets = await _ends(cluster, source, target)
        async with cluster.reader() as reader:
            reader.assign([*sources, *targets])
            if any(end for _, end in (await bounds(reader, targets)).values()):
                raise CopyError(f"topic {target} isn't empty: delete it, and copy again")
            before = await bounds(reader, sources)
            progress.length = sum(end - begin for begin, end in before.values())
            producer = cluster.producer()
            await producer.start()
            try:
                copied = await _copy(reader, producer, before, targets, progress)
            finally:
                await producer.stop()
            after = await bounds(reader, sources)
    except KafkaError as error:
        raise BrokerError(
            f"{source} wasn't copied to its end ({error!r}): delete {target}, and copy again"
        ) from None
    if {tp: end for tp, (_, end) in before.items()} != {tp: end for tp, (_, end) in after.items()}:
        raise CopyError(
            f"topic {source} was written to meanwhile, and its copy lacks that: stop all producers "
            f"and workers, delete {target}, and copy again"
        )
    return copied


def targets_of(
    key: bytes | None, value: bytes | None, headers: Headers, partitions: int, used: set[int]
) -> Sequence[int]:
    """Return where a record goes; `used` is where the records of its source partition went so far.

    A tick goes to all of those. So for each of their lines it stays between the same events. It
    changes nothing for other lines that are there: source partitions are copied one after the
    other, and for those copied before, the tick is one of the past.
    """
    if isinstance(decode(value, headers, None), Tick):
        return sorted(used)
    number = partition_of(key, partitions)
    used.add(number)
    return (number,)


async def _ends(
    cluster: Cluster, source: str, target: str
) -> tuple[list[TopicPartition], list[TopicPartition]]:
    """Return the partitions of both topics; the target is made if it isn't there."""
    counts = await partitions_of(cluster)
    if source not in counts:
        raise CopyError(f"topic {source} isn't there: is it another one, or another broker?")
    async with cluster.admin() as admin:
        there = [name for name in (source, target) if name in counts]
        config = await configs(admin, there)
        if target not in counts:
            await _make(admin, source, target, config[source])
            counts[target] = counts[source]
        elif config[target].get(TIMESTAMPS) != CREATE_TIME:
            command = command_to_set(",".join(cluster.servers), target, TIMESTAMPS, CREATE_TIME)
            raise CopyError(
                f"topic {target} has {TIMESTAMPS} {config[target].get(TIMESTAMPS)}, so events that "
                f"were from the future wouldn't be any more: for the copy, {command}"
            )
    return (
        [TopicPartition(source, number) for number in range(counts[source])],
        [TopicPartition(target, number) for number in range(counts[target])],
    )


async def _make(
    admin: AIOKafkaAdminClient, source: str, target: str, config: Mapping[str, str]
) -> None:
    (described,) = [each for each in await admin.describe_topics() if each["topic"] == source]
    kept = {"retention.ms": "-1", TIMESTAMPS: CREATE_TIME}
    kept["max.message.bytes"] = config["max.message.bytes"]
    replicas = min(len(each["replicas"]) for each in described["partitions"])
    new = NewTopic(target, len(described["partitions"]), replicas, topic_configs=kept)
    problems = await make_topics(admin, [new])
    if problems:
        raise CopyError(problems[target].text)


async def _copy(
    reader: AIOKafkaConsumer,
    producer: AIOKafkaProducer,
    sources: Mapping[TopicPartition, tuple[int, int]],
    targets: list[TopicPartition],
    progress: Progress,
) -> Copied:
    copied = Copied()
    for tp, (begin, end) in sources.items():
        reader.assign([tp])
        reader.seek(tp, begin)
        spread = _Spread(producer, targets[0].topic, len(targets), copied)
        async for _, records in read_to(reader, {tp: end}):
            for record in records:
                await spread.take(record)
            progress.update(len(records))
        await spread.finish()
    return copied


class _Spread:
    """Sends the records of one source partition, each target's in their order."""

    def __init__(
        self, producer: AIOKafkaProducer, topic: str, partitions: int, copied: Copied
    ) -> None:
        self._producer, self._topic, self._partitions = producer, topic, partitions
        self._copied = copied
        self._used: set[int] = set()
        self._filling: dict[int, tuple[BatchBuilder, int]] = {}
        self._sent: dict[int, asyncio.Future[Any]] = {}

    async def take(self, record: ConsumerRecord) -> None:
        key, value, headers = record.key, record.value, record.headers
        targets = targets_of(key, value, headers, self._partitions, self._used)
        more = OVERHEAD_BYTES + len(key or b"") + len(value or b"")
        more += sum(OVERHEAD_BYTES + 4 * len(name) + len(text or b"") for name, text in headers)
        for number in targets:
            builder, size = self._filling.get(number, (None, 0))
            if builder is None or size + more > BATCH_BYTES:
                await self._send(number)
                builder, size = self._producer.create_batch(), 0
            builder.append(timestamp=record.timestamp, key=key, value=value, headers=list(headers))
            self._filling[number] = builder, size + more
        self._copied.read += 1
        self._copied.written += len(targets)

    async def finish(self) -> None:
        """Send what is left, and wait until all is acknowledged."""
        for number in list(self._filling):
            await self._send(number)
        await asyncio.gather(*self._sent.values())

    async def _send(self, number: int) -> None:
        builder, _ = self._filling.pop(number, (None, 0))
        if builder is None:
            return
        if number in self._sent:
            await self._sent[number]
        builder.close()
        self._sent[number] = await self._producer.send_batch(builder, self._topic, partition=number)
