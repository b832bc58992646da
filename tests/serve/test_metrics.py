"""Metrics say what the job says, under names that are known, at a cost that is bounded."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from agents.partition import ledger_count, meter
from agents.partition.ledger_count import LedgerCount
from agents.partition.meter import (
    LATENCY_BOUNDS,
    OTHER,
    Histogram,
    LineCounts,
    Meter,
    Tally,
    add_ages_plain,
)
from agents.serve import metrics
from agents.serve.job_metrics import ConservationErrors
from agents.serve.metrics import METRICS, PREFIX, Exposition, Families, table
from compiled import needs_core
from draws import rngs, seeds, timings
from logs import random_log
from runs import At, Bench, consumed, cut, event, new_task, placed, stepped
from streams.contract.topics import MES_EVENTS
from streams.log.record import Record
from tables.line.ledger import PREFIX as LEDGER
from tables.line.rules import Timing
from tables.line.singles import ACCEPTED
from tables.partition.partition import Partition
from tables.store.store import MemoryStore

ROOT = Path(__file__).parents[2]

OUTCOMES = ("accepted", "duplicate", "exception")


def opened(measured: Meter, task: Partition) -> Partition:
    measured.opening(task.topic, task.number)
    measured.opened(task)
    return task


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Return values by name and labels in the order of their names."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


# Names.


def test_the_docs_have_the_table_of_the_metrics() -> None:
    assert table() in (ROOT / "docs" / "metrics.md").read_text("utf-8"), "run `make docs`"


def test_no_label_is_an_order_a_lot_or_a_key() -> None:
    known = {"plant", "line", "topic", "partition", "outcome", "class", "code", "type", "measure",
             "stage", "version", "python", "core", "guarantee"}  # fmt: skip
    for metric in METRICS:
        assert set(metric.labels) <= known, metric.name
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name


# What came of events.


@given(seeds, timings, rngs)
def test_what_lines_tell_adds_up_to_what_the_partitions_counted_since_they_were_opened(
    seed: int, timing: Timing, rng: Random
) -> None:
    measured, wanted = Meter(), dict.fromkeys(OUTCOMES, 0)
    left: dict[str, int] = {}

    async def work() -> None:
        for at, records in placed(random_log(seed, 150)).items():
            before, after = _halves(at, records, timing, rng)
            opened(measured, after)
            for batch in cut(records[len(records) // 2 :], rng):
                stepped(after, batch)
            if rng.random() < 0.5:
                measured.closed(after)
            for name in OUTCOMES:
                wanted[name] += getattr(after.counts, name) - getattr(before.counts, name)
            for kind, count in after.counts.left.items():
                left[kind] = left.get(kind, 0) + count - before.counts.left[kind]

    asyncio.run(work())
    tally = measured.tally()
    assert {
        name: sum(getattr(of, name) for of in tally.lines.values()) for name in OUTCOMES
    } == wanted
    assert tally.codes.total() == wanted["exception"]
    assert tally.left == {kind: count for kind, count in left.items() if count}
    assert measured.tally() == tally, "telling changes nothing"


def _halves(
    at: At, records: list[Record], timing: Timing, rng: Random
) -> tuple[Partition, Partition]:
    """Return a task that has seen the first half of the records, and one opened from its state."""
    store = MemoryStore()
    before = new_task(at, timing, store=store)
    for batch in cut(records[: len(records) // 2], rng):
        stepped(before, batch)
    return before, new_task(at, timing, store=store)


async def test_each_line_has_its_own_duplicates_exceptions_and_corrections() -> None:
    measured, bench = Meter(), Bench()
    opened(measured, bench.task)
    one, other = consumed(10, id="a"), consumed(11, id="b", line="L2")
    bench.send(one, one, one, other, consumed(12, "2", id="a"))
    bench.tick(400)
    bench.send(consumed(20, id="late"))
    bench.tick(800)
    lines = {place: of for place, of in measured.tally().lines.items() if of != LineCounts()}
    assert lines == {
        ("DE01", "L1", MES_EVENTS): LineCounts(2, 2, 1, late=1, corrections=2),  # ERP and summary
        ("DE01", "L2", MES_EVENTS): LineCounts(1, 0, 0),
    }


async def test_what_no_known_line_said_is_reported_as_other() -> None:
    measured, bench = Meter(), Bench()
    opened(measured, bench.task)
    bench.send(consumed(10))
    broken = [
        Record(1, None, b"DE01/L1", b"{"),  # its key says whose it is
        Record(2, None, b"DE01/L9", b"{"),
        Record(3, None, None, b"{"),
        Record(4, None, b"DE01/L1", event("material.consumed.v1", 11, line="L7", item=3)),
    ]
    bench.task.step(broken)
    lines = {place[:2]: of.exception for place, of in measured.tally().lines.items()}
    assert lines == {("DE01", "L1"): 1, OTHER: 3}
    assert measured.tally().codes == {"malformed": 3, "invalid": 1}


async def test_lines_without_end_are_few_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "LINES_MAX", 3)
    measured, bench = Meter(), Bench()
    opened(measured, bench.task)
    bench.send(*(consumed(number, line=f"L{number}") for number in range(20)))
    lines = measured.tally().lines
    assert len(lines) == 4
    assert lines[*OTHER, MES_EVENTS].accepted == 17
    bench.send(consumed(30, line="L1"), consumed(31, line="new"))
    assert measured.tally().lines.keys() == lines.keys()


async def test_a_partition_that_comes_back_goes_on_where_it_was() -> None:
    measured, bench = Meter(), Bench()
    bench.send(consumed(1, id="before"))
    bench.reopen()
    for number in range(3):
        opened(measured, bench.task)
        bench.send(consumed(10 + number), consumed(10 + number))
        measured.closed(bench.task)
        bench.reopen()
    assert measured.tally().lines == {("DE01", "L1", MES_EVENTS): LineCounts(3, 3, 0)}
    assert measured.openings == {(MES_EVENTS, 0): 3}


async def test_an_error_of_conservation_is_reported_where_it_is() -> None:
    bench = Bench()
    bench.send(consumed(10, "12.5"))
    (line,) = bench.task.lines.values()
    line.accepted[0] += 1  # a billionth that nobody has sent
    families, errors = Families(), ConservationErrors()
    errors.expect(bench.rules)
    errors.look(line, bench.rules)
    errors.add(families)
    measured = {
        (sample.labels["type"], sample.labels["measure"]): sample.value
        for sample in families.all["conservation_error"].samples
    }
    kind = bench.rules.kinds[0]
    assert measured.pop((kind.record, kind.measures[0])) == 1e-9
    assert set(measured.values()) == {0.0}


async def test_a_record_too_few_among_what_leaves_singly_is_an_error_of_1() -> None:
    bench = Bench()
    bench.send(consumed(10, "12.5"))
    (line,) = bench.task.lines.values()
    line.singles[ACCEPTED] += 1  # of the first record type
    families, errors = Families(), ConservationErrors()
    errors.expect(bench.rules)
    errors.look(line, bench.rules)
    errors.add(families)
    wrong = [
        (sample.labels["type"], sample.labels["measure"], sample.value)
        for sample in families.all["conservation_error"].samples
        if sample.value
    ]
    assert wrong == [(bench.rules.kinds[0].record, "records", 1.0)]


# The ledger's size.


@given(seeds, timings, rngs)
def test_ledger_keys_are_those_of_the_store(seed: int, timing: Timing, rng: Random) -> None:
    """Reversals mark entries, sweeps delete them, an identity may be accepted anew."""

    async def work() -> None:
        for at, records in placed(random_log(seed, 200)).items():
            _, task = _halves(at, records, timing, rng)
            count = LedgerCount(task)
            for batch in cut(records[len(records) // 2 :], rng):
                stepped(task, batch)
                there = sum(1 for _ in task.store.scan(LEDGER.encode()))
                assert count.keys == there

    asyncio.run(work())


async def test_a_large_ledger_is_counted_beside_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_count, "SLICE_ENTRIES", 10)
    monkeypatch.setattr(ledger_count, "TIME_SHARE_MAX", 1.0)
    bench = Bench()
    bench.send(*(consumed(number) for number in range(95)))
    bench.reopen()
    count = LedgerCount(bench.task)
    assert count.keys is None
    bench.send(consumed(200), consumed(1))  # one is new
    async with asyncio.timeout(10):
        while count.keys is None:  # noqa: ASYNC110  # nobody tells of it
            await asyncio.sleep(0)
    assert count.keys == 96


# Histograms.


def test_a_value_is_in_the_bucket_whose_bound_it_is_not_past() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.0, 1.0, 1.5, 2.0, 3.0):
        histogram.observe(value)
    assert (histogram.counts, histogram.sum) == ([2, 2, 1], 7.5)


@given(rngs)
def test_compiled_ages_are_the_plain_ones(rng: Random) -> None:
    needs_core()
    from streams.log.blocks import add_ages, block_of

    bounds = sorted(rng.sample(range(1, 2_000), rng.randint(1, 20)))
    records = [
        Record(number, rng.choice([None, rng.randrange(3_000)]), b"k", b"v")
        for number in range(rng.randrange(40))
    ]
    now = rng.randrange(3_000)
    one, other = [1] * (len(bounds) + 1), [1] * (len(bounds) + 1)
    assert add_ages(block_of(records), now, bounds, one) == add_ages_plain(
        records, now, bounds, other
    )
    assert one == other
    assert sum(one) == len(one) + sum(record.timestamp is not None for record in records)


def test_latency_is_from_the_timestamp_of_the_record() -> None:
    measured = Meter()
    now = time.time()
    ages = [0.0, 0.2, 20.0, 100_000.0]
    measured.acknowledged([[Record(0, round((now - age) * 1e6), None, None) for age in ages]])
    places = [0, LATENCY_BOUNDS.index(0.25), LATENCY_BOUNDS.index(30.0), len(LATENCY_BOUNDS)]
    assert [place for place, count in enumerate(measured.latency.counts) if count] == places
    assert measured.latency.sum == pytest.approx(sum(ages), abs=5)


# The text.


async def test_what_was_added_is_what_prometheus_reads() -> None:
    def read(families: Families) -> Iterator[None]:
        yield
        for metric in METRICS:
            labels = [f'{label} "quoted"\\\n' for label in metric.labels]
            if metric.type == "histogram":
                families.add_histogram(metric.name, (0.5, 2.0), (1, 2, 4), 12.5, *labels)
            else:
                families.add(metric.name, 3, *labels)

    values = samples(await Exposition(read).text())
    for metric in METRICS:
        labels = sorted(f'{label}={label} "quoted"\\\n' for label in metric.labels)
        name = PREFIX + metric.name
        if metric.type == "histogram":
            found = {
                bound: values[f"{name}_bucket", *sorted([*labels, f"le={bound}"])]
                for bound in ("0.5", "2.0", "+Inf")
            }
            assert found == {"0.5": 1, "2.0": 3, "+Inf": 7}
            assert values[f"{name}_sum", *labels] == 12.5
        else:
            assert values[name, *labels] == 3
    assert values["process_resident_memory_bytes",] > 0


async def test_every_metric_is_described_before_it_has_a_sample() -> None:
    text = (await Exposition(lambda _: iter(())).text()).decode()
    for metric in METRICS:
        assert f"# TYPE {PREFIX}{metric.name} {metric.type}\n" in text
        assert f"# HELP {PREFIX}{metric.name} " in text


async def test_others_have_their_turn_while_the_job_is_read() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def read(_: Families) -> Iterator[None]:
        for _ in range(10):
            before = turns
            yield
            assert turns > before

    working = asyncio.ensure_future(others())
    await Exposition(read).text()
    working.cancel()


async def test_however_many_scrape_the_job_is_read_as_often_as_it_can_bear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "PAUSE_SECONDS_MIN", 0.0)
    readings = 0

    def read(_: Families) -> Iterator[None]:
        nonlocal readings
        readings += 1
        time.sleep(0.01)
        yield
        time.sleep(0.01)

    exposition = Exposition(read)
    began = time.perf_counter()
    await asyncio.gather(*(exposition.text() for _ in range(50)))
    await asyncio.sleep(0.2)
    await exposition.text()
    assert time.perf_counter() - began < 1.9, "too slow a machine to tell"
    assert readings == 1, "20 ms of reading are worth 2 s of quiet"


def test_a_tally_that_was_copied_goes_on_by_itself() -> None:
    one = Tally()
    one.of("P", "L", "t").accepted = 1
    other = one.copy()
    assert other == one
    other.of("P", "L", "t").accepted += 1
    other.codes["invalid"] += 1
    assert one.lines == {("P", "L", "t"): LineCounts(1)}
    assert replace(one) == one
    assert not one.codes
