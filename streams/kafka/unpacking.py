"""The records of a RecordBatch, unpacked in pieces of whole records that are bounded in bytes.

A few bytes can unpack to gigabytes. So a batch is unpacked only as far as its pieces are taken. A
record that is too large is cut while it is read: the beginnings of key, value and headers stay.
"""

from collections.abc import Callable, Generator, Iterator, Sequence

from msgspec import Struct

from streams.core import loaded
from streams.kafka.decoders import Chunk, Errors, Windows, chunks
from streams.log.record import (
    HEADERS_BYTES_MAX,
    KEY_BYTES_MAX,
    ORIGINAL_BYTES_MAX,
    RECORD_BYTES_MAX,
    BatchError,
    CutValue,
)


class Piece(Struct, frozen=True, gc=False):
    """Consecutive records, in the bytes that follow a RecordBatch's header."""

    data: bytes
    records: int
    cut: CutValue | None = None
    """The value of the piece's only record, if that was cut."""


class Split(Struct, frozen=True, gc=False):
    """A record of a piece; its timestamp and offset count from those of the batch."""

    timestamp: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]]


def pieces(codec: int, payload: memoryview, count: int, windows: Windows) -> Iterator[Piece | None]:
    """Yield the `count` records after a RecordBatch's header in pieces.

    Yields None while no piece is complete: much is skipped, or there is no room to unpack. Raises
    `BatchError` if the bytes aren't what the header says.
    """
    if count < 0:
        raise BatchError(f"it tells of {count} records")
    try:
        yield from _pieces(_Stream(chunks(codec, payload, windows)), count)
    except Errors as error:
        raise BatchError(f"it can't be unpacked: {error}") from None


def _pieces(stream: "_Stream", count: int) -> Iterator[Piece | None]:
    left = count
    while left:
        yield from stream.more()
        if stream.last and len(stream.data) <= RECORD_BYTES_MAX:
            yield Piece(bytes(stream.data), left)  # its reader notices if it is cut short
            return
        records, end = whole_records(stream.data, left)
        if records:
            piece = Piece(bytes(stream.data[:end]), records)
            stream.data = stream.data[end:]
            left -= records
            if not left:
                yield from stream.finish()
            yield piece
        while left and record_bytes(stream.data) > RECORD_BYTES_MAX:
            yield (yield from _cut(stream))
            left -= 1
        if left and stream.last and not whole_records(stream.data, 1)[0]:
            raise BatchError("it is cut short")


class _Stream:
    """Unpacked bytes that haven't been read yet."""

    def __init__(self, chunks: Iterator[Chunk | None]) -> None:
        self._chunks = chunks
        self.data: bytes | memoryview = b""
        self.last = False

    def more(self) -> Generator[None, None, None]:
        """Add the next chunk, if there is one."""
        while not self.last:
            found = self.next_chunk()
            if found is None:
                yield None
                continue
            chunk, self.last = found
            self.data = b"".join((self.data, chunk)) if self.data else chunk
            return

    def next_chunk(self) -> Chunk | None:
        """Return the next unpacked chunk, None while it has to wait."""
        return next(self._chunks, (b"", True))

    def finish(self) -> Generator[None, None, None]:
        """Read to the end: only there does a codec check what it has unpacked."""
        while not self.last:
            self.data = b""
            yield from self.more()
            yield None

    def take(self, size: int, kept_max: int) -> Generator[None, None, bytes]:
        """Read `size` bytes; return the first ones, at most `kept_max`."""
        kept = bytearray()
        while True:
            part = memoryview(self.data)[:size]
            kept += part[: max(kept_max - len(kept), 0)]
            self.data = memoryview(self.data)[len(part) :]
            size -= len(part)
            if not size:
                return bytes(kept)
            if self.last:
                raise BatchError("it is cut short")
            yield None
            yield from self.more()

    def number(self) -> Generator[None, None, tuple[int, int]]:
        """Read a zigzag varint; return it, and how many bytes it took."""
        read = size = 0
        while size < 10:
            (byte,) = yield from self.take(1, 1)
            read |= (byte & 0x7F) << 7 * size
            size += 1
            if byte < 0x80:
                return read >> 1 ^ -(read & 1), size
        raise BatchError("a number in it has no end")


