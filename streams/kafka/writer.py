"""EDGE: what a partition's task writes to Kafka: outputs, and changelog batches."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from aiokafka import TopicPartition
from aiokafka.structs import RecordMetadata

from streams.contract.topics import EXCEPTIONS
from streams.kafka.cluster import BATCH_BYTES_MAX, Cluster
from streams.kafka.producer import (
    Outputs,
    Target,
    acknowledged,
    now_ms,
    sent,
    started,
    stop,
    told_apart,
)
from streams.kafka.record_batches import changes_batch
from streams.log.headers import RECORD_BYTES_MAX
from streams.log.record import Outgoing, partition_of
from streams.log.writing import Lost, StateChange, StateChanges
from streams.values.cache import keep

FENCE: Final = b"f"
"""Prefix of the changelog key that a new owner writes first, with the count of partitions."""

OUTPUT_BATCH_BYTES: Final = 900_000
"""Before compression: below Kafka's default `max.message.bytes` of 1 MiB."""

CHANGES_BATCH_BYTES: Final = 900_000
"""The same of changes of a state: a write of any size is as many RecordBatches, and one commit."""

LINE_KEY_BYTES_MAX: Final = 1_025
"""Of the key of a line: twice 128 characters, and a slash."""

WRITE_SECONDS_MAX: Final = 120.0
"""A write that hasn't been acknowledged by then is given up, and the partition opened anew."""

STATE_PAUSE_SECONDS: Final = 0.25
"""Between two states of a partition whose outputs have left already: a transaction costs some
milliseconds of CPU, and a crash repeats what has left since the last one."""

TOGETHER_PAUSE_SECONDS: Final = 0.02
"""Between two transactions that outputs wait for."""

RESTORE_SECONDS_MAX: Final = 50.0
"""For writing a state anew as a whole: less than a transaction may take."""

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
        self.changelog_id = b""
        """Of the changelog's topic, as it was found; empty where that isn't known."""
        self._reached = -1
        """The last changelog offset that was acknowledged: the next is past it."""
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
        """Send outputs ahead; see `streams.log.writing.Writer`."""
        assert self._outputs is not None  # it sends ahead
        with told_apart():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await self._outputs.send(self._batches(outputs))

    async def write(
        self, outputs: Sequence[Outgoing], changes: StateChanges
    ) -> Sequence[StateChange]:
        """Write a state in a transaction, with `outputs` in it; see `writing.Writer`."""
        with told_apart():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                last = await self._transact(self._batches(outputs), changes)
        if last < 0:  # the broker knows this batch, but not where it is any more
            return ()
        return position_notes(last + 1, now_ms(), self.changelog_id, whole=True)

    async def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> int:
        """Write a whole state to a changelog that has none, in one transaction.

        Return the offset after it. Raises `Lost`.
        """
        with told_apart():
            async with asyncio.timeout(RESTORE_SECONDS_MAX):
                await self._producer.begin_transaction()
                for part in parted(entries):
                    (told,) = await acknowledged([await self._put(part)])
                    self._check_place(told.offset, len(part))
                await self._producer.commit_transaction()
        return self._reached + 1

    async def _transact(
        self,
        batches: Iterable[tuple[Target, Sequence[Outgoing]]],
        changes: StateChanges,
    ) -> int:
        """Write changes and outputs in a transaction; return the offset of the last change.

        That is below 0 where the broker knows the batch from an earlier try.
        """
        await self._producer.begin_transaction()
        parts = list(parted(changes.items()))
        futures = [await self._put(part) for part in parts]
        futures += await sent(self._producer, batches)
        last = -1
        for part, told in zip(parts, await acknowledged(futures), strict=False):
            self._check_place(told.offset, len(part))
            last = told.offset if told.offset < 0 else told.offset + len(part) - 1
        await self._producer.commit_transaction()
        return last

    async def _put(self, changes: Sequence[StateChange]) -> asyncio.Future[RecordMetadata]:
        batch = changes_batch(self._producer, changes, now_ms(), BATCH_BYTES_MAX)
        assert batch is not None  # a part is far smaller
        name, number = self._changelog
        put: asyncio.Future[RecordMetadata] = await self._producer.send_batch(
            batch, name, partition=number
        )
        return put

    def _check_place(self, offset: int, count: int) -> None:
        """Raise `Lost` before a state is committed to another changelog than the last one was.

        Nobody else may write, so the offsets of a changelog rise. What was written remains of a
        transaction that the next owner's fence gives up.
        """
        if 0 <= offset <= self._reached:
            name = f"{self._changelog.topic}/{self._changelog.partition}"
            raise Lost(
                f"the changelog {name} was made anew: it took a state at offset {offset}, and the "
                f"one before it ended at {self._reached}"
            )
        self._reached = max(self._reached, offset + count - 1)

    def _batches(self, outputs: Sequence[Outgoing]) -> list[tuple[Target, list[Outgoing]]]:
        """Return outputs by topic and partition, in order, cut to a size that brokers take."""
        return grouped(outputs, self._places, self._place, OUTPUT_BATCH_BYTES)

    def _place(self, topic: str, key: bytes | None) -> Target:
        place = topic, partition_of(key, self._counts[topic])
        if topic == EXCEPTIONS:  # anybody's keys: they repeat less, and may be long
            return place
        return keep(self._places, (topic, key), place)

    async def close(self) -> None:
        """Stop the producer: an open transaction is aborted by the next writer's fence."""
        await stop(self._producer)


def parted(changes: Iterable[StateChange]) -> Iterator[Sequence[StateChange]]:
    """Yield changes in their order, in parts of at most `CHANGES_BATCH_BYTES` or of one change."""
    part: list[StateChange] = []
    room = CHANGES_BATCH_BYTES
    for change in changes:
        key, value = change
        size = len(key) + len(value or b"") + RECORD_BYTES_MAX
        if size > room and part:
            yield part
            part, room = [], CHANGES_BATCH_BYTES
        part.append(change)
        room -= size
    yield part


POSITION: Final = b"c"
"""The key under which a local store notes how much of the changelog it has."""

ORIGIN: Final = b"k"
"""The key under which it notes which changelog that is."""


def position_notes(offset: int, at_ms: int, changelog_id: bytes, whole: bool) -> list[StateChange]:
    """Return the changes that note: all of the changelog before `offset` is here, as of `at_ms`.

    And, under a key that earlier versions don't know, the id of the changelog's topic, and whether
    the store is `whole`: a state as it was written, and not some records of one.
    """
    return [
        (POSITION, msgspec.msgpack.encode([offset, at_ms])),
        (ORIGIN, msgspec.msgpack.encode([offset, changelog_id, whole])),
    ]


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
    from streams.log.blocks import grouped
except ImportError:  # it wasn't built: see hatch_build.py
    grouped = grouped_plain
