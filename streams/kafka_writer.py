"""EDGE: what a partition's task writes to Kafka: outputs, and changelog batches."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from aiokafka import TopicPartition

from streams.cache import keep
from streams.cluster import BATCH_BYTES_MAX, Cluster
from streams.headers import RECORD_BYTES_MAX
from streams.kafka_batches import changes_batch
from streams.kafka_producer import (
    Outputs,
    Target,
    acknowledged,
    now_ms,
    sent,
    started,
    stop,
    told_apart,
)
from streams.record import Outgoing, partition_of
from streams.writing import StateChange, StateChanges

FENCE: Final = b"f"
"""Prefix of the changelog key that a new owner writes first, with the count of partitions."""

OUTPUT_BATCH_BYTES: Final = 900_000
"""Before compression: below Kafka's default `max.message.bytes` of 1 MiB."""

CHANGES_BATCH_BYTES: Final = 900_000
"""The same of changes of a state: a write of any size is as many RecordBatches, and one commit."""

WRITE_SECONDS_MAX: Final = 120.0
"""A write that hasn't been acknowledged by then is given up, and the partition opened anew."""

STATE_PAUSE_SECONDS: Final = 0.25
"""Between two states of a partition whose outputs have left already: a transaction costs some
milliseconds of CPU, and a crash repeats what has left since the last one."""

TOGETHER_PAUSE_SECONDS: Final = 0.02
"""Between two transactions that outputs wait for."""

TRANSACTION_SECONDS_MAX: Final = 60.0
"""A transaction that is open for longer is aborted by the broker: whoever began it is gone."""


def fence_key(partitions: int) -> bytes:
    """Return the changelog key under which owners announce themselves.

    It has the count of the input topic's partitions: where another one is found, keys have moved
    away from their ledgers.
    """
    return FENCE + str(partitions).encode()


class KafkaWriter:
    """Writes for one input partition under one transactional id: a later writer fences this one.

    The changelog takes the changes of a write in a transaction, in both
    guarantees: a process that was away while its partition moved (a zombie) can write no state any
    more. With `exactly_once` the outputs are in the same transaction; with `at_least_once` they are
    sent and acknowledged before it.
    """

    def __init__(
        self,
        cluster: Cluster,
        outputs: Outputs | None,
        changelog: TopicPartition,
        counts: Mapping[str, int],
        transactional_id: str,
    ) -> None:
        """Take the producer for outputs, or None for `exactly_once`; `counts`: partitions."""
        self.sends_ahead = outputs is not None
        self.pause_seconds = TOGETHER_PAUSE_SECONDS if outputs is None else STATE_PAUSE_SECONDS
        self._outputs = outputs
        self._changelog = changelog
        self._counts = counts
        self._places: dict[tuple[str, bytes | None], Target] = {}
        """Where records of a topic and key go."""
        self._producer = cluster.producer(
            transactional_id, transaction_timeout_ms=round(TRANSACTION_SECONDS_MAX * 1000)
        )

    async def fence(self, partitions: int, owner: str) -> int:
        """Shut out every earlier writer of this partition; return the fence's changelog offset.

        All that any earlier writer has got into the changelog is before it. Raises `Lost`.
        """
        note = msgspec.json.encode({"owner": owner, "at_ms": now_ms()})
        with told_apart():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await started(self._producer)
                return await self._transact((), {fence_key(partitions): note})

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        """Send outputs ahead; see `streams.writing.Writer`."""
        assert self._outputs is not None  # it sends ahead
        with told_apart():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await self._outputs.send(self._batches(outputs))

    async def write(
        self, outputs: Sequence[Outgoing], changes: StateChanges
    ) -> Sequence[StateChange]:
        """Write a state in a transaction, with `outputs` in it; see `streams.writing.Writer`."""
        with told_apart():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                last = await self._transact(self._batches(outputs), changes)
        if last < 0:  # the broker knows this batch, but not where it is any more
            return ()
        return [position_note(last + 1, now_ms())]

    async def _transact(
        self,
        batches: Iterable[tuple[Target, Sequence[Outgoing]]],
        changes: StateChanges,
    ) -> int:
        """Write changes and outputs in a transaction; return the offset of the last change.

        That is below 0 where the broker knows the batch from an earlier try.
        """
        await self._producer.begin_transaction()
        name, number = self._changelog
        futures, last_count = [], 0
        for some in parted(changes):
            batch = changes_batch(self._producer, some, now_ms(), BATCH_BYTES_MAX)
            assert batch is not None  # a part is far smaller
            futures.append(await self._producer.send_batch(batch, name, partition=number))
            last_count = len(some)
        parts = len(futures)
        futures += await sent(self._producer, batches)
        told = await acknowledged(futures)
        await self._producer.commit_transaction()
        offset: int = told[parts - 1].offset
        return offset if offset < 0 else offset + last_count - 1

    def _batches(self, outputs: Sequence[Outgoing]) -> list[tuple[Target, list[Outgoing]]]:
        """Return outputs by topic and partition, in order, cut to a size that brokers take."""
        return grouped(outputs, self._places, self._place, OUTPUT_BATCH_BYTES)

    def _place(self, topic: str, key: bytes | None) -> Target:
        return keep(self._places, (topic, key), (topic, partition_of(key, self._counts[topic])))

    async def close(self) -> None:
        """Stop the producer: an open transaction is aborted by the next writer's fence."""
        await stop(self._producer)


def parted(changes: StateChanges) -> Iterator[Sequence[StateChange]]:
    """Yield changes in their order, in parts of at most `CHANGES_BATCH_BYTES` or of one change."""
    size = sum(map(len, changes)) + sum(map(len, filter(None, changes.values())))
    size += RECORD_BYTES_MAX * len(changes)
    if size <= CHANGES_BATCH_BYTES:
        yield list(changes.items())
        return
    part: list[StateChange] = []
    room = CHANGES_BATCH_BYTES
    for key, value in changes.items():
        size = len(key) + len(value or b"") + RECORD_BYTES_MAX
        if size > room and part:
            yield part
            part, room = [], CHANGES_BATCH_BYTES
        part.append((key, value))
        room -= size
    yield part


POSITION: Final = b"c"
"""The key under which a local store notes how much of the changelog it has."""


def position_note(offset: int, at_ms: int) -> StateChange:
    """Return the change that notes: all of the changelog before `offset` is here, as of `at_ms`."""
    return POSITION, msgspec.msgpack.encode([offset, at_ms])


def grouped_plain(
    records: Sequence[Outgoing],
    places: Mapping[tuple[str, bytes | None], Target],
    place_of: Callable[[str, bytes | None], Target],
    bytes_max: int,
) -> list[tuple[Target, list[Outgoing]]]:
    """Return [(place, records)] in order, each group of at most `bytes_max` before compression.

    `places` remembers the place of each (topic, key); `place_of(topic, key)` finds a new one.
    """
    groups: list[tuple[Target, list[Outgoing]]] = []
    open_: dict[Target, list[Outgoing]] = {}
    sizes: dict[Target, int] = {}
    for record in records:
        key = record.key
        place = places.get((record.topic, key)) or place_of(record.topic, key)
        size = len(record.value) + len(key or b"") + len(record.trace or b"") + RECORD_BYTES_MAX
        if place not in open_ or sizes[place] + size > bytes_max:
            open_[place] = []
            sizes[place] = 0
            groups.append((place, open_[place]))
        open_[place].append(record)
        sizes[place] += size
    return groups


try:
    from streams.blocks import grouped
except ImportError:  # it wasn't built: see hatch_build.py
    grouped = grouped_plain
