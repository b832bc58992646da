"""What binds a state to the log that it was made of: the topic's id, and the last record seen.

It lies under a key of its own beside the head, and is written with it, all or none. A lineside that
doesn't know of it leaves it as it is: so it has the offset that it is of, and where the head has
another, the record says nothing. The id counts always.
"""

import zlib
from typing import Final

import msgspec
from msgspec import Struct

from streams.log.record import Record
from tables.store.store import Change, Store

BINDING: Final = b"b"
"""Its key."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Binding(Struct, frozen=True, kw_only=True):
    """The log that a state was made of, and what its record at `offset` was like."""

    topic_id: bytes
    """Kafka's; empty where it isn't known."""
    offset: int
    """Of the last record that the state had seen."""
    timestamp: int | None
    checksum: int
    deleted: int = 0
    """Records that were deleted before they could be processed, and that it goes on without."""


def binding_of(record: Record, topic_id: bytes, deleted: int = 0) -> Binding:
    """Return what binds a state whose last record is `record`."""
    return Binding(
        topic_id=topic_id,
        offset=record.offset,
        timestamp=record.timestamp,
        checksum=checksum_of(record),
        deleted=deleted,
    )


def binding_change(binding: Binding) -> Change:
    """Return the change that notes a binding."""
    fields = [getattr(binding, name) for name in Binding.__struct_fields__]
    return BINDING, _encode(fields)


def read_binding(store: Store) -> Binding | None:
    """Return what a state is bound to, None for one of before there were bindings."""
    (stored,) = store.get_many([BINDING])
    if stored is None:
        return None
    fields = _decode(stored)  # a later version may note more
    return Binding(**dict(zip(Binding.__struct_fields__, fields, strict=False)))


def checksum_of(record: Record) -> int:
    """Return a CRC-32 of a record's key and value; where one ends and the other begins counts."""
    key, value = record.key, record.value
    sizes = f"{-1 if key is None else len(key)} {-1 if value is None else len(value)} "
    return zlib.crc32(value or b"", zlib.crc32(key or b"", zlib.crc32(sizes.encode())))


def same_record(binding: Binding, record: Record) -> bool:
    """Whether a record is the one that a binding is of."""
    return copied_record(binding, record) and binding.timestamp == record.timestamp


def copied_record(binding: Binding, record: Record) -> bool:
    """Whether a record is a copy of that: brokers may have given it another timestamp."""
    return (binding.offset, binding.checksum) == (record.offset, checksum_of(record))
