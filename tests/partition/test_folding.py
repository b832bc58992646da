"""The compiled hot loop against the plain one: the same records, the same state, batch by batch."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from random import Random
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from msgspec.structs import replace

from compiled import all_plain, needs_core
from draws import logs, rngs, timings
from logs import START, random_log
from runs import At, cut, new_task, placed
from streams.contract.policy import Policy, default_policy, read_policy
from streams.contract.topics import MES_EVENTS
from streams.kafka.record_batches import HEADER
from streams.log.record import Record
from tables.line.rules import Timing
from tables.partition.partition import Partition

SECOND = 1_000_000
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True, scope="module")
def core() -> None:
    needs_core()


def stamped(records: Sequence[Record], rng: Random) -> list[Record]:
    """Return records with the timestamps of a broker, in whole milliseconds, most of them late."""
    clock, told = (START - 3_600) * SECOND, []
    for record in records:
        clock += rng.randrange(20_000) * 1_000
        value = None if record.value is None else _with_trace(record.value, rng)
        told.append(replace(record, timestamp=clock, value=value, headers=_headers(rng)))
    return told


def _with_trace(value: bytes, rng: Random) -> bytes:
    """Return an event with one attribute more or two, mostly as it is."""
    if rng.random() < 0.8 or not value.startswith(b"{"):
        return value
    given = [f'"{TRACEPARENT}"', '"00-1"', '""', "7", "null", "{}"]
    more = [f'"traceparent":{rng.choice(given)},' for _ in range(rng.choice([1, 1, 1, 2]))]
    return b"{" + "".join(more).encode() + value[1:]


def _headers(rng: Random) -> tuple[tuple[str, bytes | None], ...]:
    if rng.random() < 0.9:
        return ()
    trace = rng.choice([b"00-1", TRACEPARENT.encode(), None])
    kind = rng.choice([b"application/json", b"Application/CloudEvents", b"application/cloud", None])
    told = [("traceparent", trace), (rng.choice(["empty", "ce_specversion"]), None)]
    told.append(("content-type", kind))
    return tuple(rng.sample(told, rng.choice([1, 2, 3])))


def as_block(records: Sequence[Record]) -> Any:
    """Return records as they come from Kafka: out of a RecordBatch that aiokafka has built."""
    from streams.log.blocks import block_from

    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 26)
    first = records[0].offset
    for record in records:
        assert record.timestamp is not None
        built = builder.append(
            record.offset - first,
            record.timestamp // 1_000,
            record.key,
            record.value,
            list(record.headers),
        )
        assert built is not None
    batch = bytearray(builder.build())
    batch[:8] = first.to_bytes(8, "big")
    return block_from(bytes(batch), bytes(batch[HEADER.size :]), -1)


def state_of(task: Partition) -> dict[str, Any]:
    """Return all that a task knows of its lines, rows as sums."""
    told = {}
    for key, line in task.lines.items():
        each = {name: getattr(line, name) for name in line.__struct_fields__}
        each["windows"] = [
            {
                carrier: {
                    row_key: (row.measures, row.count, row.causes) for row_key, row in rows.items()
                }
                for carrier, rows in carried.items()
            }
            for carried in line.windows
        ]
        told[key.decode()] = each
    return told


Steps = list[tuple[Any, ...]]


def steps(
    at: At, batches: Sequence[Sequence[Record]], timing: Timing, policy: Policy | None
) -> Iterator[tuple[Any, ...]]:
    """Yield what each batch leads to: what leaves, what changes, and the task's whole state."""
    task = new_task(at, timing, policy)
    for batch in batches:
        step = task.step(batch)
        task.commit(step)
        yield step.outputs, step.changes, task.counts, task.offset, state_of(task)


def assert_equal(lines: Sequence[bytes], timing: Timing, rng: Random, policy: Policy | None) -> int:
    """Hold the compiled loop against the plain one; return how many records there were."""
    seen = 0
    for at, records in placed(lines).items():
        batches = [list(batch) for batch in cut(stamped(records, rng), rng)]
        seen += len(records)
        with all_plain():
            wanted: Steps = [tuple(map(repr, each)) for each in steps(at, batches, timing, policy)]
        for given_ in (batches, [as_block(batch) for batch in batches]):
            found = steps(at, given_, timing, policy)
            for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
                for mine, plain in zip(map(repr, one), other, strict=True):
                    assert mine == plain, (at, number)
    return seen


@given(logs(), timings, rngs)
def test_the_compiled_loop_does_what_the_plain_one_does(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    assert assert_equal(lines, timing, rng, None)


def everything_windowed() -> Policy:
    """Return the default policy with confirmations by window and goods issues at once."""
    toml = files("streams.contract").joinpath("policy.toml").read_text("utf-8")
    for short, when in (("pc", "window"), ("gi", "at_once")):
        before = "at_once" if when == "window" else "window"
        told = f'short = "{short}"\nwhen = "%s"'
        assert told % before in toml
        toml = toml.replace(told % before, told % when)
    return read_policy(toml)


@given(logs(), timings, rngs)
def test_another_policy_is_followed_alike(lines: list[bytes], timing: Timing, rng: Random) -> None:
    policy = everything_windowed()
    assert policy != default_policy()
    assert assert_equal(lines, timing, rng, policy)


def test_a_block_that_was_seen_in_part_goes_on_behind_what_was_seen() -> None:
    at, records = max(placed(random_log(3, 200)).items(), key=lambda each: len(each[1]))
    records = stamped(records, Random(1))
    whole, parts = new_task(at), new_task(at)
    wanted = whole.step(as_block(records))
    first, second = parts.step(as_block(records[:120])), None
    parts.commit(first)
    second = parts.step(as_block(records[70:]))
    assert [*first.outputs, *second.outputs] == wanted.outputs
    assert parts.counts == whole.counts


def test_plain_means_plain() -> None:
    with all_plain():
        task = new_task((MES_EVENTS, 0))
        assert task._folding is None
    assert new_task((MES_EVENTS, 0))._folding is not None
