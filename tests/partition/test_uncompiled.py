"""Modules with sources do the same uncompiled: the same records, the same stored bytes.

And records do the same as objects and as a block of Kafka's bytes.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from msgspec.structs import replace

from compiled import needs_core
from draws import logs, rngs, timings
from logs import START, random_log
from runs import At, cut, new_task, placed
from streams.contract.policy import Policy, default_policy, read_policy
from streams.kafka.record_batches import HEADER
from streams.log.record import Record
from tables.line.rules import Timing
from tables.partition.partition import Bounds, Partition
from tables.store.store import HEAD

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LOGS, EVENTS = 40, 300

PROFILE = "few"
"""Of Hypothesis, for what is run uncompiled: the same tests run compiled with all their examples."""

AT_ONCE_MAX = 16
"""Records of a batch that is cut up by bounds: each of its steps reads all of it anew."""

HERE = """
import sys
sys.path[:0] = ["tests", "tests/partition"]
from streams.core import core_of
assert core_of().name == "plain", core_of()
from test_uncompiled import digests
print(*digests(), sep="\\n")
"""


def stamped(records: Sequence[Record], rng: Random) -> list[Record]:
    """Return records with the timestamps of a broker, in whole milliseconds, most of them late."""
    clock, made = (START - 3_600) * SECOND, []
    for record in records:
        clock += rng.randrange(20_000) * 1_000
        value = None if record.value is None else _with_trace(record.value, rng)
        made.append(replace(record, timestamp=clock, value=value, headers=_headers(rng)))
    return made


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
    headers = [("traceparent", trace), (rng.choice(["empty", "ce_specversion"]), None)]
    headers.append(("content-type", kind))
    return tuple(rng.sample(headers, rng.choice([1, 2, 3])))


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


def everything_windowed() -> Policy:
    """Return the default policy with confirmations by window and goods issues at once."""
    toml = files("streams.contract").joinpath("policy.toml").read_text("utf-8")
    for short, when in (("pc", "window"), ("gi", "at_once")):
        before = "at_once" if when == "window" else "window"
        entry = f'short = "{short}"\nwhen = "%s"'
        assert entry % before in toml
        toml = toml.replace(entry % before, entry % when)
    policy = read_policy(toml)
    assert policy != default_policy()
    return policy


def steps(task: Partition, batches: Sequence[Sequence[Record]]) -> Iterator[tuple[str, ...]]:
    """Yield what each batch leads to: what leaves, what is stored, what became of the records."""
    for batch in batches:
        last = batch[-1].offset
        while task.offset < last:  # a step with bounds may end before its records do
            step = task.step(batch)
            stored = {key: value for key, value in task.commit(step).items() if key != HEAD}
            yield repr(step.outputs), repr(sorted(stored.items())), repr(task.counts)
    yield repr(task.close_all()), repr(task.counts), repr(task.floors)


def parts(batch: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Yield a batch in several of `AT_ONCE_MAX` records at most."""
    for start in range(0, len(batch), AT_ONCE_MAX):
        yield batch[start : start + AT_ONCE_MAX]


def digests() -> list[str]:
    """Return a digest of what comes of each of some random logs, under different rules."""
    made = []
    for seed in range(LOGS):
        rng, digest = Random(seed), sha256()
        timing = rng.choice([None, Timing(grace_seconds=0), Timing(mes_retention_seconds=3_600)])
        policy = rng.choice([None, everything_windowed()])
        bounds = rng.choice([None, Bounds(output_bytes=4_000, rows=3, lines=2)])
        for at, records in placed(random_log(seed, EVENTS)).items():
            task = new_task(at, timing, policy, bounds=bounds)
            batches = [*cut(stamped(records, rng), rng)]
            if bounds is not None:
                batches = [part for batch in batches for part in parts(batch)]
            for each in steps(task, batches):
                digest.update("".join(each).encode())
        made.append(digest.hexdigest())
    return made


def uncompiled(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python where nothing compiled is loaded."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "LINESIDE_CORE": "plain", "HYPOTHESIS_PROFILE": PROFILE},
    )  # fmt: skip


@pytest.mark.slow
def test_sources_do_the_same_compiled_and_not() -> None:
    needs_core()
    done = uncompiled("-c", HERE)
    assert done.returncode == 0, done.stderr
    plain = done.stdout.split()
    assert plain == digests()
    assert len(set(plain)) == LOGS


@pytest.mark.slow
def test_lines_and_checks_pass_their_tests_uncompiled() -> None:
    needs_core()
    done = uncompiled(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/line", "tests/contract/test_checks.py",
        "tests/partition/test_bounds.py", "tests/test_golden.py",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4_000:]


@given(logs(), timings, rngs)
@pytest.mark.parametrize("policy", [default_policy, everything_windowed])
def test_a_block_leads_to_what_its_records_lead_to(
    policy: Callable[[], Policy], lines: list[bytes], timing: Timing, rng: Random
) -> None:
    needs_core()
    for at, records in placed(lines).items():
        batches = [list(batch) for batch in cut(stamped(records, rng), rng)]
        wanted = steps(new_task(at, timing, policy()), batches)
        found = steps(new_task(at, timing, policy()), [as_block(batch) for batch in batches])
        for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
            assert one == other, (at, number)


def test_a_block_that_was_seen_in_part_goes_on_behind_what_was_seen() -> None:
    needs_core()
    at: At
    at, records = max(placed(random_log(3, 200)).items(), key=lambda each: len(each[1]))
    records = stamped(records, Random(1))
    whole, parts = new_task(at), new_task(at)
    wanted = whole.step(as_block(records))
    first = parts.step(as_block(records[:120]))
    parts.commit(first)
    second = parts.step(as_block(records[70:]))
    assert [*first.outputs, *second.outputs] == wanted.outputs
    assert parts.counts == whole.counts
