"""Stores behave alike: whatever one says, all say."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables.rocksdb import RocksStore, StateError
from tables.store import Change, MemoryStore, Room, SpillingStore, Store

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
    st.tuples(st.just("scan"), st.one_of(st.just(b""), keys)),
)


@settings(max_examples=max(20, settings.default.max_examples // 2))  # type: ignore[union-attr]
@given(st.lists(looks, max_size=15), st.integers(0, 6))
def test_stores_answer_alike_whatever_is_written(
    operations: list[tuple[str, list[object]]], entries_max: int
) -> None:
    """In memory, on disk, and moving from one to the other in between."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        rocks = RocksStore(Path(folder) / "rocks")
        room = Room(entries_max=entries_max)
        spilling = SpillingStore(lambda: RocksStore(Path(folder) / "spilled", wal=False), room)
        stores: list[Store] = [MemoryStore(), rocks, spilling]
        for store in stores:
            stack.callback(store.close)
        model: dict[bytes, bytes] = {}
        for name, argument in operations:
            answers = [_answer(store, name, argument) for store in stores]
            expected = _expected(model, name, argument)
            assert answers == [expected] * len(stores)
        assert room.entries <= entries_max


def _answer(store: Store, name: str, argument: list[object]) -> object:
    if name == "write":
        store.write(argument)  # type: ignore[arg-type]
        return None
    if name == "get":
        return list(store.get_many(argument))  # type: ignore[arg-type]
    return list(store.scan(argument))  # type: ignore[arg-type]


def _expected(model: dict[bytes, bytes], name: str, argument: list[object]) -> object:
    if name == "get":
        return [model.get(key) for key in argument]  # type: ignore[call-overload]
    if name == "scan":
        prefix = bytes(argument)  # type: ignore[arg-type]
        return sorted((key, value) for key, value in model.items() if key.startswith(prefix))
    for key, value in argument:  # type: ignore[misc]
        if value is None:
            model.pop(key, None)
        else:
            model[key] = value
    return None


@pytest.fixture(params=["memory", "rocks", "spilled"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    makers: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "rocks": lambda: RocksStore(tmp_path / "a"),
        "spilled": lambda: SpillingStore(
            lambda: RocksStore(tmp_path / "b", wal=False), Room(entries_max=0)
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
    room = Room(entries_max=10)
    spilled: list[str] = []

    def maker(name: str) -> Callable[[], Store]:
        def make() -> Store:
            spilled.append(name)
            return RocksStore(tmp_path / name, wal=False)

        return make

    one, other = (SpillingStore(maker(name), room) for name in ("one", "other"))
    one.write([(bytes([number]), b"") for number in range(6)])
    other.write([(bytes([number]), b"") for number in range(4)])
    assert (room.entries, spilled) == (10, [])
    other.write([(b"x", b"")])
    assert (room.entries, spilled) == (6, ["other"])
    other.write([(bytes([number]), b"") for number in range(100)])
    one.write([(b"\0", None), (b"y", b"")])
    assert (room.entries, spilled) == (6, ["other"])
    assert len(list(one.scan(b""))) == 6
    assert len(list(other.scan(b""))) == 101 - (ord("x") < 100)
    one.close()
    other.close()
