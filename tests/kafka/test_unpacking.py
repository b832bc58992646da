"""Batches unpacked in pieces: what aiokafka reads, in order, from anywhere, in bounded memory."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from bombs import CODECS, NAMES, batch, bomb, field, packed, record
from compiled import needs_core
from draws import rngs
from streams.codec import document
from streams.codec.document import read_document
from streams.contract import rejection
from streams.contract.rejection import Rejection, exception_data
from streams.contract.topics import MES_EVENTS
from streams.kafka import decoders, unpacking
from streams.kafka import fetched as kafka_fetched
from streams.kafka.decoders import GZIP, LZ4, SNAPPY, ZSTD, Windows, window_bytes
from streams.kafka.fetched import Fetched, Kept, Unpacked, joined, record_of, whole
from streams.kafka.record_batches import HEADER
from streams.kafka.unpacking import pieces, varint
from streams.log.record import BatchError, CutValue, Record

TP = TopicPartition("t", 0)
ALL = [0, *CODECS]
UNCOMMITTED, COMMITTED = 0, 1

PIECES = st.sampled_from([1, 7, 100, 3_000, 1 << 20])
WAYS = pytest.mark.parametrize("way", ["blocks", "one by one"])


@contextmanager
def limits(piece: int = 1 << 20, record: int = 16 << 20, **others: int) -> Iterator[None]:
    """Let the bounds be others than they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoders, "PIECE_BYTES_MAX", piece)
        for module in (unpacking, document):
            patch.setattr(module, "RECORD_BYTES_MAX", record)
        for name, value in others.items():
            for module in (unpacking, rejection):
                patch.setattr(module, name, value)
        yield


def some_record(rng: Random, offset: int) -> Record:
    texts = [None, b"", b"x", rng.randbytes(rng.choice([1, 63, 64, 200, 2_000]))]
    headers = [(rng.choice(["a", "ü", "ce_specversion"]), rng.choice(texts)) for _ in range(2)]
    return Record(
        offset,
        rng.randrange(2**41) * 1_000,
        rng.choice(texts),
        rng.choice(texts),
        tuple(headers[: rng.choice([0, 0, 1, 2])]),
    )


def built(records: list[Record], codec: int, base: int, producer: int | None = None) -> bytes:
    """Return a RecordBatch as aiokafka writes it, from offset `base` on."""
    builder = DefaultRecordBatchBuilder(
        2, codec, producer is not None, producer or 0, 0, 0, 1 << 26
    )
    for each in records:
        assert each.timestamp is not None
        at_ms = each.timestamp // 1_000
        builder.append(each.offset - base, at_ms, each.key, each.value, list(each.headers))
    return base.to_bytes(8, "big") + bytes(builder.build())[8:]


def as_record(found: Any) -> Record:
    record = record_of(found)
    return Record(found.offset, record.timestamp, found.key, found.value, tuple(found.headers))


def payload_of(data: bytes) -> memoryview:
    return memoryview(data)[HEADER.size :]


def read(
    data: bytes, offset: int, way: str, level: int = UNCOMMITTED, aborted: Any = None
) -> list[Record]:
    """Return what a consumer gets of the bytes of a fetch."""
    needs_core()
    marked = whole if way == "blocks" else None
    found = Unpacked(TP, Kept(data), aborted, offset, marked, None, True, level)
    got = [one for one in found if one is not None]
    if way == "blocks":
        return list(joined(got)) if got else []
    return [record_of(one) for one in got]


# As aiokafka reads it.


@WAYS
@given(rngs, st.sampled_from(ALL), st.integers(1, 40), PIECES)
def test_pieces_have_the_records_of_their_batch(
    way: str, rng: Random, codec: int, count: int, piece: int
) -> None:
    base = rng.randrange(2**40)
    gaps = [0, *sorted(rng.sample(range(1, 100), count - 1))]  # what compaction has taken away
    records = [some_record(rng, base + gap) for gap in gaps]
    data = built(records, codec, base)
    assert [as_record(one) for one in DefaultRecordBatch(data)] == records
    with limits(piece):
        assert read(data, base, way) == records
        offset = base + rng.randrange(110)  # where somebody goes on
        assert read(data, offset, way) == [one for one in records if one.offset >= offset]


