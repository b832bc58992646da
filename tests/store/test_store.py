"""Stores behave alike: whatever one says, all say."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables.store.rocksdb import CopyDamagedError, DamagedError, RocksStore, StateError
from tables.store.store import Change, MemoryBudget, MemoryStore, SpillingStore, Store

SCANS = 20_000
SCANS_SECONDS_MAX = 5.0
"""A twentieth of a second; half a minute where each passes all keys."""

keys = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.builds(
        bytes.__add__,
        st.sampled_from([b"l", b"w", b"x", b"\xff"]),
        st.sampled_from([b"", b"a", b"a\0", b"ab", b"\xff\xff"]),
    ),
)
values = st.binary(max_size=4)
changes = st.lists(st.tuples(keys, st.none() | values), max_size=8)
looks = st.one_of(
    st.tuples(st.just("write"), changes),
    st.tuples(st.just("get"), st.lists(keys, max_size=8)),
    st.tuples(st.just("scan"), st.tuples(st.one_of(st.just(b""), keys), st.just(b"") | keys)),
)


@settings(max_examples=max(20, settings.default.max_examples // 2))  # type: ignore[union-attr]
@given(st.lists(looks, max_size=15), st.integers(0, 6))
def test_stores_answer_alike_whatever_is_written(
    operations: list[tuple[str, list[object]]], entries_max: int
) -> None:
    """In memory, on disk, and moving from one to the other in between."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        rocks = RocksStore(Path(folder) / "rocks")
        budget = MemoryBudget(entries_max=entries_max)
        spilling = SpillingStore(lambda: RocksStore(Path(folder) / "spilled", wal=False), budget)
        stores: list[Store] = [MemoryStore(), rocks, spilling]
        for store in stores:
            stack.callback(store.close)
        model: dict[bytes, bytes] = {}
        for name, argument in operations:
            answers = [_answer(store, name, argument) for store in stores]
            expected = _expected(model, name, argument)
            assert answers == [expected] * len(stores)
        assert budget.entries <= entries_max


def _answer(store: Store, name: str, argument: list[object]) -> object:
    if name == "write":
        store.write(argument)  # type: ignore[arg-type]
        return None
    if name == "get":
        return list(store.get_many(argument))  # type: ignore[arg-type]
    return list(store.scan(*argument))  # type: ignore[arg-type]


def _expected(model: dict[bytes, bytes], name: str, argument: list[object]) -> object:
    if name == "get":
        return [model.get(key) for key in argument]  # type: ignore[call-overload]
    if name == "scan":
        prefix, after = map(bytes, argument)  # type: ignore[arg-type]
        found = sorted((key, value) for key, value in model.items() if key.startswith(prefix))
        return [(key, value) for key, value in found if not after or key > after]
    for key, value in argument:  # type: ignore[misc]
        if value is None:
            model.pop(key, None)
        else:
            model[key] = value
    return None


def test_a_scan_in_memory_passes_its_own_keys_only() -> None:
    store = MemoryStore()
    store.write([(b"x%05d" % number, b"") for number in range(SCANS)])
    began = process_time()
    assert all(list(store.scan(b"x%05d" % number)) for number in range(SCANS))
    assert process_time() - began < SCANS_SECONDS_MAX


