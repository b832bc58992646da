"""Logs in files: each line a bare event, or a record as `kcat -J` prints it."""

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, BinaryIO, Final

import msgspec
from msgspec import UNSET, Meta

from streams.codec.decode import Decoded, decode, route
from streams.codec.document import Headers
from streams.contract.events import NAMES, Tick
from streams.contract.reference import Reference
from streams.contract.rejection import Rejection, shown
from streams.contract.topics import INPUTS, MACHINE_EVENTS, MES_EVENTS
from streams.core import loaded
from streams.log.record import Record, partition_of
from streams.values.instant import CALENDAR_LAST

LINE_BYTES_MAX: Final = 8 << 20
"""What is kept of a longer line, so that memory stays bounded; it is `malformed` in any case."""


BLOCK_BYTES: Final = 1 << 18
"""Read at a time: about a thousand lines, so that memory is bounded and a cache is enough."""


_MARKS: Final = {MACHINE_EVENTS: "0", MES_EVENTS: "1"}
"""What `placed_by` begins with."""


class Placed(msgspec.Struct):
    """Records for one partition, and what they are; `next_offset` is that of its next bare line."""

    next_offset: int = 0
    records: list[Record] = msgspec.field(default_factory=list)
    decoded: list[Decoded | None] = msgspec.field(default_factory=list)
    """what they are; None where only their place was looked at"""
    numbers: list[int] = msgspec.field(default_factory=list)
    """of the lines that they come from"""

    def append(
        self, number: int, key: bytes | None, value: bytes, headers: Headers, event: Decoded
    ) -> None:
        """Add a bare line."""
        self.records.append(Record(self.next_offset, None, key, value, headers))
        self.decoded.append(event)
        self.numbers.append(number)
        self.next_offset += 1