@WAYS
@given(rngs, st.sampled_from(ALL), PIECES)
def test_what_transactions_took_back_is_passed_over_piece_by_piece(
    way: str, rng: Random, codec: int, piece: int
) -> None:
    data, kept, offset, aborted = b"", [], 0, []
    for number in range(rng.randrange(1, 6)):
        records = [some_record(rng, offset + more) for more in range(rng.randrange(1, 8))]
        producer = rng.choice([None, number + 1])
        if producer is not None and rng.random() < 0.5:
            aborted.append((producer, offset))
        else:
            kept += records
        data += built(records, codec, offset, producer)
        offset += len(records)
    with limits(piece):
        assert read(data, 0, way, COMMITTED, aborted) == kept


@given(rngs, st.sampled_from(ALL), st.sampled_from([40, 1 << 20]))
def test_what_is_spoilt_is_read_as_aiokafka_does_or_refused(
    rng: Random, codec: int, piece: int
) -> None:
    records = [some_record(rng, number) for number in range(rng.randrange(1, 9))]
    payload = bytearray(payload_of(built(records, codec, 0)))
    for _ in range(rng.randint(0, 3)):
        payload[rng.randrange(len(payload))] = rng.randrange(256)
    if rng.random() < 0.5:
        del payload[rng.randrange(len(payload)) :]
    data = batch(bytes(payload), codec, len(records))
    try:
        wanted: Any = [as_record(one) for one in DefaultRecordBatch(data)]
    except Exception:
        wanted = None
    with limits(piece):
        try:
            found = read(data, 0, "blocks")
        except BatchError as error:
            assert "the batch at offset 0 of t/0 is broken: " in str(error)
            assert wanted is None
        else:
            offsets = [one.offset for one in wanted or ()]
            if offsets == sorted({abs(offset) for offset in offsets}):  # as a batch's do
                assert wanted is None or found == wanted


@WAYS
def test_a_header_whose_name_is_no_utf_8_is_read(way: str) -> None:
    headers = varint(2) + field(b"\xff") + field(b"1") + field(b"b") + field(None)
    parts = [*record(0, None, b"v", headers), *record(1, b"k", None)]
    found = read(batch(packed(LZ4, parts), LZ4, 2, 5, 7), 5, way)
    assert [(one.offset, one.timestamp, one.key, one.value) for one in found] == [
        (5, 7_000, None, b"v"),
        (6, 7_000, b"k", None),
    ]
    assert [*found[0].headers] == [("\\xff", b"1"), ("b", None)]


