"""EDGE: a local copy of a changelog partition: opened, brought up to date, recognized."""

import logging
from collections.abc import Iterator
from pathlib import Path
from time import time

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from msgspec import Struct

from streams.kafka.writer import FENCE, ORIGIN, POSITION, position_notes
from streams.log.record import CutValue
from tables.store.rocksdb import CopyDamagedError, RocksStore, StateError
from tables.store.store import HEAD

log = logging.getLogger("lineside.changelog")


class CopyPosition(Struct, frozen=True):
    """How far a store has read its changelog."""

    offset: int
    at_ms: int
    changelog_id: bytes = b""
    """The id of the changelog's topic; empty if it isn't known."""
    whole: bool = False
    """Whether the store holds a complete state, and not only some records of one."""


def open_store(
    folder: Path, changelog: TopicPartition, keeps_tombstones_ms: int, states: int = 1
) -> RocksStore:
    """Open the local copy of a changelog partition, or start an empty one.

    The process has `states` stores, which share memory. A copy that is older than half of the time
    for which the changelog keeps tombstones may have missed some: it is deleted. The store has no
    write-ahead log: the changelog is one.
    """
    path = folder / f"{changelog.topic}-{changelog.partition}"
    try:
        return _opened(path, keeps_tombstones_ms, states)
    except CopyDamagedError as error:
        log.warning("%s", error)
        return _opened(path, keeps_tombstones_ms, states)


def _opened(path: Path, keeps_tombstones_ms: int, states: int) -> RocksStore:
    store = RocksStore(path, wal=False, copy=True, states=states)
    try:
        known = position(store)
        if known is not None and time() * 1000 - known.at_ms > keeps_tombstones_ms / 2:
            log.warning("%s is too old to go on with: recovering all of it", path)
            store.clear()
    except BaseException:
        store.close()
        raise
    return store


async def is_copy_of(
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    store: RocksStore,
    end: int,
    changelog_id: bytes,
) -> bool:
    """Return whether a store is a copy of this changelog, and not of an earlier one of that name.

    An earlier changelog has another id. If ids aren't known, the copy is of an earlier one if it is
    ahead of this changelog, or if this changelog has a younger record before the copy's offset.
    """
    known = position(store)
    if known is None:
        return True
    if known.changelog_id and changelog_id and known.changelog_id != changelog_id:
        return False
    younger = (await consumer.offsets_for_times({changelog: known.at_ms + 1}))[changelog]
    return known.offset <= end and (younger is None or younger.offset >= known.offset)


def apply(store: RocksStore, records: list[ConsumerRecord], changelog_id: bytes) -> int:
    """Write records of a changelog to a store; return the offset after them."""
    last = records[-1]
    known = position(store)
    at_ms = max(last.timestamp, 0 if known is None else known.at_ms)  # workers' clocks differ
    changes: dict[bytes, bytes | None] = {record.key: record.value for record in records}
    for value in changes.values():
        if isinstance(value, CutValue):
            raise StateError(
                f"a record of {last.topic}/{last.partition} has {value.record_bytes} bytes: no "
                "lineside writes such; the changelog is broken"
            )
    notes = position_notes(last.offset + 1, at_ms, changelog_id, whole=False)
    store.write([*changes.items(), *notes])
    at: int = last.offset + 1
    return at


def mark_whole(store: RocksStore) -> None:
    """Note that a store has its whole changelog; nobody else writes to the changelog any more."""
    known = position(store)
    if known is not None and not known.whole:
        store.write(position_notes(known.offset, known.at_ms, known.changelog_id, whole=True))


def state_entries(store: RocksStore) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a state as a changelog has them, the head last."""
    for key, value in store.scan(b""):
        if key not in (HEAD, POSITION, ORIGIN) and not key.startswith(FENCE):
            yield key, value
    yield from ((key, value) for key, value in store.scan(HEAD) if key == HEAD)


def start_of(store: RocksStore, begin: int) -> int:
    known = position(store)
    return begin if known is None else max(known.offset, begin)


def position(store: RocksStore) -> CopyPosition | None:
    """Return how far a store has read its changelog, None if it doesn't say.

    An earlier version leaves `ORIGIN` unchanged: then `ORIGIN` has another offset, and `whole` is
    false.
    """
    place, origin = store.get_many([POSITION, ORIGIN])
    if place is None:
        return None
    offset, at_ms, *_ = msgspec.msgpack.decode(place)  # a later version may note more
    of, changelog_id, whole, *_ = msgspec.msgpack.decode(origin) if origin else (0, b"", False)
    return CopyPosition(offset, at_ms, changelog_id, whole and of == offset)
