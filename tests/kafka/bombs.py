"""RecordBatches that are small on the wire and large when they are unpacked."""

import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.codec import snappy_encode
from aiokafka.record.util import calc_crc32c, encode_varint

from broker import run_apart
from streams.cluster import Cluster

PIECE_BYTES: Final = 4 << 20
"""Packed at a time: a bomb never lies unpacked in the memory of who makes it."""

Pack = Callable[[Iterator[bytes]], bytes]


class Bomb:
    """A RecordBatch of `count` records of the same key and value, as aiokafka's producer takes it."""

    def __init__(self, codec: str, key: bytes, value: bytes, count: int) -> None:
        number, pack = CODECS[codec]
        now = round(time.time() * 1000)
        body = pack(_pieces(_records(key, value, count)))
        rest = struct.pack(">hiqqqhii", number, count - 1, now, now, -1, -1, -1, count) + body
        crc = calc_crc32c(rest)
        self.bytes = struct.pack(">qiibI", 0, 9 + len(rest), -1, 2, crc) + rest
        self.count = count
        self.unpacked = count * len(value)

    def drop(self, cluster: Cluster, topic: str, partition: int) -> None:
        """Put it on a partition."""

        async def send() -> None:
            producer = AIOKafkaProducer(
                bootstrap_servers=list(cluster.servers), acks="all", max_request_size=PIECE_BYTES
            )
            await producer.start()
            try:
                await (await producer.send_batch(_Built(self), topic, partition=partition))
            finally:
                await producer.stop()

        run_apart(send())


class _Built:
    """What aiokafka asks of a batch that is complete."""

    def __init__(self, bomb: Bomb) -> None:
        self._bomb = bomb

    def close(self) -> None:
        """Nothing is open."""

    def closed(self) -> bool:
        return True

    def record_count(self) -> int:
        return self._bomb.count

    def size(self) -> int:
        return len(self._bomb.bytes)

    def build(self) -> bytes:
        return self._bomb.bytes

    def _set_producer_state(self, *_: Any) -> None:
        """It has no producer's state."""

    set_producer_state = _set_producer_state
    _build = build


def _records(key: bytes, value: bytes, count: int) -> Iterator[bytes]:
    for number in range(count):
        record = bytearray(b"\0\0")  # attributes, and no later than the first
        for part in (number, len(key)):
            encode_varint(part, record.append)
        record += key
        encode_varint(len(value), record.append)
        record += value + b"\0"  # and no headers
        length = bytearray()
        encode_varint(len(record), length.append)
        yield bytes(length + record)


def _pieces(records: Iterator[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for record in records:
        held += record
        if len(held) >= PIECE_BYTES:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def _gzip(pieces: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*map(packer.compress, pieces), packer.flush()])


def _cramjam(compressor: Callable[[], Any]) -> Pack:
    def pack(pieces: Iterator[bytes]) -> bytes:
        packer = compressor()
        for piece in pieces:
            packer.compress(piece)
        return bytes(packer.finish())

    return pack


def _snappy(pieces: Iterator[bytes]) -> bytes:
    packed: bytes = snappy_encode(b"".join(pieces))
    return packed


CODECS: Final[dict[str, tuple[int, Pack]]] = {
    "gzip": (1, _gzip),
    "snappy": (2, _snappy),
    "lz4": (3, _cramjam(cramjam.lz4.Compressor)),
    "zstd": (4, _cramjam(cramjam.zstd.Compressor)),
}
"""Kafka's numbers of them, and how each packs."""