@pytest.mark.parametrize("codec", ALL)
def test_a_batch_that_is_cut_short_is_refused_in_a_sentence(codec: int) -> None:
    records = [some_record(Random(codec), number) for number in range(20)]
    payload = bytes(payload_of(built(records, codec, 0)))
    for size in (0, 1, len(payload) // 2, len(payload) - 1):
        for piece in (50, 1 << 20):
            with limits(piece), pytest.raises(BatchError, match="is broken: "):
                read(batch(payload[:size], codec, 20), 0, "blocks")


@given(rngs, st.integers(0, 20), st.integers(0, 400))
def test_whole_records_are_distinguished_as_plainly(rng: Random, count: int, size: int) -> None:
    needs_core()
    data = b"".join(
        part for number in range(rng.randrange(1, 9)) for part in record(number, b"k", rng.randbytes(30))
    )[:size]  # fmt: skip
    if data and rng.random() < 0.3:
        data = data[:-1] + b"\xff" * rng.randrange(12)
    outcomes = []
    for one in (unpacking.whole_records, unpacking.whole_records_plain):
        try:
            outcomes.append(one(data, count))
        except BatchError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("codec", [GZIP, LZ4, ZSTD])
def test_a_payload_may_have_several_frames(codec: int) -> None:
    parts = [part for number in range(4) for part in record(number, b"k", b"v" * 100)]
    middle = len(parts) // 2
    payload = packed(codec, parts[:middle]) + packed(codec, parts[middle:])
    for piece in (10, 1 << 20):
        with limits(piece):
            found = read(batch(payload, codec, 4), 0, "blocks")
        assert [one.offset for one in found] == [0, 1, 2, 3]


@WAYS
@given(rngs, st.sampled_from([0, 1]), st.sampled_from([0, GZIP, SNAPPY]))
def test_old_formats_are_read_however_many_there_are(
    way: str, rng: Random, magic: int, codec: int
) -> None:
    data, wanted = b"", []
    for base in range(0, 9, 3):
        builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
        for offset in range(base, base + 3):
            builder.append(offset, timestamp=7, key=b"k", value=str(offset).encode())
            wanted.append((offset, str(offset).encode()))
        data += bytes(builder.build())
    first = rng.randrange(9)
    found = read(data, first, way)
    assert [(one.offset, one.value) for one in found] == wanted[first:]


# What is too large.


@WAYS
@given(rngs, st.sampled_from(ALL), st.sampled_from([1, 7, 100]))
def test_a_record_that_is_too_large_leads_to_the_same_exception(
    way: str, rng: Random, codec: int, piece: int
) -> None:
    records = [some_record(rng, number) for number in range(8)]
    data = built(records, codec, 0)
    bounds = {"ORIGINAL_BYTES_MAX": 150, "KEY_BYTES_MAX": 70, "HEADERS_BYTES_MAX": 80}
    with limits(piece, 300, **bounds):
        found = read(data, 0, way)
        cut = [one for one in found if isinstance(one.value, CutValue)]
        for one, original in zip(found, records, strict=True):
            shown, wanted = (
                exception_data(Rejection("malformed", ""), MES_EVENTS, 0, each)
                for each in (one, original)
            )
            if one in cut:  # it was read up to a bound: how much there was isn't known
                for name in ("key_bytes", "headers_count"):
                    wanted.pop(name, None)
                    shown.pop(name, None)
            assert shown == wanted
            if not isinstance(one.value, CutValue):
                assert one == original
        for one in cut:
            assert isinstance(one.value, CutValue)
            assert one.value.record_bytes > 300
            assert isinstance(read_document(one.value, 64), str)


def test_a_small_value_in_a_record_that_is_too_large_is_malformed() -> None:
    value = b'{"specversion":"1.0"}'
    headers = varint(1) + field(b"h") + field(bytes(500))
    data = batch(b"".join(record(0, b"k", value, headers)), 0, 1)
    with limits(100, 300):
        (found,) = read(data, 0, "blocks")
        size = len(b"".join(record(0, b"k", value, headers))) - 2
        assert found.value == value
        assert read_document(found.value) == f"the record has {size} bytes: more than 300"


def test_a_consumer_goes_on_behind_each_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_core()
    rng = Random(3)
    records = [some_record(rng, number) for number in range(200)]
    data = b"".join(built(records[at : at + 50], LZ4, at) for at in range(0, 200, 50))
    monkeypatch.setattr(kafka_fetched, "POLL_BYTES_MAX", 3_000)
    for way in (whole, None):
        position = SimpleNamespace(paused=False, position=0)
        position.consumed_to = lambda at, state=position: setattr(state, "position", at)
        assignment = SimpleNamespace(active=True, state_value=lambda tp, state=position: state)
        monkeypatch.setattr(kafka_fetched, "_bytes_left", {})
        assignment_key: Any = HashedBy(assignment)
        found: list[Record] = []
        with limits(500):
            result = None
            while len(found) < len(records):
                if result is None or rng.random() < 0.2:  # fetched anew, from where it stands
                    at = position.position
                    of = data[
                        len(
                            b"".join(
                                built(records[a : a + 50], LZ4, a)
                                for a in range(0, at // 50 * 50, 50)
                            )
                        ) :
                    ]
                    unpacked = Unpacked(TP, Kept(of), None, at, way, None, True, UNCOMMITTED)
                    result = Fetched(
                        TP, assignment=assignment_key, partition_records=unpacked, backoff=0
                    )
                kafka_fetched._bytes_left.clear()
                polled = result.getall(rng.choice([None, 1, 10]))
                got = (
                    list(joined(polled))
                    if polled and way is whole
                    else [*map(record_of, polled)]
                    if polled
                    else []
                )
                assert sum(len(one.value or b"") for one in got) < 3_000 + 6_000
                found += got
                assert position.position >= (found[-1].offset + 1 if found else 0)
        assert found == records


class HashedBy:
    """An assignment's stand-in that can be a key."""

    def __init__(self, of: Any) -> None:
        self.active, self.state_value = of.active, of.state_value


# Memory.

BOMB_RECORDS, BOMB_VALUE_BYTES = 400, 1 << 20

MEASURE = """
import json, resource, sys
sys.path[:0] = ["tests"]
from bombs import bomb
from streams.kafka.fetched import Kept, Unpacked, whole
from aiokafka.structs import TopicPartition

data = bomb(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before, records, offset = peak(), 0, 0
way = whole if sys.argv[4] == "blocks" else None
for one in Unpacked(TopicPartition("t", 0), Kept(data), None, 0, way, None, True, 0):
    if one is not None:
        records += len(one) if way else 1
print(json.dumps([len(data), records, peak() - before]))
"""

GROWTH_KIB_MAX = 48 << 10
"""A record of 16 MiB or two pieces at a time, and what the allocator keeps."""


@pytest.mark.parametrize("codec", CODECS, ids=NAMES.get)
@WAYS
@pytest.mark.parametrize("shape", ["many", "one"])
def test_a_bomb_takes_no_more_memory_than_its_pieces(codec: int, way: str, shape: str) -> None:
    needs_core()
    records, size = (BOMB_RECORDS, BOMB_VALUE_BYTES) if shape == "many" else (1, 200 << 20)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(codec), str(records), str(size), way],
        capture_output=True,
        check=True,
        timeout=120,
    )
    on_the_wire, found, grown_kib = json.loads(done.stdout)
    assert on_the_wire < records * size / 20
    assert found == records
    assert grown_kib < GROWTH_KIB_MAX


