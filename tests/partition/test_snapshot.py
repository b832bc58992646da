"""What a partition knows survives in its store: reopened, it goes on as if nothing had been."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given

from draws import logs, rngs, timings
from runs import (
    Bench,
    confirmed,
    consumed,
    cut,
    ended,
    event,
    new_task,
    placed,
    reversed_,
    started,
    stepped,
)
from streams.contract.topics import MES_EVENTS
from tables.line.closing import due_of
from tables.line.conservation import balances
from tables.line.line import STATE
from tables.line.rules import Timing, rules_for
from tables.partition import snapshot
from tables.partition.head import FormatError
from tables.partition.partition import Partition
from tables.store.rocksdb import RocksStore
from tables.store.store import HEAD, MemoryStore

UNSTORED = {
    "due", "sweep_due", "oldest_bucket", "next_page", "leaving",  # bounds, and what is in course
    "duplicate_events", "refused_events", "corrections",  # counted since the opening
}  # fmt: skip

# Laws.


@given(logs(), timings, rngs)
def test_a_reopened_partition_equals_the_one_that_went_on(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    """In every field that isn't a mere bound or a mark of what's new."""
    for at, records in placed(lines).items():
        store = MemoryStore()
        task = new_task(at, timing, store=store)
        for batch in cut(records, rng):
            stepped(task, batch)
        again = new_task(at, timing, store=store)
        assert again.counts == task.counts
        assert again.offset == task.offset
        assert again.lines.keys() == task.lines.keys()
        for key, line in task.lines.items():
            found = again.lines[key]
            for name in STATE:
                if name not in UNSTORED:
                    assert getattr(found, name) == getattr(line, name), name
            assert found.oldest_bucket <= line.oldest_bucket
            assert found.parked == line.parked
            assert found.due <= due_of(found)


@given(logs(), timings, rngs)
def test_the_store_of_a_partition_is_bounded_by_what_it_knows(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    """A key for each line, episode and page of an open window; nothing lingers of what is over."""
    for at, records in placed(lines).items():
        task = new_task(at, timing)
        for batch in cut(records, rng):
            stepped(task, batch)
        found = {prefix: sum(1 for _ in task.store.scan(prefix)) for prefix in (b"h", b"e", b"w")}
        lines_ = task.lines.values()
        assert found == {
            b"h": len(lines_),
            b"e": sum(len(line.episodes) for line in lines_),
            b"w": sum(
                len({row.page for row in rows.values()})
                for line in lines_
                for carried in line.windows
                for rows in carried.values()
            ),
        }


# Examples.


def busy_bench() -> Bench:
    """A line with all there can be: sums past 64 bits, open windows, episodes of every kind."""
    bench = Bench()
    issue = consumed(0, "999999999999999.999999999", id="big", lot="L|1")
    bench.send(
        issue,
        *(consumed(n, "999999999999999", id=f"e{n}", line="L1") for n in range(30)),
        confirmed(1, "-999999999999999", line="L2"),
        started(0, "running"),
        started(1, "planned", planned=True),
        ended(2, "waiting"),
        started(3, "over"),
        ended(4, "over"),
        event("quality.hold_placed.v1", 5, hold="H", scope="lot", value="L|1", reason="r"),
        reversed_(issue, 6),
    )
    bench.tick(100)
    bench.send(consumed(20, "1", id="late"))
    return bench


def test_all_there_can_be_survives() -> None:
    steady, restarted = busy_bench(), busy_bench()
    restarted.reopen()
    more = [
        ended(50, "running"),
        started(1, "waiting"),
        consumed(20, "1", id="late"),
        consumed(2_000, id="last"),
    ]
    for value in more:
        assert restarted.send(value) == steady.send(value)
        restarted.reopen()
    assert restarted.task.counts == steady.task.counts
    assert restarted.close() == steady.close()


def test_sums_past_64_bits_survive() -> None:
    bench = busy_bench()
    bench.reopen()
    (line,) = [line for line in bench.task.lines.values() if line.line == "L1"]
    assert max(line.accepted) > 2**63
    found = balances(line, bench.rules)
    assert found["erp.goods_issue.v1", "quantity"].open > 2**63
    assert not any(balance.error for balance in found.values())


def test_offsets_and_instants_of_any_size_survive() -> None:
    for offset in (0, 2**31, 2**62, 2**63 - 1):
        task = new_task((MES_EVENTS, 0))
        ((_, (record,)),) = placed([consumed(0)]).items()
        stepped(task, [msgspec.structs.replace(record, offset=offset)])
        again = Partition(MES_EVENTS, 0, task.rules, task.store)
        assert again.offset == offset
        assert again.step([msgspec.structs.replace(record, offset=offset)]).outputs == []
        assert again.counts.accepted == 1


def test_records_the_state_has_seen_are_passed_over() -> None:
    bench = Bench()
    records = bench.records(confirmed(0, id="a"), confirmed(1, id="b"), confirmed(2, id="c"))
    assert len(stepped(bench.task, records[:2])) == 2
    bench.reopen()
    assert len(stepped(bench.task, records)) == 1
    assert stepped(bench.task, records) == []
    assert bench.task.counts.accepted == 3
    assert bench.task.counts.duplicate == 0


def test_rocksdb_gives_back_what_memory_does(tmp_path: Any) -> None:
    lines = [consumed(n * 30, id=f"e{n}", line=f"L{n % 3}") for n in range(100)]
    lines += [started(10, f"EP{n}", line="L0") for n in range(5)]
    ((at, records),) = placed(lines).items()
    rng = Random(3)
    expected = stepped(new_task(at), records)
    left = []
    for batch in cut(records, rng):
        store = RocksStore(tmp_path / "state")
        left += stepped(new_task(at, store=store), batch)
        store.close()
    assert left == expected


# Refusals.


@pytest.mark.parametrize(
    "change",
    [{"breakdown_seconds": 900}, {"idle_grace_seconds": 0}, {"future_seconds_max": 60},
     {"mes_retention_seconds": 900}, {"machine_retention_seconds": 900}, {"grace_seconds": 0},
     {"grace_seconds": 60}, {"episode_limit_seconds": 600}, {"episode_limit_seconds": 100_000},
     {"mes_retention_seconds": 10_000}, {"ledger_bucket_seconds": 3_600}],
)  # fmt: skip
def test_a_state_goes_on_with_another_timing_unless_a_law_would_break(
    change: dict[str, int],
) -> None:
    """Or it is refused with a sentence; a key told twice or a repeat accepted is neither."""
    timing = Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=60)
    bench = Bench(timing=timing)
    old = consumed(200, id="old")
    # The last one comes in the grace of 60 s, but not of 30, of the windows that end at 2,100 s.
    left = bench.send(old, started(0, planned=True), consumed(1_900))
    left += bench.send(consumed(2_140))
    bench.rules = rules_for(MES_EVENTS, msgspec.structs.replace(timing, **change))
    refusal = _refusal(bench)
    if refusal is not None:
        assert refusal.startswith("the state of mes.events.v1/0 ")
        return
    left += bench.send(old, consumed(2_090, "5", id="late"), consumed(4_000, id="last"))
    left += bench.close()
    keys = [each["id"] for each in left]
    assert len(keys) == len(set(keys))
    assert bench.task.counts.accepted == 6
    (line,) = bench.task.lines.values()
    assert not any(balance.error for balance in balances(line, bench.rules).values())


def _refusal(bench: Bench) -> str | None:
    try:
        bench.reopen()
    except FormatError as error:
        return str(error)
    return None


def test_without_lasting_only_the_ledger_is_written() -> None:
    """What a replay needs of its store."""
    task = Partition(MES_EVENTS, 0, rules_for(MES_EVENTS), MemoryStore(), lasting=False)
    ((_, records),) = placed([consumed(0), started(0)]).items()
    stepped(task, records)
    prefixes = {key[:1] for key, _ in task.store.scan(b"")}
    assert prefixes == {HEAD, snapshot.EXPIRY, b"l"}
