"""EDGE: fetched RecordBatches, unpacked in pieces: handed on as blocks, or record by record.

aiokafka unpacks a RecordBatch whole, and makes an object for each record. Here a batch is unpacked
as it is taken, so that 30 KB that unpack to gigabytes are bytes of a file like others. A consumer
that is marked (`whole`) gets blocks (`streams.log.blocks`, the compiled core). What is replaced of
aiokafka's is listed in streams/kafka/aiokafka_patches.py.
"""

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, Final
from weakref import WeakKeyDictionary

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from streams.core import loaded
from streams.kafka.decoders import Windows
from streams.kafka.unpacking import Piece, Split, pieces, split
from streams.log.record import BatchError, Record

if loaded("streams.log.blocks"):
    from streams.log.blocks import Block, block_from, block_of
else:
    Block = None  # type: ignore[assignment,misc]

POLL_BYTES_MAX: Final = 4 << 20
"""Handed over at a time by a consumer, for all its partitions; exceeded by one piece at most."""

SEARCH_SECONDS_MAX: Final = 0.05
"""Unpacking that finds no record (a position deep in a batch, a record of gigabytes) pauses after
this, and goes on at the next call: the event loop has other work."""

HEADER_BYTES: Final = 61
UP_TO_LENGTH: Final = 12
MAGIC: Final = 2
CODECS: Final = 0x07

_windows = Windows()


def whole(key: bytes | None) -> bytes | None:
    """Mark a consumer, as its `key_deserializer`, as one that gets blocks instead of records."""
    return key


def record_of(found: ConsumerRecord) -> Record:
    """Return a record as the job reads it; its timestamp in microseconds, None if it has none."""
    timestamp = found.timestamp
    return Record(
        found.offset,
        None if timestamp is None or timestamp < 0 else timestamp * 1000,
        found.key,
        found.value,
        found.headers,
    )


def joined(blocks: "Sequence[Block]") -> "Block":
    """Join consecutive blocks to one."""
    first = blocks[0]
    for more in blocks[1:]:
        first.extend(more)
    return first


def is_searching(consumer: AIOKafkaConsumer) -> bool:
    """Return whether a consumer's last call ended in the middle of unpacking, without a record."""
    return any(getattr(one, "searching", False) for one in consumer._fetcher._records.values())


class Kept(MemoryRecords):  # type: ignore[misc]  # aiokafka's is Any to mypy
    """The fetched bytes of a partition, kept as bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data

    def batches(self) -> Iterator[tuple[Any, memoryview]]:
        """Yield the whole batches, each with its bytes."""
        data, begin = memoryview(self.data), 0
        while self.has_next():
            end = begin + UP_TO_LENGTH + int.from_bytes(data[begin + 8 : begin + 12], "big")
            yield self.next_batch(), data[begin:end]
            begin = end


class Unpacked(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka's is Any to mypy
    """The records of a partition's fetched bytes; yields None if none is unpacked yet."""

    _records: Kept
    next_fetch_offset: int
    unpacked = 0
    """How many bytes were unpacked."""

    def _unpack_records(self) -> Iterator[Any]:
        for batch, data in self._records.batches():
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not self._passed_over(batch):
                yield from self._unpack(batch, data)
            # Also past records that compaction removed: else the batch would be fetched again.
            self.next_fetch_offset = max(batch.next_offset, self.next_fetch_offset)

    def _passed_over(self, batch: Any) -> bool:
        """Return whether a batch is a control batch, or belongs to an aborted transaction."""
        if self._isolation_level == fetcher.READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)

    def _unpack(self, batch: Any, data: memoryview) -> Iterator[Any]:
        read = self._blocks if self._key_deserializer is whole else self._one_by_one
        if data[16] != MAGIC:
            self.unpacked += len(data)
            yield from read(batch, data, None)
            return
        codec, count = data[22] & CODECS, int.from_bytes(data[57:61], "big", signed=True)
        try:
            for piece in pieces(codec, data[HEADER_BYTES:], count, _windows):
                if piece is None:
                    yield None
                    continue
                self.unpacked += len(piece.data)
                yield from read(batch, data, piece)
        except BatchError as error:
            tp = self._tp
            raise BatchError(
                f"the batch at offset {batch.base_offset} of {tp.topic}/{tp.partition} is broken: "
                f"{error}"
            ) from None

    def _blocks(self, batch: Any, data: memoryview, piece: Piece | None) -> "Iterator[Block|None]":
        begin = self.next_fetch_offset
        if piece is None:  # an old format
            block = block_of([record_of(one) for one in batch if one.offset >= begin])
        else:
            block = block_from(data, piece.data, begin, piece.records)
        if not len(block):
            yield None
            return
        if piece is not None and piece.cut is not None:
            block.mark_cut(piece.cut)
        self.next_fetch_offset = block.last_offset + 1
        yield block

    def _one_by_one(
        self, batch: Any, data: memoryview, piece: Piece | None
    ) -> Iterator[ConsumerRecord | None]:
        topic, number = self._tp
        begin = self.next_fetch_offset
        cut = None if piece is None else piece.cut
        for one in batch if piece is None else _records(data, piece):
            offset = one.offset
            if offset < self.next_fetch_offset:
                continue
            key, value = one.key, one.value if cut is None else cut
            self.next_fetch_offset = offset + 1
            yield ConsumerRecord(
                topic, number, offset, one.timestamp, one.timestamp_type, key, value, one.checksum,
                -1 if key is None else len(key), -1 if value is None else len(value),
                tuple(one.headers),
            )  # fmt: skip
        if self.next_fetch_offset == begin:
            yield None


