"""RecordBatches that unpack to more than they are, made without ever having all of it."""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cramjam
import lz4.frame
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from streams.kafka.cluster import BATCH_BYTES_MAX, Cluster
from streams.kafka.decoders import GZIP, LZ4, SNAPPY, XERIAL, ZSTD, zstd
from streams.kafka.record_batches import HEADER
from streams.kafka.unpacking import varint

NAMES = {GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}
CODECS = list(NAMES)
UP_TO_CRC = 21
BLOCK_BYTES = 32 << 10
"""Before compression, of Java's snappy."""


def record(
    number: int, key: bytes | None, value: bytes | None, headers: bytes = varint(0)
) -> Iterator[bytes]:
    """Yield a record as a RecordBatch has it, in parts; `headers` with their count."""
    head = b"\0" + varint(0) + varint(number) + field(key) + size_of(value)
    yield varint(len(head) + len(value or b"") + len(headers)) + head
    yield value or b""
    yield headers


def size_of(data: bytes | None) -> bytes:
    return varint(-1 if data is None else len(data))


def field(data: bytes | None) -> bytes:
    return size_of(data) + (data or b"")


def batch(payload: bytes, codec: int, count: int, base: int = 0, at_ms: int = 0) -> bytes:
    """Return a RecordBatch of a payload that is compressed already."""
    told = (codec, count - 1, at_ms, at_ms, -1, -1, -1, count)
    covered = HEADER.pack(0, 0, -1, 2, 0, *told)[UP_TO_CRC:] + payload
    length = 9 + len(covered)
    return HEADER.pack(base, length, -1, 2, calc_crc32c(covered), *told)[:UP_TO_CRC] + covered


def packed(codec: int, parts: Iterable[bytes]) -> bytes:
    """Return what parts are compressed to, one after the other."""
    if codec == SNAPPY:
        blocks = (
            part[at : at + BLOCK_BYTES] for part in parts for at in range(0, len(part), BLOCK_BYTES)
        )
        return XERIAL + struct.pack(">ii", 1, 1) + b"".join(map(_block, blocks))
    if codec == LZ4:
        frame = lz4.frame.LZ4FrameCompressor(
            block_size=lz4.frame.BLOCKSIZE_MAX64KB,
            block_linked=False,  # as Kafka wants it
        )
        return b"".join([frame.begin(), *map(frame.compress, parts), frame.flush()])
    maker: Any = zlib.compressobj(wbits=31) if codec == GZIP else zstd.ZstdCompressor()
    compress: Callable[[bytes], bytes] = maker.compress
    return b"".join([*map(compress, parts), maker.flush()])


def _block(part: bytes) -> bytes:
    block = bytes(cramjam.snappy.compress_raw(part))
    return struct.pack(">i", len(block)) + block


def bomb(codec: int, records: int, value_bytes: int, at_ms: int = 0) -> bytes:
    """Return a RecordBatch of so many records with values of zeros."""
    value = bytes(value_bytes)
    parts = (part for number in range(records) for part in record(number, b"DE01/L1", value))
    return batch(packed(codec, (part for part in parts if part)), codec, records, at_ms=at_ms)


class Ready:
    """A RecordBatch that is complete, as aiokafka's sender takes it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def close(self) -> None:
        """It is closed."""

    def closed(self) -> bool:
        return True

    def record_count(self) -> int:
        return int.from_bytes(self._data[57:61], "big")

    def size(self) -> int:
        return len(self._data)

    def _set_producer_state(self, *state: int) -> None:
        """It is nobody's."""

    def _build(self) -> bytes:
        return self._data


async def send(cluster: Cluster, data: bytes, topic: str, partition: int) -> None:
    """Put a RecordBatch on a topic, as it is."""
    producer = AIOKafkaProducer(
        bootstrap_servers=list(cluster.servers), max_request_size=BATCH_BYTES_MAX
    )
    await producer.start()
    try:
        await (await producer.send_batch(Ready(data), topic, partition=partition))
    finally:
        await producer.stop()
