"""An event's trace goes with what it makes leave at once, and changes nothing else."""

import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from compiled import all_plain, needs_core
from runs import Bench, confirmed, consumed, reversed_
from streams.kafka import record_batches as kafka_batches
from streams.log.headers import STRUCTURED
from streams.log.record import Outgoing, Record
from streams.log.tracing import trace_id, traceparent, well_formed

TRACE = "0af7651916cd43dd8448eb211c80319c"
GIVEN = f"00-{TRACE}-b7ad6b7169203331-01"
OTHER = f"00-{TRACE[::-1]}-b7ad6b7169203331-00"


@pytest.fixture(autouse=True, params=["plain", "compiled"])
def core(request: pytest.FixtureRequest) -> Any:
    if request.param == "compiled":
        needs_core()
    with all_plain() if request.param == "plain" else nullcontext():
        yield


def with_trace(value: bytes, trace: object = GIVEN) -> bytes:
    return json.dumps(json.loads(value) | {"traceparent": trace}).encode()


def left(*records: tuple[bytes, tuple[tuple[str, bytes | None], ...]]) -> list[Outgoing]:
    return (
        Bench()
        .task.step(
            [Record(number, None, b"DE01/L1", *record) for number, record in enumerate(records)]
        )
        .outputs
    )


def test_the_attribute_leaves_with_what_leaves_at_once() -> None:
    (one,) = left((with_trace(confirmed(1)), ()))
    assert one.trace == GIVEN.encode()


def test_what_is_posted_is_what_it_would_be_without() -> None:
    (one,) = left((with_trace(confirmed(1)), (("traceparent", OTHER.encode()),)))
    (other,) = left((confirmed(1), ()))
    assert (one.id, one.value, one.key) == (other.id, other.value, other.key)
    assert other.trace is None


def test_the_header_counts_where_there_is_no_attribute() -> None:
    headers = (("traceparent", OTHER.encode()), ("more", None))
    (one,) = left((confirmed(1), headers))
    assert one.trace == OTHER.encode()
    for nothing in (None, 7, {}):
        (one,) = left((with_trace(confirmed(1), nothing), headers))
        assert one.trace == OTHER.encode()
    (one,) = left((with_trace(confirmed(1)), headers))
    assert one.trace == GIVEN.encode()


def test_in_binary_mode_it_is_an_attribute_like_any_other() -> None:
    attributes = json.loads(with_trace(confirmed(1)))
    data = json.dumps(attributes.pop("data")).encode()
    headers = tuple((f"ce_{name}", value.encode()) for name, value in attributes.items())
    (one,) = left((data, headers))
    assert one.trace == GIVEN.encode()


def test_a_reversal_that_leaves_at_once_has_its_own() -> None:
    posted = confirmed(1)
    _, one = left((with_trace(posted), ()), (with_trace(reversed_(posted, 2), OTHER), ()))
    assert (one.type, one.trace) == ("erp.reversal.v1", OTHER.encode())


def test_an_event_with_another_trace_is_a_duplicate_all_the_same() -> None:
    assert len(left((with_trace(confirmed(1)), ()), (with_trace(confirmed(1), OTHER), ()))) == 1


def test_records_of_windows_have_no_trace() -> None:
    bench = Bench()
    bench.send(with_trace(consumed(1)))
    outputs = bench.task.step(bench.records(with_trace(confirmed(900)))).outputs
    assert {one.trace for one in outputs if one.type == "erp.goods_issue.v1"} == {None}
    assert [one.trace for one in outputs if one.type == "erp.production_confirmation.v1"] == [
        GIVEN.encode()
    ]


@pytest.mark.parametrize(
    "broken",
    ["", "00-1", GIVEN.upper(), f"ff{GIVEN[2:]}", f"00-{'0' * 32}-b7ad6b7169203331-01",
     f"00-{TRACE}-{'0' * 16}-01", f"{GIVEN}-1", f" {GIVEN}"],
)  # fmt: skip
def test_one_that_is_not_well_formed_is_left_out(broken: str) -> None:
    assert well_formed(broken.encode()) is None
    (one,) = left((with_trace(confirmed(1), broken), (("traceparent", OTHER.encode()),)))
    assert one.trace is None
    assert traceparent(None, [("traceparent", broken.encode())]) is None


def test_without_the_core_aiokafka_writes_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_batches, "COMPILED", False)
    builder = BatchBuilder(1 << 16, 0, is_transactional=False)
    producer = SimpleNamespace(create_batch=lambda: builder)
    outputs = left((with_trace(confirmed(1)), ()), (confirmed(2), ()))
    batch = kafka_batches.outgoing_batch(producer, outputs, 1_795_240_800_000, 1 << 16)
    assert batch is builder
    found = [list(each.headers) for each in DefaultRecordBatch(bytes(builder._build()))]
    assert found == [[STRUCTURED, ("traceparent", GIVEN.encode())], [STRUCTURED]]


def test_the_id_is_that_of_the_trace() -> None:
    assert trace_id(GIVEN.encode()) == TRACE
