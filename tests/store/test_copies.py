"""Local copies of changelogs: what of them goes to a new one, and what happens to damaged ones."""

import os
from pathlib import Path

import msgspec
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.cluster import Cluster
from streams.kafka.writer import (
    CHANGES_BATCH_BYTES,
    ORIGIN,
    POSITION,
    RECORD_BYTES_MAX,
    fence_key,
    parted,
    position_notes,
)
from tables.store.changelog import Standby
from tables.store.local_copy import mark_whole, open_store, position, state_entries
from tables.store.rocksdb import RocksStore, StateError
from tables.store.store import HEAD

CHANGELOG = TopicPartition("lineside-mes.events.v1-changelog", 0)
DAY_MS = 86_400_000


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=8), st.integers(0, 1_000_000)), max_size=12)
)
def test_a_state_is_cut_into_parts_that_a_broker_takes(sizes: list[tuple[bytes, int]]) -> None:
    entries = [(b"%d " % n + key, bytes(size)) for n, (key, size) in enumerate(sizes)]
    parts = list(parted(entries))
    assert [pair for part in parts for pair in part] == entries
    for part in parts:
        sizes_ = [len(key) + len(value) + RECORD_BYTES_MAX for key, value in part]
        assert sum(sizes_) <= CHANGES_BATCH_BYTES or len(part) == 1


def test_what_goes_to_a_new_changelog_has_its_head_last_and_nothing_of_the_place(
    tmp_path: Path,
) -> None:
    store = RocksStore(tmp_path / "a")
    notes = position_notes(7, 1, b"an id", whole=False)
    store.write([*notes, (fence_key(4), b"owner"), (HEAD, b"head"), (b"x", b"1"), (b"b", b"2")])
    assert list(state_entries(store)) == [(b"b", b"2"), (b"x", b"1"), (HEAD, b"head")]
    store.close()


def test_a_copy_is_whole_once_its_recovery_has_come_to_the_end(tmp_path: Path) -> None:
    store = open_store(tmp_path, CHANGELOG, DAY_MS * 20_000_000)
    mark_whole(store)
    assert position(store) is None
    store.write(position_notes(7, 1, b"an id", whole=False))
    assert (noted := position(store)) is not None
    assert not noted.whole
    mark_whole(store)
    assert (noted := position(store)) is not None
    assert (noted.offset, noted.at_ms, noted.changelog_id, noted.whole) == (7, 1, b"an id", True)
    store.close()


def test_a_copy_that_an_earlier_version_went_on_with_isnt_taken_for_whole(tmp_path: Path) -> None:
    """It notes its place in two members, reads no more, and leaves the rest as it was."""
    store = open_store(tmp_path, CHANGELOG, DAY_MS * 20_000_000)
    store.write(position_notes(7, 1, b"an id", whole=True))
    (place,) = store.get_many([POSITION])
    assert place is not None
    assert msgspec.msgpack.decode(place) == [7, 1]
    store.write([(POSITION, msgspec.msgpack.encode([9, 2]))])
    assert (noted := position(store)) is not None
    assert (noted.offset, noted.at_ms, noted.changelog_id, noted.whole) == (9, 2, b"an id", False)
    store.write([(ORIGIN, None)])
    assert (noted := position(store)) is not None
    assert (noted.offset, noted.changelog_id, noted.whole) == (9, b"", False)
    store.close()


def damaged(folder: Path) -> Path:
    """Make a copy that can be opened, and not read."""
    store = open_store(folder, CHANGELOG, DAY_MS)
    store.write([(b"l%d" % number, os.urandom(50)) for number in range(1_000)])
    store.close()
    path = folder / f"{CHANGELOG.topic}-{CHANGELOG.partition}"
    for file in path.glob("*.sst"):
        found = bytearray(file.read_bytes())
        found[20:84] = bytes(64)
        file.write_bytes(found)
    return path


def test_a_copy_that_is_found_damaged_when_it_is_opened_is_made_anew(tmp_path: Path) -> None:
    damaged(tmp_path)
    store = open_store(tmp_path, CHANGELOG, DAY_MS)
    assert list(store.scan(b"")) == []
    assert not store.damaged
    store.close()


async def test_a_standby_that_cant_open_all_its_copies_lets_go_of_them(tmp_path: Path) -> None:
    one, other = CHANGELOG, CHANGELOG._replace(partition=1)
    in_use = open_store(tmp_path, other, DAY_MS)
    with pytest.raises(StateError, match="can't be opened"):
        Standby(Cluster(("127.0.0.1:1",)), tmp_path, {one, other}, DAY_MS, 2)
    open_store(tmp_path, one, DAY_MS).close()  # nobody has it
    in_use.close()
