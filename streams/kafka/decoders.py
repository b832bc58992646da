"""The codecs of RecordBatches: payloads are unpacked a chunk at a time, as chunks are taken."""

import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import cramjam
import lz4.frame

from streams.log.record import BatchError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_BYTES_MAX: Final = 1 << 20
"""Unpacked at a time. A piece may exceed it by a record that began before it."""

WINDOWS_BYTES_MAX: Final = 256 << 20
"""Memory that the open decoders of a process keep to refer back to. A zstd frame may ask for 128
MiB, the limit of decoders and brokers alike."""

SNAPPY_RATIO_MAX: Final = 22
"""No snappy block unpacks to more than this many times its size: a copy of 64 bytes takes 3."""

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4

XERIAL: Final = b"\x82SNAPPY\x00"
"""Java's snappy: a header of 16 bytes, then blocks, each behind its length."""
XERIAL_HEADER_BYTES: Final = 16

Errors = (zlib.error, zstd.ZstdError, cramjam.DecompressionError, RuntimeError)
"""Errors that codecs raise on broken bytes; `RuntimeError` is lz4's."""


class Windows:
    """How much memory decoders hold: one that would pass the bound waits, unless it is alone."""

    def __init__(self, bytes_max: int = WINDOWS_BYTES_MAX) -> None:
        self.bytes = 0
        self._bytes_max = bytes_max

    def take(self, size: int) -> bool:
        """Reserve room; return False if there is none."""
        if size and self.bytes and self.bytes + size > self._bytes_max:
            return False
        self.bytes += size
        return True

    def give(self, size: int) -> None:
        """Return room."""
        self.bytes -= size


Chunk = tuple[bytes, bool]
"""Unpacked bytes, and whether they are the last."""


def chunks(codec: int, data: memoryview, windows: Windows) -> Iterator[Chunk | None]:
    """Yield what a payload unpacks to, at most `PIECE_BYTES_MAX` at a time."""
    if codec == 0:
        return _sliced(data)
    if codec == GZIP:
        return _inflated(data)
    if codec == SNAPPY:
        return _of_snappy(data, windows)
    if codec == LZ4:
        return _framed(data, lz4.frame.LZ4FrameDecompressor, windows)
    if codec == ZSTD:
        return _framed(data, zstd.ZstdDecompressor, windows)
    raise BatchError(f"its codec is {codec}: Kafka has none of that number")


def _sliced(data: bytes | memoryview) -> Iterator[Chunk]:
    for begin in range(0, len(data), PIECE_BYTES_MAX):
        end = begin + PIECE_BYTES_MAX
        yield bytes(data[begin:end]), end >= len(data)


def _inflated(data: bytes | memoryview) -> Iterator[Chunk]:
    """Yield what gzip's members unpack to."""
    while data:
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        while not member.eof:
            chunk = member.decompress(data, PIECE_BYTES_MAX)
            data = member.unconsumed_tail
            if not chunk and not data and not member.eof:
                raise BatchError("it is cut short")
            rest = member.unused_data.lstrip(b"\0")  # zeros may follow a member
            if chunk:
                yield chunk, member.eof and not rest
        data = rest


def _framed(
    data: bytes | memoryview, new: Callable[[], Any], windows: Windows
) -> Iterator[Chunk | None]:
    """Yield what the frames of lz4 or zstd unpack to."""
    while data:
        window = window_bytes(data) if new is zstd.ZstdDecompressor else 0
        while not windows.take(window):
            yield None
        try:
            frame, given = new(), data
            while not frame.eof:
                chunk = frame.decompress(given, max_length=PIECE_BYTES_MAX)
                given = b""
                if chunk:
                    yield chunk, frame.eof and not frame.unused_data
                elif not frame.eof and frame.needs_input:
                    raise BatchError("it is cut short")
            data = frame.unused_data or b""
        finally:
            windows.give(window)


def window_bytes(frame: bytes | memoryview) -> int:
    """Return the window size of a zstd frame's decoder in bytes (RFC 8878, 3.1.1.1)."""
    head = bytes(frame[:14]).ljust(14, b"\0")
    descriptor = head[4]
    if not descriptor & 0x20:
        base = 1 << 10 + (head[5] >> 3)
        return base + (base >> 3) * (head[5] & 7)
    begin = 5 + (0, 1, 2, 4)[descriptor & 3]  # after the dictionary's id
    size = (1, 2, 4, 8)[descriptor >> 6]
    return int.from_bytes(head[begin : begin + size], "little") + (256 if size == 2 else 0)


def _of_snappy(data: memoryview, windows: Windows) -> Iterator[Chunk | None]:
    """Yield what snappy blocks unpack to: Java's blocks with headers, or a single block."""
    if bytes(data[: len(XERIAL)]) != XERIAL:
        yield from _block(data, windows)
        return
    at, gathered, size = XERIAL_HEADER_BYTES, [], 0
    while at < len(data):
        try:
            (length,) = struct.unpack_from(">i", data, at)
        except struct.error:
            raise BatchError("it is cut short") from None
        block = data[at + 4 : at + 4 + length]
        if not 0 <= length == len(block):
            raise BatchError("it is cut short")
        at += 4 + length
        for found in _block(block, windows):
            if found is None:
                yield None
                continue
            gathered.append(found[0])
            size += len(found[0])
            if size >= PIECE_BYTES_MAX:
                yield b"".join(gathered), at >= len(data) and found[1]
                gathered, size = [], 0
    if gathered:
        yield b"".join(gathered), True


def _block(data: memoryview, windows: Windows) -> Iterator[Chunk | None]:
    """Yield what a snappy block unpacks to; all of its input is needed at once."""
    size = cramjam.snappy.decompress_raw_len(data)
    if size > SNAPPY_RATIO_MAX * len(data):
        raise BatchError(f"it can't be unpacked: {len(data)} bytes of snappy aren't {size}")
    while not windows.take(size):
        yield None
    try:
        yield from _sliced(memoryview(cramjam.snappy.decompress_raw(data)))
    finally:
        windows.give(size)
