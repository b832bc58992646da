"""EDGE: Kafka's RecordBatches as wholes: read as blocks, and written from pairs, in one go.

aiokafka makes an object for each record that it reads, and a call for each that it writes; on this
path nothing does. It needs the compiled core (`streams.blocks`) and names that are aiokafka's own
(pinned in pyproject.toml); without the core, records go through aiokafka's public interface.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Union

import cramjam
from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from streams.cluster import record_of
from streams.headers import Header, headers_of
from streams.record import Outgoing

try:
    from streams.blocks import Block, block_from, block_of, outgoing_payload, pairs_payload
except ImportError:  # it wasn't built: see hatch_build.py
    Block = None  # type: ignore[assignment,misc]

COMPILED: Final = Block is not None
"""Whether whole batches can be had."""

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
"""Of a RecordBatch, version 2: base offset, length, leader epoch, magic, CRC, attributes, last
offset delta, first and last timestamp, producer id and epoch, base sequence, count."""

UP_TO_LENGTH: Final = 12
"""The bytes of a header that its length doesn't count."""

UP_TO_CRC: Final = 21
"""The bytes of a header that its CRC doesn't cover."""

MAGIC: Final = 2
CODECS: Final = 0x07
LZ4: Final = 3
TRANSACTIONAL: Final = 0x10

LZ4_LEVEL: Final = 1
"""aiokafka's level (9) makes batches a tenth smaller, in fifteen times the time."""

DECODERS: Final[dict[int, Callable[[Any], bytes]]] = {
    0: bytes,
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    LZ4: codec.lz4_decode,
    4: codec.zstd_decode,
}

Pair = tuple[bytes | None, bytes | None]
"""Key and value of a record."""


def whole(key: bytes | None) -> bytes | None:
    """Mark a consumer, as its `key_deserializer`, as one that gets blocks instead of records."""
    return key


class _Batches:
    """The RecordBatches of a fetch, each with its bytes; in place of aiokafka's `MemoryRecords`."""

    def __init__(self, records: "_Kept") -> None:
        self._records, self._data, self._at = records, memoryview(records.data), 0

    def has_next(self) -> bool:
        """Return whether there's another whole batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> "_Batch":
        """Return the next batch."""
        begin = self._at
        (length,) = struct.unpack_from(">i", self._data, begin + 8)
        self._at = begin + UP_TO_LENGTH + length
        return _Batch(self._records.next_batch(), self._data[begin : self._at])


class _Kept(MemoryRecords):  # type: ignore[misc]  # aiokafka's is Any to mypy
    """What was fetched, with its bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class _Batch:
    """A RecordBatch that iterates over one block in place of its records."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> "Iterator[_Piece]":
        if self._data[16] != MAGIC:
            for record in self._batch:
                yield _Piece(block_of([record_of(record)]))
            return
        codec_ = int.from_bytes(self._data[21:23], "big") & CODECS
        payload = DECODERS[codec_](self._data[HEADER.size :])
        block = block_from(self._data, payload, -1)
        if len(block):
            yield _Piece(block)


class _Piece:
    """A block that passes for a record: the last one of its own."""

    def __init__(self, block: "Block") -> None:
        self.block = block
        self.offset = block.last_offset


class _Blocks(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka's is Any to mypy
    """What was fetched of a partition, as blocks; transactions are aiokafka's business."""

    def _consumer_record(self, tp: TopicPartition, record: _Piece) -> "Block":
        block = record.block
        if block.first_offset < self.next_fetch_offset:  # a batch goes out whole, or not at all
            block = block.after(self.next_fetch_offset - 1)
        return block


_partition_records = fetcher.PartitionRecords


def _records_or_blocks(
    tp: TopicPartition, records: _Kept, aborted: Any, offset: int, key_deserializer: Any,
    *more: Any,
) -> Any:  # fmt: skip
    if key_deserializer is whole:
        return _Blocks(tp, _Batches(records), aborted, offset, None, *more)
    return _partition_records(tp, records, aborted, offset, key_deserializer, *more)


if COMPILED:
    fetcher.MemoryRecords = _Kept
    fetcher.PartitionRecords = _records_or_blocks


def joined(blocks: "Sequence[Block]") -> "Block":
    """Return blocks that follow one another as one."""
    first = blocks[0]
    for more in blocks[1:]:
        first.extend(more)
    return first


class SealedBatch:
    """A RecordBatch that is complete but for who produces it: what aiokafka's sender is given."""

    def __init__(self, payload: bytes, count: int, at_ms: int, transactional: bool) -> None:
        compressor = cramjam.lz4.Compressor(
            level=LZ4_LEVEL, content_checksum=False, block_linked=False
        )
        compressor.compress(payload)
        self._payload = bytes(compressor.finish())
        self._count, self._at_ms = count, at_ms
        self._attributes = LZ4 | (TRANSACTIONAL if transactional else 0)
        self._producer = (-1, -1, 0)
        self._built: bytes | None = None

    def close(self) -> None:
        """It is closed."""

    def closed(self) -> bool:
        """Return that nothing can be added."""
        return True

    def record_count(self) -> int:
        """Return how many records are in it."""
        return self._count

    def size(self) -> int:
        """Return how many bytes it takes."""
        return HEADER.size + len(self._payload)

    def _set_producer_state(self, id: int, epoch: int, sequence: int) -> None:
        self._producer = (id, epoch, sequence)

    def _build(self) -> bytes:
        if self._built is None:
            length = self.size() - UP_TO_LENGTH
            told = (
                self._attributes, self._count - 1, self._at_ms, self._at_ms, *self._producer,
                self._count,
            )  # fmt: skip
            covered = HEADER.pack(0, length, -1, MAGIC, 0, *told)[UP_TO_CRC:] + self._payload
            crc = calc_crc32c(covered)
            self._built = HEADER.pack(0, length, -1, MAGIC, crc, *told)[:UP_TO_CRC] + covered
        return self._built


AnyBatch = Union[BatchBuilder, SealedBatch]


def changes_batch(
    producer: Any, changes: Iterable[Pair], at_ms: int, bytes_max: int
) -> AnyBatch | None:
    """Return a RecordBatch of keys and values, or None if it takes more than `bytes_max`.

    The size is that before compression.
    """
    if COMPILED:
        return _sealed(producer, *pairs_payload(changes), at_ms, bytes_max)
    return _built(producer, ((key, value, []) for key, value in changes), at_ms)


def outgoing_batch(
    producer: Any, records: Sequence[Outgoing], at_ms: int, bytes_max: int
) -> AnyBatch | None:
    """Return a RecordBatch of outgoing records, or None if it takes more than `bytes_max`."""
    if COMPILED:
        return _sealed(producer, *outgoing_payload(records), at_ms, bytes_max)
    return _built(producer, ((one.key, one.value, headers_of(one)) for one in records), at_ms)


def _sealed(
    producer: Any, payload: bytes, count: int, at_ms: int, bytes_max: int
) -> SealedBatch | None:
    if len(payload) > bytes_max:
        return None
    manager = producer._txn_manager
    transactional = manager is not None and manager.transactional_id is not None
    return SealedBatch(payload, count, at_ms, transactional)


def _built(
    producer: Any, records: Iterable[tuple[bytes | None, bytes | None, list[Header]]], at_ms: int
) -> BatchBuilder | None:
    builder: BatchBuilder = producer.create_batch()
    for key, value, headers in records:
        if builder.append(timestamp=at_ms, key=key, value=value, headers=headers) is None:
            return None
    builder.close()
    return builder
