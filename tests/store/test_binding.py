"""What binds a state to its log: another record is told from it, and other versions are read."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.log.record import Record
from tables.store.binding import (
    BINDING,
    binding_change,
    binding_of,
    copied_record,
    read_binding,
    same_record,
)
from tables.store.store import MemoryStore

parts = st.none() | st.binary(max_size=3)
records = st.builds(Record, st.integers(0, 2), st.none() | st.integers(0, 2), parts, parts)


@given(records, records)
def test_a_binding_is_of_one_record(one: Record, other: Record) -> None:
    """Key, value, where one ends and the other begins, time and place count; headers don't."""
    assert same_record(binding_of(one, b"topic", 3), other) is (one == other)
    there = (one.offset, one.key, one.value) == (other.offset, other.key, other.value)
    assert copied_record(binding_of(one, b"topic"), other) is there


@given(records, st.binary(max_size=16), st.integers(0, 2**40))
def test_a_binding_is_read_as_it_was_written(record: Record, topic_id: bytes, gone: int) -> None:
    store = MemoryStore()
    assert read_binding(store) is None
    binding = binding_of(record, topic_id, gone)
    store.write([binding_change(binding)])
    assert read_binding(store) == binding


def test_what_a_later_version_notes_besides_is_passed_over() -> None:
    binding = binding_of(Record(7, 1, b"k", b"v"), b"topic")
    key, value = binding_change(binding)
    assert value is not None
    later = [*msgspec.msgpack.decode(value), "more"]
    store = MemoryStore()
    store.write([(BINDING, msgspec.msgpack.encode(later))])
    assert (key, read_binding(store)) == (BINDING, binding)
