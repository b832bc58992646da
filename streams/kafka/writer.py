"""EDGE: the writer of a partition on Kafka: outputs, and changes of the state to its changelog."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from aiokafka import TopicPartition
from aiokafka.structs import RecordMetadata

from streams.contract.topics import EXCEPTIONS
from streams.core import loaded
from streams.kafka.cluster import BATCH_BYTES_MAX, Cluster
from streams.kafka.producer import (
    Outputs,
    acknowledged,
    now_ms,
    sent,
    started,
    stop,
    translated_errors,
)
from streams.kafka.record_batches import changes_batch
from streams.log.headers import RECORD_BYTES_MAX
from streams.log.record import TP, Outgoing, partition_of
from streams.log.writing import Lost, StateChange, StateChanges
from streams.values.cache import keep

FENCE: Final = b"f"
"""Prefix of the changelog key that a new owner writes first, with the count of partitions."""

OUTPUT_BATCH_BYTES: Final = 900_000
"""Of a RecordBatch before compression: less than 1 MiB, Kafka's default `max.message.bytes`."""

CHANGES_BATCH_BYTES: Final = 900_000
"""The same for state changes: a large write is several RecordBatches, and one commit."""

LINE_KEY_BYTES_MAX: Final = 1_025
"""A line's key in UTF-8: twice 128 characters, and a slash."""

WRITE_SECONDS_MAX: Final = 120.0
"""A write that isn't acknowledged by then is given up, and the partition is opened anew."""

STATE_PAUSE_SECONDS: Final = 0.25
"""Pause between two state writes if outputs leave before the state: a transaction costs some
milliseconds of CPU, and a crash repeats all outputs since the last one."""

TOGETHER_PAUSE_SECONDS: Final = 0.02
"""Pause between two transactions if outputs leave in them."""

RESTORE_SECONDS_MAX: Final = 50.0
"""Limit for writing a whole state to a new changelog: less than a transaction may take."""

TRANSACTION_SECONDS_MAX: Final = 60.0
"""The broker aborts a transaction that is open for longer: its writer counts as gone."""


def fence_key(partitions: int) -> bytes:
    """Return the changelog key under which owners announce themselves.

    It has the number of the input topic's partitions: if a changelog has another number, lines have
    moved away from their ledgers.
    """
    return FENCE + str(partitions).encode()


