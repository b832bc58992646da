"""EDGE: states in Kafka changelogs: recovery into a local store, and standbys that follow."""

import asyncio
import logging
import shutil
from pathlib import Path
from time import monotonic, time
from typing import Final, Protocol

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from streams.cluster import Cluster, asked_to_end, bounds, fetch_bytes
from streams.kafka_writer import FENCE, POSITION, fence_key, position_note
from streams.record import CutValue
from streams.trouble import Trouble
from streams.writing import Lost
from tables.rocksdb import RocksStore, StateError

REPORT_SECONDS: Final = 5.0
"""A recovery that takes longer tells how far it is this often."""

FOLLOW_PAUSE_SECONDS: Final = 5.0
"""After an error a standby waits so long; it isn't needed until its partition moves."""

log = logging.getLogger("lineside.changelog")


class GrownError(Trouble):
    """Partitions were added to an input topic of a running system."""


class Progress(Protocol):
    """Where a recovery says how far it is."""

    left: int | None
    seconds: float | None


def open_store(
    folder: Path, changelog: TopicPartition, keeps_tombstones_ms: int, states: int
) -> RocksStore:
    """Open the local copy of a changelog partition, or start an empty one.

    It's one of so many `states` of the process, which share memory.

    A copy that is older than half of what the changelog keeps tombstones for may have missed some:
    it's thrown away. No write-ahead log: the changelog is one.
    """
    path = folder / f"{changelog.topic}-{changelog.partition}"
    store = _opened(path, states)
    noted = _position(store)
    if noted is not None and time() * 1000 - noted[1] > keeps_tombstones_ms / 2:
        log.warning("%s is too old to go on with: recovering all of it", path)
        store.clear()
    return store


def _opened(path: Path, states: int) -> RocksStore:
    """Open a copy; one that can't be read (a disk was full) is made anew, unless it's in use."""
    try:
        return RocksStore(path, wal=False, states=states)
    except StateError as error:
        if not path.exists() or "lock hold" in str(error) or "While lock" in str(error):
            raise
        log.warning("%s; it's made again from its changelog", error)
        shutil.rmtree(path)
        return RocksStore(path, wal=False, states=states)


async def recover(
    cluster: Cluster,
    changelog: TopicPartition,
    store: RocksStore,
    fence: int,
    partitions: int,
    progress: Progress,
) -> None:
    """Bring a store up to the record at the offset `fence`, that record included.

    Raises `Lost` if the broker goes away, `GrownError` if an earlier owner knew of another count of
    partitions.
    """
    name = f"{changelog.topic}/{changelog.partition}"
    try:
        async with cluster.reader() as consumer:
            consumer.assign([changelog])
            begin, _ = (await bounds(consumer, [changelog]))[changelog]
            await _keep_if_its(consumer, changelog, store, fence)
            at = start = _start(store, begin)
            consumer.seek(changelog, start)
            began = told = monotonic()
            while at <= fence:
                progress.left = fence + 1 - at
                for records in (await consumer.getmany(changelog, timeout_ms=500)).values():
                    at = _apply(store, records)
                seconds = monotonic() - began
                if at > start:
                    progress.seconds = seconds / (at - start) * max(fence + 1 - at, 0)
                if monotonic() - told >= REPORT_SECONDS:
                    told = monotonic()
                    log.warning(
                        "recovering %s: %d records left, %.0f s", name, progress.left,
                        progress.seconds or 0,
                    )  # fmt: skip
    except KafkaError as error:
        raise Lost(f"{name} can't be read ({error!r})") from error
    progress.left, progress.seconds = 0, 0.0
    _check_count(store, changelog, partitions)