def _records(data: memoryview, piece: Piece) -> list[Any]:
    """Return a piece's records: it is read like an uncompressed batch."""
    header = bytearray(data[:HEADER_BYTES])
    header[22] &= ~CODECS
    header[57:61] = piece.records.to_bytes(4, "big")
    batch = DefaultRecordBatch(bytes(header) + piece.data)
    try:
        return list(batch)
    except UnicodeDecodeError:  # in the name of a header
        return [_Lenient(batch, each) for each in split(piece)]
    except (CorruptRecordException, ValueError) as error:
        raise BatchError(str(error)) from None


class _Lenient:
    """A record as aiokafka has it, with header names that needn't be UTF-8."""

    checksum = None

    def __init__(self, batch: DefaultRecordBatch, found: Split) -> None:
        self.offset = batch.base_offset + found.offset
        self.timestamp_type = batch.timestamp_type
        self.timestamp = (
            batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + found.timestamp
        )
        self.key, self.value = found.key, found.value
        self.headers = [
            (name.decode("utf-8", "backslashreplace"), value) for name, value in found.headers
        ]


class Fetched(fetcher.FetchResult):  # type: ignore[misc]  # aiokafka's is Any to mypy
    """The rest of a fetch; each poll gets a part that is bounded in bytes and in records."""

    searching = False
    """Whether the last poll ended without a record, in the middle of unpacking."""
    _error: Exception | None = None
    _partition_records: Any

    def getone(self) -> Any:
        """Return the next record, None if none is unpacked yet."""
        found, _ = self._next_records(1, POLL_BYTES_MAX)
        return found[0] if found else None

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Return the next records, within the bounds of a poll."""
        room = _bytes_left.get(self._assignment, POLL_BYTES_MAX)
        found, size = self._next_records(max_records, room)
        _bytes_left[self._assignment] = room - size
        return found

    def _next_records(self, records_max: int | None, bytes_max: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        size, began = 0, perf_counter()
        self.searching = False
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return found, size
        if self._error is not None:
            raise self._error
        before = self._partition_records.unpacked
        while size < bytes_max and (records_max is None or len(found) < records_max):
            try:
                one = next(self._partition_records)
                size = self._partition_records.unpacked - before
            except StopIteration:
                self._update_position()
                self._partition_records = None
                return found, size
            except Exception as error:  # the records before it are returned first
                if not found:
                    raise
                self._error = error
                break
            if one is not None:
                found.append(one)
            elif found or perf_counter() - began > SEARCH_SECONDS_MAX:
                self.searching = not found
                break
        self._update_position()
        return found, size


_bytes_left: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""What is left of `POLL_BYTES_MAX` in a poll for other partitions, by a consumer's assignment."""

_fetched_records = fetcher.Fetcher.fetched_records


async def fetched_within_bounds(self: Any, *args: Any, **kwargs: Any) -> Any:
    subscription = self._subscriptions.subscription
    if subscription is not None:
        _bytes_left.pop(subscription.assignment, None)
    return await _fetched_records(self, *args, **kwargs)