class KafkaWriter:
    """Writes for one input partition under one transactional id: a later writer fences this one.

    With both guarantees, state changes are written to the changelog in a transaction. So a process
    that was away while its partition moved (a zombie) can't write a state any more. With
    `exactly_once` the outputs are in the same transaction; with `at_least_once` they are sent and
    acknowledged before it.
    """

    def __init__(
        self,
        cluster: Cluster,
        outputs: Outputs | None,
        changelog: TopicPartition,
        counts: Mapping[str, int],
        transactional_id: str,
    ) -> None:
        """Take the producer for outputs (None: `exactly_once`) and each topic's partition count."""
        self.sends_ahead = outputs is not None
        self.pause_seconds = TOGETHER_PAUSE_SECONDS if outputs is None else STATE_PAUSE_SECONDS
        self._outputs = outputs
        self._changelog = changelog
        self._counts = counts
        self._places: dict[tuple[str, bytes | None], TP] = {}
        """The partition for each topic and key."""
        self.changelog_id = b""
        """The id of the changelog's topic at the opening; empty if it isn't known."""
        self._reached = -1
        """The last acknowledged changelog offset; the next one must be higher."""
        self._producer = cluster.producer(
            transactional_id, transaction_timeout_ms=round(TRANSACTION_SECONDS_MAX * 1000)
        )

    async def fence(self, partitions: int, owner: str) -> int:
        """Shut out every earlier writer of this partition; return the fence's changelog offset.

        Everything that earlier writers have written is before that offset. Raises `Lost`.
        """
        note = msgspec.json.encode({"owner": owner, "at_ms": now_ms()})
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await started(self._producer)
                return await self._transact((), {fence_key(partitions): note})

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        """Send outputs before their state is written; see `streams.log.writing.Writer`."""
        assert self._outputs is not None  # only called with `sends_ahead`
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await self._outputs.send(self._batches(outputs))

    async def write(
        self, outputs: Sequence[Outgoing], changes: StateChanges
    ) -> Sequence[StateChange]:
        """Write a state and `outputs` in one transaction; see `streams.log.writing.Writer`."""
        with translated_errors():
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                last = await self._transact(self._batches(outputs), changes)
        if last < 0:  # the broker has this batch, but no longer knows its offset
            return ()
        return position_notes(last + 1, now_ms(), self.changelog_id, whole=True)

    async def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> int:
        """Write a whole state to a changelog that has none, in one transaction.

        Return the offset after it. Raises `Lost`.
        """
        with translated_errors():
            async with asyncio.timeout(RESTORE_SECONDS_MAX):
                await self._producer.begin_transaction()
                for part in parted(entries):
                    (metadata,) = await acknowledged([await self._put(part)])
                    self._check_place(metadata.offset, len(part))
                await self._producer.commit_transaction()
        return self._reached + 1

    async def _transact(
        self,
        batches: Iterable[tuple[TP, Sequence[Outgoing]]],
        changes: StateChanges,
    ) -> int:
        """Write changes and outputs in a transaction; return the offset of the last change.

        It is below 0 if the broker has the batch from an earlier try.
        """
        await self._producer.begin_transaction()
        parts = list(parted(changes.items()))
        futures = [await self._put(part) for part in parts]
        futures += await sent(self._producer, batches)
        last = -1
        for part, metadata in zip(parts, await acknowledged(futures), strict=False):
            self._check_place(metadata.offset, len(part))
            last = metadata.offset if metadata.offset < 0 else metadata.offset + len(part) - 1
        await self._producer.commit_transaction()
        return last

    async def _put(self, changes: Sequence[StateChange]) -> asyncio.Future[RecordMetadata]:
        batch = changes_batch(self._producer, changes, now_ms(), BATCH_BYTES_MAX)
        assert batch is not None  # parts are far smaller than the limit
        name, number = self._changelog
        put: asyncio.Future[RecordMetadata] = await self._producer.send_batch(
            batch, name, partition=number
        )
        return put

    def _check_place(self, offset: int, count: int) -> None:
        """Raise `Lost` before a state is committed to a changelog that was made anew.

        A changelog has one writer, so its offsets rise; if they don't, it is another changelog. The
        open transaction is aborted by the next owner's fence.
        """
        if 0 <= offset <= self._reached:
            name = f"{self._changelog.topic}/{self._changelog.partition}"
            raise Lost(
                f"the changelog {name} was made anew: it took a state at offset {offset}, and the "
                f"one before it ended at {self._reached}"
            )
        self._reached = max(self._reached, offset + count - 1)

    def _batches(self, outputs: Sequence[Outgoing]) -> list[tuple[TP, list[Outgoing]]]:
        """Return outputs by topic and partition, in order, in batches that brokers take."""
        return grouped(outputs, self._places, self._place, OUTPUT_BATCH_BYTES)

    def _place(self, topic: str, key: bytes | None) -> TP:
        place = topic, partition_of(key, self._counts[topic])
        if topic == EXCEPTIONS:  # any keys, perhaps long ones: they aren't cached
            return place
        return keep(self._places, (topic, key), place)

    async def close(self) -> None:
        """Stop the producer: an open transaction is aborted by the next writer's fence."""
        await stop(self._producer)


def parted(changes: Iterable[StateChange]) -> Iterator[Sequence[StateChange]]:
    """Yield changes in order, in parts of at most `CHANGES_BATCH_BYTES`, or of one change."""
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
"""The key under which a local store notes up to which changelog offset it is complete."""

ORIGIN: Final = b"k"
"""The key under which a local store notes the id of its changelog's topic."""


def position_notes(offset: int, at_ms: int, changelog_id: bytes, whole: bool) -> list[StateChange]:
    """Return the changes that note: at `at_ms` the store has all of the changelog before `offset`.

    A second key, unknown to earlier versions, has the id of the changelog's topic, and whether the
    store is `whole`: a complete state, and not only some of its records.
    """
    return [
        (POSITION, msgspec.msgpack.encode([offset, at_ms])),
        (ORIGIN, msgspec.msgpack.encode([offset, changelog_id, whole])),
    ]


def grouped_plain(
    records: Sequence[Outgoing],
    places: Mapping[tuple[str, bytes | None], TP],
    place_of: Callable[[str, bytes | None], TP],
    bytes_max: int,
) -> list[tuple[TP, list[Outgoing]]]:
    """Return [(place, records)] in order, each group of at most `bytes_max` before compression.

    `places` caches the place of each (topic, key); `place_of(topic, key)` computes one.
    """
    groups: list[tuple[TP, list[Outgoing]]] = []
    open_: dict[TP, list[Outgoing]] = {}
    sizes: dict[TP, int] = {}
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


if loaded("streams.log.blocks"):
    from streams.log.blocks import grouped
else:
    grouped = grouped_plain