@pytest.fixture(params=["memory", "rocks", "spilled"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    makers: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "rocks": lambda: RocksStore(tmp_path / "a"),
        "spilled": lambda: SpillingStore(
            lambda: RocksStore(tmp_path / "b", wal=False), MemoryBudget(entries_max=0)
        ),
    }
    store = makers[request.param]()
    yield store
    store.close()


def test_of_a_key_written_twice_in_one_batch_the_last_counts(made: Store) -> None:
    made.write([(b"a", b"1"), (b"a", None), (b"b", None), (b"b", b"2"), (b"c", b"1"), (b"c", b"2")])
    assert made.get_many([b"a", b"b", b"c"]) == [None, b"2", b"2"]


def test_an_empty_value_is_a_value(made: Store) -> None:
    made.write([(b"a", b"")])
    assert made.get_many([b"a", b"b", b"a"]) == [b"", None, b""]
    assert list(made.scan(b"a")) == [(b"a", b"")]


def test_an_empty_write_and_an_empty_look_up_are_fine(made: Store) -> None:
    made.write([])
    assert made.get_many([]) == []
    assert list(made.scan(b"x")) == []


def test_a_scan_goes_by_the_bytes_of_the_keys_and_stops_at_its_prefix(made: Store) -> None:
    names = [b"wb", b"w\xff", b"x", b"w", b"v\xff\xff", b"wa\0", b"wa"]
    made.write([(name, b"") for name in names])
    assert [key for key, _ in made.scan(b"w")] == [b"w", b"wa", b"wa\0", b"wb", b"w\xff"]
    assert [key for key, _ in made.scan(b"wa")] == [b"wa", b"wa\0"]
    assert [key for key, _ in made.scan(b"")] == sorted(names)


def test_a_scan_may_be_left_early(made: Store) -> None:
    made.write([(bytes([1, number]), b"") for number in range(10)])
    assert next(iter(made.scan(b"\x01"))) == (b"\x01\x00", b"")


def test_what_rocksdb_was_given_is_there_after_a_reopen(tmp_path: Path) -> None:
    given_: list[Change] = [(b"a\0b", b"\0" * 1_000), (b"\xff", b"2")]
    for wal in (True, False):
        store = RocksStore(tmp_path / str(wal), wal=wal)
        store.write(given_)
        store.close()
        again = RocksStore(tmp_path / str(wal), wal=wal)
        assert list(again.scan(b"")) == given_
        again.close()


def test_a_state_in_use_is_refused_with_a_sentence(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "a")
    with pytest.raises(StateError, match="can't be opened"):
        RocksStore(tmp_path / "a")
    store.close()


def test_a_room_is_shared_and_bounds_what_is_in_memory(tmp_path: Path) -> None:
    budget = MemoryBudget(entries_max=10)
    spilled: list[str] = []

    def maker(name: str) -> Callable[[], Store]:
        def make() -> Store:
            spilled.append(name)
            return RocksStore(tmp_path / name, wal=False)

        return make

    one, other = (SpillingStore(maker(name), budget) for name in ("one", "other"))
    one.write([(bytes([number]), b"") for number in range(6)])
    other.write([(bytes([number]), b"") for number in range(4)])
    assert (budget.entries, spilled) == (10, [])
    other.write([(b"x", b"")])
    assert (budget.entries, spilled) == (6, ["other"])
    other.write([(bytes([number]), b"") for number in range(100)])
    one.write([(b"\0", None), (b"y", b"")])
    assert (budget.entries, spilled) == (6, ["other"])
    assert len(list(one.scan(b""))) == 6
    assert len(list(other.scan(b""))) == 101 - (ord("x") < 100)
    one.close()
    other.close()


# Damaged files.

KEPT: list[Change] = [(b"l%05d" % number, b"%060d" % number) for number in range(5_000)]
"""Of many blocks."""


def files_of(path: Path) -> list[Path]:
    return sorted(path.glob("*.sst"))


def flip(path: Path, at: float, size: int = 64) -> None:
    """Turn all bits of some bytes of a store's files, at a share of their length."""
    for file in files_of(path):
        found = bytearray(file.read_bytes())
        begin = int(len(found) * at)
        found[begin : begin + size] = bytes(byte ^ 0xFF for byte in found[begin : begin + size])
        file.write_bytes(found)


def cut(path: Path) -> None:
    for file in files_of(path):
        os.truncate(file, 100)


def remove(path: Path) -> None:
    for file in files_of(path):
        file.unlink()


def cut_manifest(path: Path) -> None:
    for file in path.glob("MANIFEST-*"):
        os.truncate(file, file.stat().st_size // 2)


def garble_current(path: Path) -> None:
    (path / "CURRENT").write_bytes(b"MANIFEST-999999\n")


def kept(path: Path, **options: bool) -> RocksStore:
    """Return a store that was filled and closed: its files are there."""
    store = RocksStore(path, **options)
    store.write(KEPT)
    store.close()
    assert files_of(path)
    return RocksStore(path, **options)


DAMAGES: list[Callable[[Path], None]] = [
    lambda path: flip(path, 0.0),
    lambda path: flip(path, 0.5),
    cut,
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("how", ["get", "scan"])
@pytest.mark.parametrize("copy", [True, False])
def test_a_read_that_comes_upon_damage_says_so(
    tmp_path: Path, damage: Callable[[Path], None], how: str, copy: bool
) -> None:
    """None of them ends early, as if there were no more."""
    store = kept(tmp_path / "a", copy=copy)
    damage(tmp_path / "a")
    with pytest.raises(CopyDamagedError if copy else DamagedError, match="damaged") as raised:
        _ = store.get_many([k for k, _ in KEPT]) if how == "get" else list(store.scan(b"l"))
    assert "\n" not in str(raised.value)
    assert store.damaged
    with pytest.raises(StateError, match="damaged"):
        store.write([(b"l", b"")])
    store.close()
    assert (tmp_path / "a").exists() is not copy


@pytest.mark.parametrize("damage", [cut, remove, cut_manifest, garble_current])
def test_an_opening_that_comes_upon_damage_says_so(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    kept(tmp_path / "a").close()
    damage(tmp_path / "a")
    with pytest.raises(StateError, match="restore the folder that it is in from a backup"):
        RocksStore(tmp_path / "a")
    assert (tmp_path / "a").exists()
    with pytest.raises(CopyDamagedError, match="made again from its changelog"):
        RocksStore(tmp_path / "a", copy=True)
    RocksStore(tmp_path / "a", copy=True).close()


def test_a_copy_that_is_in_use_isnt_thrown_away(tmp_path: Path) -> None:
    store = kept(tmp_path / "a", copy=True)
    with pytest.raises(StateError, match="can't be opened") as raised:
        RocksStore(tmp_path / "a", copy=True)
    assert not isinstance(raised.value, CopyDamagedError)
    assert list(store.scan(b"l")) == KEPT
    store.close()


@pytest.mark.parametrize("how", ["get", "scan"])
def test_a_damaged_copy_is_made_anew_while_its_error_is_still_told(
    tmp_path: Path, how: str
) -> None:
    store = kept(tmp_path / "a", copy=True)
    flip(tmp_path / "a", 0.5)
    with pytest.raises(CopyDamagedError) as raised:
        _ = store.get_many([k for k, _ in KEPT]) if how == "get" else list(store.scan(b"l"))
    store.close()
    again = RocksStore(tmp_path / "a", copy=True)
    assert list(again.scan(b"l")) == []
    again.close()
    assert raised.value.__traceback__ is not None


def test_a_scan_that_was_cut_short_and_forgotten_keeps_no_directory(tmp_path: Path) -> None:
    store = kept(tmp_path / "a")
    scan = store.scan(b"l")
    next(scan)
    cycle: list[object] = [scan]
    cycle.append(cycle)
    gc.disable()
    try:
        del scan, cycle
        store.close()
        again = RocksStore(tmp_path / "a")
    finally:
        gc.enable()
    assert list(again.scan(b"l")) == KEPT
    again.close()


def test_a_scan_that_ends_at_its_last_key_finds_no_damage(tmp_path: Path) -> None:
    store = kept(tmp_path / "a")
    assert list(store.scan(b"l")) == KEPT
    assert list(store.scan(b"m")) == []
    assert not store.damaged
    store.close()
