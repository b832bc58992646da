"""EDGE: whole RecordBatches of Kafka, written from pairs or outgoing records in one call.

aiokafka makes a call for each record that it writes; this way makes none. It needs the compiled
core (`streams.log.blocks`) and internals of aiokafka (pinned in pyproject.toml); without the core,
records go through aiokafka's public interface.
"""

import struct
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, Final, Union

import cramjam
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from streams.core import loaded
from streams.log.headers import Header, headers_of
from streams.log.record import Outgoing

COMPILED: Final = loaded("streams.log.blocks")
"""Whether whole batches can be written."""

if COMPILED:
    from streams.log.blocks import outgoing_payload, pairs_payload

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
"""A RecordBatch's header, version 2: base offset, length, leader epoch, magic, CRC, attributes,
last offset delta, first and last timestamp, producer id and epoch, base sequence, count."""

UP_TO_LENGTH: Final = 12
"""The bytes of a header that its length doesn't count."""

UP_TO_CRC: Final = 21
"""The bytes of a header that its CRC doesn't cover."""

MAGIC: Final = 2
LZ4: Final = 3
TRANSACTIONAL: Final = 0x10

LZ4_LEVEL: Final = 1
"""aiokafka's level (9) makes batches a tenth smaller, in fifteen times the time."""

Pair = tuple[bytes | None, bytes | None]
"""Key and value of a record."""


class SealedBatch:
    """A RecordBatch without its producer's id, which aiokafka's sender adds."""

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

    def again(self) -> "SealedBatch":
        """Return the same records as a batch for another place."""
        other = copy(self)
        other._producer, other._built = (-1, -1, 0), None
        return other

    def close(self) -> None:
        """Do nothing: a sealed batch is closed already."""

    def closed(self) -> bool:
        """Return True: nothing can be added."""
        return True

    def record_count(self) -> int:
        """Return how many records the batch has."""
        return self._count

    def size(self) -> int:
        """Return how many bytes the batch has."""
        return HEADER.size + len(self._payload)

    def _set_producer_state(self, id: int, epoch: int, sequence: int) -> None:
        self._producer = (id, epoch, sequence)

    def _build(self) -> bytes:
        if self._built is None:
            length = self.size() - UP_TO_LENGTH
            fields = (
                self._attributes, self._count - 1, self._at_ms, self._at_ms, *self._producer,
                self._count,
            )  # fmt: skip
            covered = HEADER.pack(0, length, -1, MAGIC, 0, *fields)[UP_TO_CRC:] + self._payload
            crc = calc_crc32c(covered)
            self._built = HEADER.pack(0, length, -1, MAGIC, crc, *fields)[:UP_TO_CRC] + covered
        return self._built


AnyBatch = Union[BatchBuilder, SealedBatch]


def changes_batch(
    producer: Any, changes: Iterable[Pair], at_ms: int, bytes_max: int
) -> AnyBatch | None:
    """Return a RecordBatch of keys and values, or None if it takes more than `bytes_max`.

    The size counts before compression.
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
