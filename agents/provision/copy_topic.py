"""Copies an input topic to one with any number of partitions; each line stays in order."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from msgspec import Struct

from agents.provision.topics import configs, make_topics, partitions_of
from streams.codec.decode import decode
from streams.contract.events import Tick
from streams.contract.reference import Reference
from streams.contract.topics import changelog
from streams.kafka.cluster import BrokerError, Cluster, bounds, read_to
from streams.kafka.topic_check import command_to_set
from streams.log.record import CutValue, partition_of
from streams.trouble import Trouble
from tables.partition.head import read_head
from tables.store.store import HEAD

BATCH_BYTES: Final = 256 << 10
"""The size of a batch, before compression; a larger record is a batch of its own."""

OVERHEAD_BYTES: Final = 20
"""The most that a record takes beside its key, value and headers, and a header beside its text."""

HEAD_REACH: Final = 1_000
HEAD_REACH_FACTOR: Final = 10
"""The head of a state is looked for in this many last records, then in ten times as many."""

TIMESTAMPS: Final = "message.timestamp.type"
CREATE_TIME: Final = "CreateTime"
"""With this setting a record keeps the timestamp that its producer gives."""

log = logging.getLogger("lineside.copy")

Headers = Sequence[tuple[str, bytes | None]]


class CopyError(Trouble):
    """A topic can't be copied, or can't take a copy."""


class Copied(Struct):
    """Counts of records read and written; a tick is written to several partitions."""

    read: int = 0
    written: int = 0


class Progress(Protocol):
    """Receives the progress of a copy, in records."""

    length: int | None

    def update(self, n_steps: int) -> None:
        """Note that this many more records were read."""
        ...


class Part(Struct, frozen=True):
    """The part of a topic to copy: what a group's states have processed, or the rest."""

    group: str
    processed: bool


async def copy_topic(
    cluster: Cluster,
    source: str,
    target: str,
    progress: Progress,
    part: Part | None = None,
    append: bool = False,
) -> Copied:
    """Copy a topic, or a part of it, into another one: keys, values, headers and timestamps.

    A missing target is made, with as many partitions as the source and unlimited retention. A
    target that isn't empty is accepted only with `append`. Ticks of the unprocessed part are left
    out: newer ticks will come, and old ones would make events of other source partitions late.

    Nobody may write to either topic meanwhile. Raises `CopyError` if the copy would differ from the
    source, and `BrokerError`.
    """
    try:
        sources, targets = await _ends(cluster, source, target)
        async with cluster.reader() as reader:
            reader.assign([*sources, *targets])
            filled = any(end for _, end in (await bounds(reader, targets)).values())
            if filled and not append:
                raise CopyError(f"topic {target} isn't empty: delete it, and copy again")
            before = await bounds(reader, sources)
            spans = before if part is None else await _spans(cluster, before, part)
            progress.length = sum(end - begin for begin, end in spans.values())
            producer = cluster.producer()
            await producer.start()
            try:
                ticks = part is None or part.processed
                copied = await _copy(reader, producer, spans, targets, progress, ticks)
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
    """Return the target partitions of a record.

    `used` are the target partitions of earlier records of the same source partition. A tick goes to
    all of them, so for each line it stays between the same events. It changes nothing for other
    lines in these partitions: source partitions are copied one after the other, so for lines copied
    before, the tick is in the past.

    A reference record goes to all partitions: any may hold lines of its plant. One that comes again
    from another source partition changes nothing.
    """
    read = decode(value, headers, None)
    if isinstance(read, Tick):
        return sorted(used)
    if isinstance(read, Reference):
        return range(partitions)
    number = partition_of(key, partitions)
    used.add(number)
    return (number,)


async def _ends(
    cluster: Cluster, source: str, target: str
) -> tuple[list[TopicPartition], list[TopicPartition]]:
    """Return the partitions of both topics; make the target if it is missing."""
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


async def _spans(
    cluster: Cluster, whole: Mapping[TopicPartition, tuple[int, int]], part: Part
) -> dict[TopicPartition, tuple[int, int]]:
    """Return the offsets of a part, from the group's changelogs."""
    processed = await _processed(cluster, whole, part.group)
    spans = {}
    for tp, (begin, end) in whole.items():
        middle = min(max(processed.get(tp, begin), begin), end)
        spans[tp] = (begin, middle) if part.processed else (middle, end)
    return spans


async def _processed(
    cluster: Cluster, sources: Iterable[TopicPartition], group: str
) -> dict[TopicPartition, int]:
    """Return the offset after the last processed one, for each partition with a state."""
    counts = await partitions_of(cluster)
    wanted = {TopicPartition(changelog(group, tp.topic), tp.partition): tp for tp in sources}
    logs = [log for log in wanted if log.partition < counts.get(log.topic, 0)]
    if not logs:
        name = next(iter(wanted)).topic
        raise CopyError(f"topic {name} isn't there: is {group!r} the group that processed it?")
    found: dict[TopicPartition, int] = {}
    async with cluster.reader() as reader:
        reader.assign(logs)
        for log, (begin, end) in (await bounds(reader, logs)).items():
            reach = HEAD_REACH
            while begin < end and wanted[log] not in found:
                start = max(begin, end - reach)
                reader.assign([log])
                reader.seek(log, start)
                async for _, records in read_to(reader, {log: end}):
                    for record in records:
                        if record.key == HEAD and record.value is not None:
                            where = f"the state of {wanted[log].topic}/{log.partition}"
                            found[wanted[log]] = read_head(record.value, where).offset + 1
                end, reach = start, reach * HEAD_REACH_FACTOR
    return found


async def _copy(
    reader: AIOKafkaConsumer,
    producer: AIOKafkaProducer,
    sources: Mapping[TopicPartition, tuple[int, int]],
    targets: list[TopicPartition],
    progress: Progress,
    ticks: bool,
) -> Copied:
    copied = Copied()
    for tp, (begin, end) in sources.items():
        reader.assign([tp])
        reader.seek(tp, begin)
        copier = _PartitionCopier(producer, targets[0].topic, len(targets), copied)
        async for _, records in read_to(reader, {tp: end}):
            for record in records:
                copied.read += 1
                if ticks or not is_tick(record.value, record.headers):
                    await copier.take(record)
            progress.update(len(records))
        await copier.finish()
    return copied


def is_tick(value: bytes | None, headers: Headers) -> bool:
    """Return whether a record is a tick."""
    return isinstance(decode(value, headers, None), Tick)


class _PartitionCopier:
    """Sends the records of one source partition; the order in each target partition is kept."""

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
        if isinstance(value, CutValue):
            log.warning(
                "the record at offset %d of %s/%d has %d bytes: the copy has the beginning of its "
                "value; it's refused in either", record.offset, record.topic, record.partition,
                value.record_bytes,
            )  # fmt: skip
            value = bytes(value)
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
        self._copied.written += len(targets)

    async def finish(self) -> None:
        """Send the remaining records, and wait until all are acknowledged."""
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