class Kcat(msgspec.Struct):
    """A record as `kcat -J` prints it; `ts` in milliseconds, -1 where there's none."""

    topic: str
    payload: str | None
    partition: Annotated[int, Meta(ge=0, lt=2**31)] = 0
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    ts: Annotated[int, Meta(ge=1 - 2**63, le=CALENDAR_LAST // 1000)] | None = None
    key: str | None = None
    headers: list[str | None] | None = None


class LogReader:
    """Places the lines of a log on `partitions` partitions of each input topic.

    Bare lines get offsets from 0 per partition. A bare tick goes to every partition, a bare
    reference record to every one of `mes.events.v1`. Records of other topics are passed over and
    counted.
    """

    def __init__(self, partitions: int = 1, headers: Headers = ()) -> None:
        """Take the headers that bare lines get: a file says nothing of any."""
        self.partitions = partitions
        self.headers = headers
        self.passed_over = 0
        self.line_number = 0
        self.bare = True
        """Whether the last line was no record as kcat prints it."""
        self._placed: dict[tuple[str, int], Placed] = {}
        self._routes: dict[bytes, tuple[Placed, bytes]] = {}
        for topic in INPUTS:
            for number in range(partitions):
                self._at(topic, number)

    def take(self) -> Iterator[tuple[tuple[str, int], Placed]]:
        """Yield (topic and partition, what was placed there since the last time)."""
        for at, placed in self._placed.items():
            if placed.records:
                yield at, Placed(0, placed.records, placed.decoded, placed.numbers)
                placed.records, placed.decoded, placed.numbers = [], [], []

    def place(self, lines: Iterable[bytes]) -> None:
        """Put the records that lines stand for where they belong."""
        number, headers = self.line_number, self.headers
        for line in lines:
            number += 1
            self.bare = True
            if line.startswith(b'{"topic"') and self._place_printed(line, number):
                self.bare = False
                continue
            where = None if b"payload" in line else placed_by(line)
            event: Any = None
            if where is None:
                event = decode(line, (), None)
                if event.__class__ not in NAMES or event.payload is not UNSET:
                    self._place_other(line, number, event)
                    continue
                where = f"{_MARKS[event.TOPIC]}{event.plant}/{event.line}".encode()
            try:
                placed, key = self._routes[where]
            except KeyError:
                placed, key = self._route(where)
            offset = placed.next_offset
            placed.next_offset = offset + 1
            placed.records.append(Record(offset, None, key, line, headers))
            placed.decoded.append(event)
            placed.numbers.append(number)
        self.line_number = number

    def _route(self, where: bytes) -> tuple[Placed, bytes]:
        """Return where events of a topic's mark, a plant and a line go, and their key."""
        topic = MES_EVENTS if where.startswith(_MARKS[MES_EVENTS].encode()) else MACHINE_EVENTS
        key = where[1:]
        placed = self._at(topic, partition_of(key, self.partitions))
        self._routes[where] = placed, key
        return placed, key

    def _place_other(self, line: bytes, number: int, event: Any) -> None:
        """Place a line that is refused, a tick, master data, or perhaps printed by kcat."""
        if (b"payload" in line or b"\\" in line) and self._place_printed(line, number):
            self.bare = False
            return
        topic: str | None = None
        key: bytes | None = None
        everywhere = True
        if isinstance(event, Rejection):
            topic, key, everywhere = route(line)
        elif isinstance(event, Reference):
            topic = MES_EVENTS
        elif not isinstance(event, Tick):
            topic, key, everywhere = event.TOPIC, f"{event.plant}/{event.line}".encode(), False
        if topic is not None and not everywhere:
            placed = self._at(topic, partition_of(key, self.partitions))
            placed.append(number, key, line, self.headers, event)
            return
        for (other, _), placed in self._placed.items():
            if topic in (None, other):
                placed.append(number, key, line, self.headers, event)

    def _at(self, topic: str, partition: int) -> Placed:
        return self._placed.setdefault((topic, partition), Placed())

    def _place_printed(self, line: bytes, number: int) -> bool:
        """Place a line that kcat printed; return whether it was one."""
        kcat = _read_kcat(line)
        if isinstance(kcat, Kcat):
            self._place_kcat(kcat, number)
        elif kcat is not None:
            self._at(MES_EVENTS, 0).append(number, None, line, self.headers, kcat)
        return kcat is not None

    def _place_kcat(self, kcat: Kcat, number: int) -> None:
        if kcat.topic not in INPUTS:
            self.passed_over += 1
            return
        placed = self._at(kcat.topic, kcat.partition)
        offset = kcat.offset
        if offset is None:
            offset = placed.next_offset
            placed.next_offset += 1
        listed = kcat.headers or []
        headers = [
            (_bytes(str(name)).decode("utf-8", "backslashreplace"), _bytes_or_none(value))
            for name, value in zip(listed[::2], listed[1::2], strict=False)
        ]
        record = Record(
            offset=offset,
            timestamp=None if kcat.ts is None or kcat.ts < 0 else kcat.ts * 1000,
            key=_bytes_or_none(kcat.key),
            value=_bytes_or_none(kcat.payload),
            headers=headers,
        )
        placed.numbers.append(number)
        placed.records.append(record)
        placed.decoded.append(decode(record.value, headers, kcat.topic))


def lines_of(file: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines of a block at a time, without their ends and those that are blank.

    Lines end with a line feed. Of one longer than `LINE_BYTES_MAX` only the beginning is kept.
    """
    rest = b""
    while block := file.read(BLOCK_BYTES):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()[:LINE_BYTES_MAX]
        yield [line for line in lines if line and not (line[0] <= 32 and line.isspace())]
    if rest and not rest.isspace():
        yield [rest]


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


def _bytes_or_none(text: str | None) -> bytes | None:
    return None if text is None else _bytes(text)


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return text.encode("utf-8", "surrogatepass")


def placed_by_plain(line: bytes) -> bytes | None:  # noqa: ARG001  # what the compiled one takes
    """Return the mark of an event's topic, its plant, a slash and its line; None: decode it."""
    return None


if loaded("streams.codec.scanning"):
    from streams.codec.scanning import placed_by
else:
    placed_by = placed_by_plain
