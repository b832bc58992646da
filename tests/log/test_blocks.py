"""RecordBatches as wholes: read as aiokafka reads them, written as aiokafka reads them back."""

from random import Random
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from compiled import needs_core
from draws import rngs, seeds
from streams.kafka.fetched import Kept, Unpacked, joined, whole
from streams.kafka.record_batches import HEADER, SealedBatch
from streams.kafka.writer import grouped, grouped_plain
from streams.log.headers import headers_of
from streams.log.record import Outgoing, Record

UNCOMMITTED, COMMITTED = 0, 1
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS = [0, GZIP, SNAPPY, LZ4, ZSTD]
STRUCTURED = ("content-type", b"application/cloudevents+json")
TP = TopicPartition("t", 0)


@pytest.fixture(autouse=True, scope="module")
def core() -> None:
    needs_core()


def some_record(rng: Random, offset: int) -> Record:
    texts = [None, b"", b"x", rng.randbytes(rng.choice([1, 63, 64, 200, 9_000]))]
    headers = [(rng.choice(["a", "ü", "ce_specversion"]), rng.choice(texts)) for _ in range(2)]
    return Record(
        offset,
        rng.randrange(2**41) * 1_000,
        rng.choice(texts),
        rng.choice(texts),
        tuple(headers[: rng.choice([0, 0, 1, 2])]),
    )


def built(records: list[Record], codec: int, base: int, transactional: bool = False) -> bytes:
    """Return a RecordBatch as aiokafka writes it."""
    builder = DefaultRecordBatchBuilder(2, codec, transactional, 7, 0, 0, 1 << 26)
    for each in records:
        assert each.timestamp is not None
        at_ms = each.timestamp // 1_000
        builder.append(each.offset - base, at_ms, each.key, each.value, list(each.headers))
    return at_offset(bytes(builder.build()), base)


def at_offset(batch: bytes, base: int) -> bytes:
    """Return a RecordBatch with its base offset, as a broker has given it."""
    return base.to_bytes(8, "big") + batch[8:]


def fetched(
    data: bytes, offset: int, level: int = UNCOMMITTED, aborted: Any = None
) -> list[Record]:
    """Return what a consumer of blocks gets of the bytes of a fetch."""
    found = Unpacked(TP, Kept(data), aborted, offset, whole, None, True, level)
    blocks = [block for block in found if block is not None]
    return list(joined(blocks)) if blocks else []


@given(seeds, st.sampled_from(CODECS), st.integers(1, 40))
def test_a_block_has_the_records_of_its_batches(seed: int, codec: int, count: int) -> None:
    rng = Random(seed)
    base = rng.randrange(2**40)
    records = [some_record(rng, base + number) for number in range(count)]
    middle = rng.randrange(count + 1)
    parts = [part for part in (records[:middle], records[middle:]) if part]
    batches = [built(part, codec, part[0].offset) for part in parts]
    assert fetched(b"".join(batches), base) == records
    first = base + rng.randrange(count)  # a broker begins with the batch that has it
    begin = sum(part[-1].offset < first for part in parts)
    assert fetched(b"".join(batches[begin:]), first) == records[first - base :]


def test_what_a_transaction_took_back_is_passed_over() -> None:
    rng = Random(1)
    kept = [some_record(rng, 0), some_record(rng, 2)]
    data = built(kept[:1], LZ4, 0) + built([some_record(rng, 1)], LZ4, 1, transactional=True)
    data += built(kept[1:], LZ4, 2)
    assert len(fetched(data, 0, UNCOMMITTED, [(7, 1)])) == 3
    # Producer 7 has no more of its own after the aborted one but what is outside a transaction.
    assert fetched(data, 0, COMMITTED, [(7, 1)]) == kept


@given(rngs)
def test_a_spoilt_batch_is_an_error_and_nothing_worse(rng: Random) -> None:
    from streams.log.blocks import BatchError, block_from

    data = bytearray(built([some_record(rng, number) for number in range(5)], 0, 0))
    for _ in range(rng.randint(1, 3)):
        data[rng.randrange(HEADER.size, len(data))] = rng.randrange(256)
    if rng.random() < 0.5:
        del data[rng.randrange(HEADER.size, len(data)) :]
    try:
        block = block_from(bytes(data), bytes(data[HEADER.size :]), -1)
    except BatchError as error:
        assert "record" in str(error)
    else:
        assert len(block) <= 5


