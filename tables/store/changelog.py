"""EDGE: states in Kafka changelogs: recovery into a local store, and standbys that follow."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic, time
from typing import Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.clients import Access
from streams.kafka.cluster import Cluster, bounds, fetch_bytes
from streams.kafka.identity import identity
from streams.kafka.writer import FENCE, fence_key, position_notes
from streams.log.cancellation import asked_to_end
from streams.log.writing import Lost
from streams.trouble import Trouble
from tables.store.local_copy import apply, is_copy_of, mark_whole, open_store, position, start_of
from tables.store.rocksdb import CopyDamagedError, RocksStore
from tables.store.store import HEAD

REPORT_SECONDS: Final = 5.0
"""A longer recovery logs its progress this often."""

FOLLOW_PAUSE_SECONDS: Final = 5.0
"""A standby waits this long after an error: it isn't needed until its partition moves."""

log = logging.getLogger("lineside.changelog")


class GrownError(Trouble):
    """Partitions were added to an input topic of a running system."""


class Progress(Protocol):
    """Receives the progress of a recovery."""

    left: int | None
    seconds: float | None


Restore = Callable[[RocksStore], Awaitable[int | None]]
"""Writes a local state to its changelog, and returns the offset after it. Returns None, and writes
nothing, if the state wasn't made from this job's input."""


async def recover(
    clients: Access,
    changelog: TopicPartition,
    store: RocksStore,
    fence: int,
    partitions: int,
    progress: Progress,
    restore: Restore,
) -> bytes:
    """Bring a store up to the record at the offset `fence`, that record included.

    If the changelog was made anew and has no state, the store is the only copy of its state: it is
    written to the new changelog.

    Return the id of the changelog's topic. Raises `Lost` if the broker goes away, `GrownError` if
    an earlier owner had another partition count.
    """
    name = f"{changelog.topic}/{changelog.partition}"
    try:
        async with clients.reader() as consumer:
            consumer.assign([changelog])
            begin, _ = (await bounds(consumer, [changelog]))[changelog]
            changelog_id = (await identity(consumer, changelog)).id
            if not await is_copy_of(consumer, changelog, store, fence, changelog_id):
                if await _restored(
                    consumer, changelog, store, (begin, fence), changelog_id, restore
                ):
                    begin = fence + 1
                else:
                    log.warning("%s isn't the one that the local state is of: recovering all", name)
                    store.clear()
            at = start = start_of(store, begin)
            consumer.seek(changelog, start)
            began = reported = monotonic()
            while at <= fence:
                progress.left = fence + 1 - at
                for records in (await consumer.getmany(changelog, timeout_ms=500)).values():
                    at = apply(store, records, changelog_id)
                seconds = monotonic() - began
                if at > start:
                    progress.seconds = seconds / (at - start) * max(fence + 1 - at, 0)
                if monotonic() - reported >= REPORT_SECONDS:
                    reported = monotonic()
                    log.warning(
                        "recovering %s: %d records left, %.0f s", name, progress.left,
                        progress.seconds or 0,
                    )  # fmt: skip
            mark_whole(store)
    except KafkaError as error:
        raise Lost(f"{name} can't be read ({error!r})") from error
    progress.left, progress.seconds = 0, 0.0
    _check_count(store, changelog, partitions)
    return changelog_id


class Standby:
    """Local copies of changelog partitions that other workers own, kept up to date."""

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        tps: set[TopicPartition],
        keeps_tombstones_ms: int,
        states: int,
    ) -> None:
        """Follow the partitions `tps`; `states` is the number of states of the whole process."""
        self.left: dict[TopicPartition, int] = {}
        """Records that a copy still lacks, by partition."""
        self._cluster = cluster
        self._folder, self._keeps_tombstones_ms, self._states = folder, keeps_tombstones_ms, states
        self._stores: dict[TopicPartition, RocksStore] = {}
        with contextlib.ExitStack() as opened:
            for tp in sorted(tps):
                self._stores[tp] = self._open(tp)
                opened.callback(self._stores[tp].close)
            opened.pop_all()
        self._following = asyncio.ensure_future(self._follow())

    def _open(self, tp: TopicPartition) -> RocksStore:
        return open_store(self._folder, tp, self._keeps_tombstones_ms, self._states)

    async def close(self) -> None:
        """Stop following, and close the stores."""
        self._following.cancel()
        await asyncio.wait([self._following])
        with contextlib.ExitStack() as closing:
            for store in self._stores.values():
                closing.callback(store.close)

    async def _follow(self) -> None:
        while True:
            try:
                fetched = fetch_bytes(len(self._stores))
                async with self._cluster.reader(max_partition_fetch_bytes=fetched) as consumer:
                    await self._read(consumer)
            except asyncio.CancelledError:
                if asked_to_end():
                    raise
            except CopyDamagedError as error:
                log.warning("%s", error)
                self._replace_damaged()
            except Exception as error:  # a standby's error mustn't stop the worker's own partitions
                log.warning("standbys stand still for a while: %r", error)
                await asyncio.sleep(FOLLOW_PAUSE_SECONDS)

    def _replace_damaged(self) -> None:
        for tp, store in self._stores.items():
            if store.damaged:
                store.close()
                self._stores[tp] = self._open(tp)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        tps = list(self._stores)
        consumer.assign(tps)
        at, ids = {}, {}
        for tp, (begin, end) in (await bounds(consumer, tps)).items():
            ids[tp] = (await identity(consumer, tp)).id
            if not await is_copy_of(consumer, tp, self._stores[tp], end, ids[tp]):
                self._stores[tp].clear()
            at[tp] = start_of(self._stores[tp], begin)
            self.left[tp] = max(end - at[tp], 0)
            consumer.seek(tp, at[tp])
        while True:
            for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                at[tp] = apply(self._stores[tp], records, ids[tp])
                await asyncio.sleep(0)
            for tp in tps:
                end = consumer.highwater(tp)
                if end is not None:
                    self.left[tp] = max(end - await consumer.position(tp), 0)


async def _restored(
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    store: RocksStore,
    bounds_: tuple[int, int],
    changelog_id: bytes,
    restore: Restore,
) -> bool:
    """Write a local state to a changelog that was made anew and has none; return whether it was.

    The local state may be older than the lost one. Then later records leave again, unchanged, as
    after a crash.
    """
    known = position(store)
    if known is None or not known.whole or store.get_many([HEAD])[0] is None:
        return False
    if await _has_state(consumer, changelog, *bounds_):
        return False
    offset = await restore(store)
    if offset is None:
        return False
    store.write(position_notes(offset, round(time() * 1000), changelog_id, whole=True))
    log.warning(
        "%s/%d was made anew, and has no state: the local one, which is whole, was written to it",
        *changelog,
    )
    return True


async def _has_state(
    consumer: AIOKafkaConsumer, changelog: TopicPartition, begin: int, fence: int
) -> bool:
    at = begin
    consumer.seek(changelog, begin)
    while at <= fence:
        for records in (await consumer.getmany(changelog, timeout_ms=500)).values():
            if any(record.key == HEAD for record in records):
                return True
            at = records[-1].offset + 1
    return False


def _check_count(store: RocksStore, changelog: TopicPartition, partitions: int) -> None:
    own = fence_key(partitions)
    for key, _ in store.scan(FENCE):
        if key != own:
            raise GrownError(
                f"{changelog.topic}/{changelog.partition} is of a system with "
                f"{key.removeprefix(FENCE).decode()} partitions of its input topic, which now has "
                f"{partitions}: keys have moved away from their ledgers; see docs/topics.md"
            )
