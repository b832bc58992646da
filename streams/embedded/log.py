"""EDGE: a durable log in a directory: topics, partitions, offsets, for one process at a time."""

import contextlib
import fcntl
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from streams.log.record import Record
from streams.trouble import Trouble

SEGMENT_BYTES: Final = 32 << 20
"""A segment that has grown so large is followed by a new one."""

RETENTION_BYTES: Final = 256 << 20
"""Of a partition; its oldest segments go when it has more, unless they are still to be read."""

INDEX_BYTES: Final = 64 << 10
"""One entry of the index covers about so much of a segment."""

READ_BYTES_MAX: Final = 4 << 20
"""Handed over at once; it's passed by a frame at most."""

_FRAME = struct.Struct(">IIQI")
"""Length of the body, CRC of all that follows it here, first offset, number of records."""

Entry = tuple[int | None, bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""(timestamp in microseconds, key, value, headers) of a record to append."""


class LogError(Trouble):
    """A log that can't be used."""


class EmbeddedLog:
    """All topics of a directory; a lock keeps a second process out.

    What was appended survives the end of the process (`kill -9`). It isn't synced to the medium:
    a power cut may take the last moments.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / "lock").open("w")
        except OSError as error:
            raise LogError(
                f"the data directory {path} can't be written: {error.strerror}"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise LogError(
                f"the data directory {path} is in use by another lineside: stop it, or choose "
                "another directory"
            ) from None
        self._partitions: dict[tuple[str, int], PartitionLog] = {}

    def partition(self, topic: str, number: int) -> "PartitionLog":
        """Return a partition's log, opened or made at the first call."""
        at = topic, number
        if at not in self._partitions:
            self._partitions[at] = PartitionLog(self.path / topic / str(number))
        return self._partitions[at]

    def partitions_of(self, topic: str) -> int:
        """Return how many partitions of a topic there are on disk."""
        folder = self.path / topic
        return len(list(folder.iterdir())) if folder.is_dir() else 0

    def close(self) -> None:
        """Let go of the directory."""
        for partition in self._partitions.values():
            partition.close()
        self._partitions.clear()
        self._lock.close()


class PartitionLog:
    """One partition: segments named by their first offset, frames of records with a checksum.

    A frame is there whole or not at all: what a crash left half written is cut off on opening.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._segments = sorted(
                (_Segment(int(file.stem), file) for file in path.glob("*.log")),
                key=lambda segment: segment.base,
            ) or [self._new_segment(0)]
            self._end = self._segments[-1].recover()
            self._file = self._segments[-1].path.open("ab", buffering=0)
        except OSError as error:
            raise LogError(f"the log in {path} can't be opened: {error.strerror}") from None
        self.needed_from: int | None = None
        """Records from this offset on are still to be read; None: nobody has to read them."""

    @property
    def start_offset(self) -> int:
        """The offset of the oldest record."""
        return self._segments[0].base

    @property
    def end_offset(self) -> int:
        """The offset that the next record gets."""
        return self._end

    def append(self, entries: Sequence[Entry]) -> int:
        """Append records as one frame, and return the offset of the first.

        Raises `LogError` if they can't be written; then none of them are there.
        """
        base = self._end
        if not entries:
            return base
        body = _encode(entries)
        tail = struct.pack(">QI", base, len(entries)) + body
        frame = struct.pack(">II", len(body), zlib.crc32(tail)) + tail
        segment = self._segments[-1]
        try:
            _write_all(self._file.fileno(), frame)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), segment.size)
            raise LogError(f"the log in {self._path} can't be written: {error.strerror}") from None
        segment.grew(base, len(frame))
        self._end = base + len(entries)
        if segment.size >= SEGMENT_BYTES:
            self._roll()
        return base

    def read(self, offset: int, records_max: int) -> list[Record]:
        """Return up to about `records_max` records from `offset` on; none at the end."""
        if offset >= self._end:
            return []
        offset = max(offset, self.start_offset)
        number = bisect_right([segment.base for segment in self._segments], offset) - 1
        return self._segments[number].read(offset, records_max)

    def close(self) -> None:
        """Let go of the files."""
        self._file.close()

    def _new_segment(self, base: int) -> "_Segment":
        path = self._path / f"{base:020d}.log"
        path.touch()
        return _Segment(base, path)

    def _roll(self) -> None:
        try:
            segment = self._new_segment(self._end)
            file = segment.path.open("ab", buffering=0)
        except OSError:
            return  # the old segment grows on; the next append tells if the disk is gone
        self._file.close()
        self._segments.append(segment)
        self._file = file
        segment.recover()
        total = sum(segment.size for segment in self._segments)
        while total > RETENTION_BYTES and len(self._segments) > 1:
            if self.needed_from is not None and self.needed_from < self._segments[1].base:
                return
            oldest = self._segments.pop(0)
            total -= oldest.size
            oldest.path.unlink(missing_ok=True)


class _Segment:
    """A file of frames; `_index` has (offset, position) of some of them."""

    def __init__(self, base: int, path: Path) -> None:
        self.base = base
        self.path = path
        self.size = path.stat().st_size
        self._index: list[tuple[int, int]] | None = None

    def recover(self) -> int:
        """Cut off what isn't a whole frame, and return the offset after the last record."""
        position, offset = self._scan()
        if position < self.size:
            os.truncate(self.path, position)
            self.size = position
        return offset

    def grew(self, offset: int, size: int) -> None:
        """Take note of a frame that was appended."""
        assert self._index is not None  # a segment that is written to was recovered
        if not self._index or self.size - self._index[-1][1] >= INDEX_BYTES:
            self._index.append((offset, self.size))
        self.size += size

    def read(self, offset: int, records_max: int) -> list[Record]:
        if self._index is None:
            self._scan()
        index = self._index or [(self.base, 0)]
        _, position = index[max(0, bisect_right(index, (offset, self.size)) - 1)]
        found: list[Record] = []
        read = 0
        with self.path.open("rb") as file:
            file.seek(position)
            while len(found) < records_max and read < READ_BYTES_MAX:
                header = file.read(_FRAME.size)
                if len(header) < _FRAME.size:
                    break
                length, _, base, count = _FRAME.unpack(header)
                if base + count <= offset:
                    file.seek(length, os.SEEK_CUR)
                    continue
                read += length
                for place, entry in enumerate(_decode(file.read(length)), base):
                    if place >= offset:
                        timestamp, key, value, headers = entry
                        found.append(Record(place, timestamp, key, value, headers))
        return found

    def _scan(self) -> tuple[int, int]:
        """Return (position, offset) after the last whole frame, and make the index."""
        index: list[tuple[int, int]] = []
        position, offset = 0, self.base
        with self.path.open("rb") as file:
            while len(header := file.read(_FRAME.size)) == _FRAME.size:
                length, checksum, base, count = _FRAME.unpack(header)
                if base != offset or length > self.size - position - _FRAME.size:
                    break
                body = file.read(length)
                if zlib.crc32(header[8:] + body) != checksum:
                    break
                if not index or position - index[-1][1] >= INDEX_BYTES:
                    index.append((offset, position))
                position += _FRAME.size + length
                offset += count
        self._index = index
        return position, offset


def _write_all(descriptor: int, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[os.write(descriptor, view) :]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int | None, bytes | None, bytes | None,
                                            list[tuple[str, bytes | None]]]]).decode  # fmt: skip
