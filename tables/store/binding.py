"""What binds a state to the log that it was made from: the topic's id, and the last record seen.

A binding has its own key beside the head, and is written together with it. A version of lineside
that doesn't know bindings leaves this one as it is. So a binding has the offset for which it was
written: if the head has another offset, only the topic's id counts, not the record.
"""

import zlib
from typing import Final

import msgspec
from msgspec import Struct

from streams.log.record import Record
from tables.store.store import Change, Store

BINDING: Final = b"b"
"""The key of the binding."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Binding(Struct, frozen=True, kw_only=True):
    """The log that a state was made from, and the record at `offset` in that log."""

    topic_id: bytes
    """Kafka's id of the topic; empty if it isn't known."""
    offset: int
    """The offset of the last record that the state had seen."""
    timestamp: int | None
    checksum: int
    deleted: int = 0
    """Records that were deleted before they could be processed, and that the state lacks."""


def binding_of(record: Record, topic_id: bytes, deleted: int = 0) -> Binding:
    """Return the binding of a state whose last record is `record`."""
    return Binding(
        topic_id=topic_id,
        offset=record.offset,
        timestamp=record.timestamp,
        checksum=checksum_of(record),
        deleted=deleted,
    )


def binding_change(binding: Binding) -> Change:
    """Return the change that stores a binding."""
    fields = [getattr(binding, name) for name in Binding.__struct_fields__]
    return BINDING, _encode(fields)


def read_binding(store: Store) -> Binding | None:
    """Return the binding of a state, None for a state without one."""
    (stored,) = store.get_many([BINDING])
    if stored is None:
        return None
    fields = _decode(stored)  # a later version may note more
    return Binding(**dict(zip(Binding.__struct_fields__, fields, strict=False)))


def checksum_of(record: Record) -> int:
    """Return a CRC-32 of a record's key and value, and of their sizes."""
    key, value = record.key, record.value
    sizes = f"{-1 if key is None else len(key)} {-1 if value is None else len(value)} "
    return zlib.crc32(value or b"", zlib.crc32(key or b"", zlib.crc32(sizes.encode())))


def same_record(binding: Binding, record: Record) -> bool:
    """Return whether a record is the one in a binding."""
    return copied_record(binding, record) and binding.timestamp == record.timestamp


def copied_record(binding: Binding, record: Record) -> bool:
    """Return whether a record is a copy of it; its timestamp may differ."""
    return (binding.offset, binding.checksum) == (record.offset, checksum_of(record))