def _cut(stream: _Stream) -> Generator[None, None, Piece]:
    """Read a record that is too large; return its beginnings as a record."""
    length, _ = yield from stream.number()
    left = length
    kept = bytearray(b"\0")
    yield from stream.take(1, 0)  # attributes: none are defined
    left -= 1
    for _ in ("timestamp", "offset"):
        delta, size = yield from stream.number()
        kept += varint(delta)
        left -= size
    sizes = []
    for bytes_max in (KEY_BYTES_MAX, ORIGINAL_BYTES_MAX):
        size, size_bytes = yield from stream.number()
        left -= size_bytes + max(size, 0)
        if left < 0:
            raise BatchError("a record of it can't be read")
        field = yield from stream.take(max(size, 0), bytes_max)
        kept += varint(len(field) if size >= 0 else -1) + field
        sizes.append((size, field))
    headers = yield from stream.take(left, HEADERS_BYTES_MAX)
    kept += _first_headers(headers)
    value_bytes, value = sizes[1]
    return Piece(
        varint(len(kept)) + kept, 1, CutValue(value, max(value_bytes, 0), length)
    )  # fmt: skip


def _first_headers(data: bytes) -> bytes:
    """Return the headers that are whole in the first bytes of a record's headers."""
    try:
        count, begin = _number(data, 0)
    except IndexError:
        raise BatchError("a record of it can't be read") from None
    whole, end = 0, begin
    while whole < count:
        at = end
        try:
            for _ in ("name", "value"):
                size, at = _number(data, at)
                at += max(size, 0)
        except IndexError:
            break
        if at > len(data):
            break
        whole, end = whole + 1, at
    return varint(whole) + data[begin:end]


def split(piece: Piece) -> Iterator[Split]:
    """Yield the records of a piece."""
    try:
        at = 0
        for _ in range(piece.records):
            _, at = _number(piece.data, at)
            timestamp, at = _number(piece.data, at + 1)
            offset, at = _number(piece.data, at)
            key, at = _field(piece.data, at)
            value, at = _field(piece.data, at)
            count, at = _number(piece.data, at)
            headers = []
            for _ in range(count):
                name, at = _field(piece.data, at)
                header, at = _field(piece.data, at)
                headers.append((name or b"", header))
            yield Split(timestamp, offset, key, value, headers)
    except IndexError:
        raise BatchError("a record of it can't be read") from None


def _field(data: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = _number(data, at)
    return (None if size < 0 else data[at : at + size]), at + max(size, 0)


def varint(number: int) -> bytes:
    """Return a number as a zigzag varint."""
    left = (number << 1 ^ number >> 63) & (1 << 64) - 1
    spelt = bytearray()
    while left > 0x7F:
        spelt.append(left & 0x7F | 0x80)
        left >>= 7
    spelt.append(left)
    return bytes(spelt)


def _number(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return a zigzag varint and where it ends; raises `IndexError` if the data end before it."""
    read = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        read |= (byte & 0x7F) << shift
        if byte < 0x80:
            return read >> 1 ^ -(read & 1), at
        shift += 7
    raise BatchError("a number in it has no end")


def record_bytes(data: bytes | memoryview) -> int:
    """Return the length that the first record gives, 0 if its bytes aren't there yet."""
    try:
        return _number(data, 0)[0]
    except IndexError:
        return 0


def whole_records_plain(data: bytes | memoryview, count: int) -> tuple[int, int]:
    """Return how many of `count` records are complete in `data`, and where they end."""
    end = 0
    for number in range(count):
        try:
            length, at = _number(data, end)
        except IndexError:
            return number, end
        if length < 0:
            raise BatchError("a record of it can't be read")
        if length > len(data) - at:
            return number, end
        end = at + length
    return count, end


whole_records: Callable[[bytes | memoryview, int], tuple[int, int]] = whole_records_plain

if loaded("streams.log.blocks"):
    from streams.log.blocks import whole_records
