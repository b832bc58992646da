"""Records that were read, gathered to batches: few transactions, and memory that is bounded."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct, field

from streams.log.record import TP, Record

BATCH_RECORDS_MAX: Final = 5_000
"""Of one transaction: half a second, and what many records add to one sum is one change of it."""

BATCH_BYTES_MAX: Final = 16 << 20
"""Values of one transaction, exceeded by one read at most: an exception can have 16 MiB."""

WAITING_BYTES_MAX: Final = 64 << 20
"""Values that wait for their batch to be full, over all partitions: then the largest goes."""

RECORD_BYTES: Final = 200
"""A record takes about so much beside its value."""


class Waiting(Struct):
    """Records of a partition that were read and not written yet."""

    records: list[Record] = field(default_factory=list)
    next_offset: int = 0
    bytes: int = 0


class Gathering:
    """What waits, by partition."""

    def __init__(self) -> None:
        self._waiting: dict[TP, Waiting] = {}
        self._bytes = 0

    def add(
        self, at: TP, records: Sequence[Record], next_offset: int
    ) -> Iterator[tuple[TP, Waiting]]:
        """Take records, and yield the batches that are full."""
        own = self._waiting.setdefault(at, Waiting())
        size = sum(len(one.value or b"") for one in records) + RECORD_BYTES * len(records)
        own.records += records
        own.next_offset = next_offset
        own.bytes += size
        self._bytes += size
        if len(own.records) >= BATCH_RECORDS_MAX or own.bytes >= BATCH_BYTES_MAX:
            yield at, self._take(at)
        while self._bytes > WAITING_BYTES_MAX:
            largest = max(self._waiting, key=lambda one: self._waiting[one].bytes)
            yield largest, self._take(largest)

    def rest(self) -> Iterator[tuple[TP, Waiting]]:
        """Yield what is left."""
        for at in list(self._waiting):
            yield at, self._take(at)

    def _take(self, at: TP) -> Waiting:
        taken = self._waiting.pop(at)
        self._bytes -= taken.bytes
        return taken


def halves(records: Sequence[Record], next_offset: int) -> list[tuple[Sequence[Record], int]]:
    """Return a batch that can't be written as two, each with how far the books are afterwards."""
    middle = len(records) // 2
    first, second = records[:middle], records[middle:]
    return [(first, second[0].offset), (second, next_offset)]