@given(rngs, st.integers(0, 30), st.integers(1, 12))
def test_a_block_is_a_sequence_that_can_be_cut(rng: Random, count: int, most: int) -> None:
    from streams.log.blocks import block_of

    records = [some_record(rng, 3 * number) for number in range(count)]
    block = block_of(records)
    assert [*block] == [block[number] for number in range(count)] == records == block[:]
    assert [*block.after(10)] == [record for record in records if record.offset > 10]
    with pytest.raises(IndexError, match="record"):
        block[count]
    if count:
        whole_ = block.after(-1)
        assert block[-1] == records[-1]
        read = fetched_block(records)
        parts = read.parts(most, 1 << 30)
        assert [[*part] for part in parts] == [
            [*read][begin : begin + most] for begin in range(0, count, most)
        ]
        assert [*whole_] == records


def fetched_block(records: list[Record]) -> Any:
    from streams.log.blocks import block_from

    data = built(records, 0, 0)
    return block_from(data, data[HEADER.size :], -1)


@given(
    st.lists(st.tuples(st.binary(max_size=300), st.none() | st.binary(max_size=300)), min_size=1),
    st.booleans(),
)
def test_what_is_sealed_aiokafka_reads_back(
    pairs: list[tuple[bytes, bytes | None]], transactional: bool
) -> None:
    from streams.log.blocks import pairs_payload

    payload, count = pairs_payload(pairs)
    sealed = SealedBatch(payload, count, 1_795_240_800_000, transactional)
    assert (sealed.closed(), sealed.record_count()) == (True, len(pairs))
    sealed._set_producer_state(99, 3, 1_000)
    data = sealed._build()
    assert len(data) == sealed.size()
    assert sealed._build() is data
    batch = DefaultRecordBatch(data)
    assert batch.validate_crc()
    told = batch.producer_id, batch.producer_epoch, batch.base_sequence, batch.is_transactional
    assert told == (99, 3, 1_000, transactional)
    assert batch.last_offset_delta == len(pairs) - 1
    found = [(each.offset, each.timestamp, each.key, each.value) for each in batch]
    assert found == [(n, 1_795_240_800_000, *pair) for n, pair in enumerate(pairs)]


def test_the_same_records_are_sealed_once_for_several_places() -> None:
    from streams.log.blocks import pairs_payload

    one = SealedBatch(*pairs_payload([(b"k", b"v")]), 1_795_240_800_000, False)
    one._set_producer_state(99, 3, 1_000)
    first = one._build()
    other = one.again()
    other._set_producer_state(99, 3, 7)
    batches = [DefaultRecordBatch(data) for data in (first, other._build())]
    assert [batch.validate_crc() for batch in batches] == [True, True]
    assert [batch.base_sequence for batch in batches] == [1_000, 7]
    assert [[(each.key, each.value) for each in batch] for batch in batches] == [[(b"k", b"v")]] * 2
    assert one._build() is first


@given(rngs)
def test_each_record_leaves_as_a_cloud_event_and_with_its_trace(rng: Random) -> None:
    from streams.log.blocks import outgoing_payload

    records = [
        Outgoing(
            "t", rng.choice([None, b"k"]), str(number), "x", rng.randbytes(rng.choice([0, 70, 9_000])),
            rng.choice([None, rng.randbytes(rng.choice([1, 55, 200]))]),
        )
        for number in range(rng.randrange(1, 150))
    ]  # fmt: skip
    sealed = SealedBatch(*outgoing_payload(records), 1_795_240_800_000, False)
    sealed._set_producer_state(99, 3, 1_000)
    found = [
        (each.key, each.value, list(each.headers)) for each in DefaultRecordBatch(sealed._build())
    ]
    assert found == [
        (one.key, one.value, [STRUCTURED, *([("traceparent", one.trace)] if one.trace else [])])
        for one in records
    ]
    assert found == [(one.key, one.value, headers_of(one)) for one in records]


@given(rngs, st.sampled_from([100, 1_000, 10_000]))
def test_outputs_are_grouped_as_plainly_and_no_group_is_too_large(
    rng: Random, bytes_max: int
) -> None:
    from streams.log.blocks import outgoing_payload

    records = [
        Outgoing(
            rng.choice(["a", "b"]),
            rng.choice([None, b"k", b"l", b"m"]),
            str(number),
            "x",
            rng.randbytes(rng.randrange(300)),
            rng.choice([None, None, rng.randbytes(55)]),
        )
        for number in range(rng.randrange(200))
    ]

    def place_of(topic: str, key: bytes | None) -> tuple[str, int]:
        return topic, 0 if key is None else key[0] % 2

    found = grouped(records, {}, place_of, bytes_max)
    assert found == grouped_plain(records, {}, place_of, bytes_max)
    assert sorted((each for _, group in found for each in group), key=records.index) == records
    for _, group in found:
        assert len(group) == 1 or len(outgoing_payload(group)[0]) <= bytes_max
