"""Records as a log holds them: what an input partition gives, what an output topic takes."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from streams.trouble import Trouble

RECORD_BYTES_MAX: Final = 16 << 20
"""A larger record is cut while it's read: no event is so large, and a state's changes are smaller
(`BATCH_BYTES_MAX`, streams/kafka/cluster.py)."""

ORIGINAL_BYTES_MAX: Final = 6 << 20
"""So much of a refused value is passed on: with a third more for base64 it's 8 MiB, and with the
key and the headers less than the 16 MiB that a topic of exceptions takes."""

KEY_BYTES_MAX: Final = 4 << 10
"""So much of its key, both in the exception and as its key; an event's has 1,025 bytes at most."""

HEADERS_BYTES_MAX: Final = 512 << 10
"""So much of its headers, as a RecordBatch has them."""

TP = tuple[str, int]
"""(topic, partition)"""


class BatchError(Trouble, ValueError):
    """Bytes that aren't a RecordBatch."""


class CutValue(bytes):
    """The beginning of the value of a record that was too large to be read whole."""

    value_bytes: int
    """How many there were; 0 for a null."""
    record_bytes: int
    """How many the record had, its key and its headers included."""

    def __new__(cls, beginning: bytes, value_bytes: int, record_bytes: int) -> "CutValue":
        """Return a beginning, and what it's the beginning of."""
        value = super().__new__(cls, beginning)
        value.value_bytes, value.record_bytes = value_bytes, record_bytes
        return value


class Record(Struct, frozen=True, gc=False):
    """One record of an input partition.

    `timestamp` is in microseconds since the epoch, None where the log has none (a bare file).
    """

    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Outgoing(Struct, frozen=True, gc=False):
    """One record for an output topic: `id` is its posting key, `key` its Kafka key.

    `trace` is the W3C traceparent of the event that made it leave at once, where that has one.
    """

    topic: str
    key: bytes | None
    id: str
    type: str
    value: bytes
    trace: bytes | None = None


def murmur2(key: bytes) -> int:
    """Return Kafka's murmur2 hash of `key`, 31 bits: the Java client's default partitioner."""
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    length = len(key)
    state = 0x9747B28C ^ length
    for start in range(0, length - length % 4, 4):
        word = int.from_bytes(key[start : start + 4], "little") * multiplier & mask
        word = (word ^ word >> 24) * multiplier & mask
        state = state * multiplier & mask ^ word
    tail = key[length - length % 4 :]
    if tail:
        state = (state ^ int.from_bytes(tail, "little")) * multiplier & mask
    state = (state ^ state >> 13) * multiplier & mask
    return (state ^ state >> 15) & 0x7FFFFFFF


def partition_of(key: bytes | None, partitions: int) -> int:
    """Return the partition of `key` among `partitions`; a record without a key goes to 0."""
    return murmur2(key) % partitions if key is not None and partitions > 1 else 0