def test_decoders_with_large_windows_wait_for_one_another() -> None:
    options = {zstd_parameter("window_log"): 25, zstd_parameter("enable_long_distance_matching"): 1}
    compressor = decoders.zstd.ZstdCompressor(options=options)
    parts = [part for number in range(4) for part in record(number, b"k", bytes(40_000))]
    payload = b"".join([*map(compressor.compress, parts), compressor.flush()])
    assert window_bytes(payload) == 1 << 25
    windows = Windows(3 << 24)
    with limits(piece=50_000):
        first, second = (pieces(ZSTD, memoryview(payload), 4, windows) for _ in range(2))
        assert next(first) is not None
        assert next(second) is None, "there's room for one"
        rest = [one for one in first if one is not None]
        assert sum(one.records for one in rest) >= 2
        assert sum(one.records for one in second if one is not None) == 4
        third = pieces(ZSTD, memoryview(payload), 4, windows)
        assert next(third) is not None
        del third  # it was sought elsewhere
        assert windows.bytes == 0


def zstd_parameter(name: str) -> Any:
    return getattr(decoders.zstd.CompressionParameter, name)


def test_a_snappy_block_that_lies_about_its_size_is_refused() -> None:
    with pytest.raises(BatchError, match=r"5 bytes of snappy aren't 4294967295"):
        list(pieces(SNAPPY, memoryview(b"\xff\xff\xff\xff\x0f"), 1, Windows()))


@pytest.mark.parametrize("way", ["blocks", "one by one"])
def test_a_batch_of_no_records_is_passed_over_and_one_of_fewer_is_refused(way: str) -> None:
    parts = b"".join(record(7, b"k", b"v"))
    empty, next_ = batch(b"", 0, 0, 5), batch(parts, 0, 1, 6)
    assert [one.offset for one in read(empty + next_, 5, way)] == [13]
    with pytest.raises(BatchError, match="it tells of -2 records"):
        read(batch(parts, 0, -2), 0, way)


def test_a_codec_that_kafka_has_not_is_refused() -> None:
    with pytest.raises(BatchError, match="its codec is 6"):
        read(batch(b"", 6, 1), 0, "blocks")


def test_an_assignment_can_be_distinguished() -> None:
    assert Assignment.__hash__ is object.__hash__
    assert bomb(ZSTD, 2, 10)
