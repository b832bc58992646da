"""Logs in files: each line a bare event, or a record as `kcat -J` prints it."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

import msgspec

from streams.codec import Decoded, decode, route
from streams.events import Tick
from streams.record import Record, partition_of
from streams.rejection import Rejection, shown
from streams.topics import INPUTS, MES_EVENTS

LINE_BYTES_MAX: Final = 8 << 20
"""What is kept of a longer line, so that memory stays bounded; it is `malformed` in any case."""


class Placed(NamedTuple):
    """A record of a log, where it belongs, and what it is."""

    topic: str
    partition: int
    record: Record
    decoded: Decoded


class Kcat(msgspec.Struct):
    """A record as `kcat -J` prints it; `ts` in milliseconds, -1 where there's none."""

    topic: str
    payload: str | None
    partition: int = 0
    offset: int | None = None
    ts: int | None = None
    key: str | None = None
    headers: list[str | None] | None = None


class LogReader:
    """Places the lines of a log on `partitions` partitions of each input topic.

    Bare lines get offsets from 0 per partition; a bare tick goes to every partition. Records of
    other topics are passed over and counted.
    """

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self.passed_over = 0
        self._next_offset: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._seen: dict[bytes, int] = {}
        self._others: set[tuple[str, int]] = set()

    def place(self, line: bytes) -> list[Placed]:
        """Return the records that a line stands for: none, one, or a tick for every partition."""
        if b'"payload"' in line:
            kcat = _read_kcat(line)
            if isinstance(kcat, Kcat):
                return self._place_kcat(kcat)
            if kcat is not None:
                return [self._place(MES_EVENTS, 0, None, line, kcat)]
        event = decode(line, (), None)
        if event.__class__ is Tick:
            return [self._place(*tp, None, line, event) for tp in self._every_partition()]
        if isinstance(event, Rejection):
            topic, key = route(line)
        else:
            assert not isinstance(event, Tick)  # just returned
            topic, key = event.TOPIC, f"{event.plant}/{event.line}".encode()
        return [self._place(topic, self._partition_of(key), key, line, event)]

    def _place(
        self, topic: str, partition: int, key: bytes | None, value: bytes, decoded: Decoded
    ) -> Placed:
        offset = self._next_offset[topic, partition]
        self._next_offset[topic, partition] = offset + 1
        return Placed(topic, partition, Record(offset, None, key, value), decoded)

    def _place_kcat(self, kcat: Kcat) -> list[Placed]:
        if kcat.topic not in INPUTS:
            self.passed_over += 1
            return []
        at = kcat.topic, kcat.partition
        offset = self._next_offset[at] if kcat.offset is None else kcat.offset
        self._next_offset[at] = offset + 1
        if kcat.partition >= self.partitions:
            self._others.add(at)
        listed = kcat.headers or []
        headers = [
            (str(name), None if value is None else _bytes(value))
            for name, value in zip(listed[::2], listed[1::2], strict=False)
        ]
        value = None if kcat.payload is None else _bytes(kcat.payload)
        record = Record(
            offset=offset,
            timestamp=None if kcat.ts is None or kcat.ts < 0 else kcat.ts * 1000,
            key=None if kcat.key is None else _bytes(kcat.key),
            value=value,
            headers=headers,
        )
        return [Placed(*at, record, decode(value, headers, kcat.topic))]

    def _every_partition(self) -> list[tuple[str, int]]:
        own = [(topic, number) for topic in INPUTS for number in range(self.partitions)]
        return own + sorted(self._others)

    def _partition_of(self, key: bytes | None) -> int:
        if key is None or self.partitions == 1:
            return 0
        partition = self._seen.get(key)
        if partition is None:
            partition = self._seen[key] = partition_of(key, self.partitions)
        return partition


def lines_of(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield (line without its end, bytes read) of each line that isn't blank.

    Lines end with a line feed. Of one longer than `LINE_BYTES_MAX` only the beginning is kept.
    """
    while True:
        line = file.readline(LINE_BYTES_MAX)
        if not line:
            return
        size = len(line)
        if size == LINE_BYTES_MAX and not line.endswith(b"\n"):
            while True:
                rest = file.readline(LINE_BYTES_MAX)
                size += len(rest)
                if not rest or rest.endswith(b"\n"):
                    break
        line = line.removesuffix(b"\n")
        if line and not line.isspace():
            yield line, size


_decode_kcat = msgspec.json.Decoder(Kcat).decode


def _read_kcat(line: bytes) -> Kcat | Rejection | None:
    """Return the record that a line prints, why it can't be read, or None for a bare event."""
    try:
        return _decode_kcat(line)
    except (ValueError, RecursionError):
        pass
    # kcat prints payloads that aren't UTF-8 as they are: keep their bytes.
    try:
        document = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not {"topic", "payload"} <= document.keys():
        return None
    payload = document["payload"]
    if payload is not None and not isinstance(payload, str):
        document["payload"] = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    try:
        return msgspec.convert(document, Kcat)
    except msgspec.ValidationError as error:
        member = str(error).rpartition("$.")[2].rstrip("`").partition("[")[0]
        return Rejection(
            "malformed",
            f"{member} of the kcat record is {shown(document.get(member))}: {error}",
        )


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return text.encode("utf-8", "surrogatepass")