class Standby:
    """Copies of changelog partitions that other workers own, kept up with them."""

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        tps: set[TopicPartition],
        keeps_tombstones_ms: int,
        states: int,
    ) -> None:
        """Follow them; the process has so many `states` in all."""
        self.left: dict[TopicPartition, int] = {}
        """Records that a copy lacks, by partition."""
        self._cluster = cluster
        self._stores = {
            tp: open_store(folder, tp, keeps_tombstones_ms, states) for tp in sorted(tps)
        }
        self._following = asyncio.ensure_future(self._follow())

    async def close(self) -> None:
        """Stop following, and let go of the stores."""
        self._following.cancel()
        await asyncio.wait([self._following])
        for store in self._stores.values():
            store.close()

    async def _follow(self) -> None:
        while True:
            try:
                fetched = fetch_bytes(len(self._stores))
                async with self._cluster.reader(max_partition_fetch_bytes=fetched) as consumer:
                    await self._read(consumer)
            except asyncio.CancelledError:
                if asked_to_end():
                    raise
            except Exception as error:  # whatever it is: partitions that are at work go on
                log.warning("standbys stand still for a while: %r", error)
                await asyncio.sleep(FOLLOW_PAUSE_SECONDS)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        tps = list(self._stores)
        consumer.assign(tps)
        at = {}
        for tp, (begin, end) in (await bounds(consumer, tps)).items():
            await _keep_if_its(consumer, tp, self._stores[tp], end)
            at[tp] = _start(self._stores[tp], begin)
            self.left[tp] = max(end - at[tp], 0)
            consumer.seek(tp, at[tp])
        while True:
            for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                at[tp] = _apply(self._stores[tp], records)
                await asyncio.sleep(0)
            for tp in tps:
                end = consumer.highwater(tp)
                if end is not None:
                    self.left[tp] = max(end - await consumer.position(tp), 0)


async def _keep_if_its(
    consumer: AIOKafkaConsumer, changelog: TopicPartition, store: RocksStore, end: int
) -> None:
    """Throw away a local state of another changelog of that name: of before it was made anew.

    It is ahead of it, or the changelog has something younger before where the state is.
    """
    noted = _position(store)
    if noted is None:
        return
    offset, at_ms = noted
    younger = (await consumer.offsets_for_times({changelog: at_ms + 1}))[changelog]
    if offset > end or (younger is not None and younger.offset < offset):
        name = f"{changelog.topic}/{changelog.partition}"
        log.warning("%s isn't the one that the local state is of: recovering all", name)
        store.clear()


def _apply(store: RocksStore, records: list[ConsumerRecord]) -> int:
    """Write records of a changelog to a store, and return the offset to go on with."""
    last = records[-1]
    noted = _position(store)
    at_ms = max(last.timestamp, 0 if noted is None else noted[1])  # workers' clocks differ
    changes: dict[bytes, bytes | None] = {record.key: record.value for record in records}
    for value in changes.values():
        if isinstance(value, CutValue):
            raise StateError(
                f"a record of {last.topic}/{last.partition} has {value.record_bytes} bytes: no "
                "lineside writes such; the changelog is broken"
            )
    store.write([*changes.items(), position_note(last.offset + 1, at_ms)])
    at: int = last.offset + 1
    return at


def _start(store: RocksStore, begin: int) -> int:
    noted = _position(store)
    return begin if noted is None else max(noted[0], begin)


def _position(store: RocksStore) -> tuple[int, int] | None:
    """Return (offset, milliseconds): up to where the store has its changelog, as of when."""
    (stored,) = store.get_many([POSITION])
    if stored is None:
        return None
    offset, at_ms, *_ = msgspec.msgpack.decode(stored)  # a later version may note more
    return offset, at_ms


def _check_count(store: RocksStore, changelog: TopicPartition, partitions: int) -> None:
    own = fence_key(partitions)
    for key, _ in store.scan(FENCE):
        if key != own:
            raise GrownError(
                f"{changelog.topic}/{changelog.partition} is of a system with "
                f"{key.removeprefix(FENCE).decode()} partitions of its input topic, which now has "
                f"{partitions}: keys have moved away from their ledgers; see docs/topics.md"
            )
