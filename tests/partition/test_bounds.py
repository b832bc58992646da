"""Steps that are cut wherever a bound comes: the same records leave, in pieces of any size."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from json import loads
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import decode

from compiled import all_plain
from departed import Records, by_line
from draws import Log, rngs, seeds
from logs import random_log
from runs import At, consumed, cut, ended, event, new_task, placed, started, stepped
from streams.contract.topics import ERP_TRANSACTIONS, MES_EVENTS
from streams.log.record import Outgoing, Record
from tables.line.conservation import balances_by_unit
from tables.line.rules import Timing, rules_for
from tables.partition.head import FORMATS, format_of
from tables.partition.partition import Bounds, Partition, Step
from tables.store.overlay import Overlay
from tables.store.store import HEAD, MemoryStore, Store

STATES = Path(__file__).parent / "states"

STEPS_MAX = 200_000
"""More, and a record is taken up again and again for ever."""

TIGHT = Bounds(output_bytes=4_000, rows=5, lines=3)


def told(outputs: list[Outgoing]) -> Records:
    return by_line((each.topic, each.value) for each in outputs)


def in_steps(task: Partition, records: Sequence[Record]) -> Iterator[Step]:
    """Yield the steps that records take, each to be committed before the next."""
    for _ in range(STEPS_MAX):
        if task.offset >= records[-1].offset:
            return
        yield task.step(records)
    raise AssertionError(f"{STEPS_MAX} steps, and still at offset {task.offset}")


def size_of(step: Step) -> int:
    return sum(len(key) + len(value or b"") for key, value in step.changes.items())


def opened(
    at: At, timing: Timing | None, store: Store, bounds: Bounds = TIGHT,
    lines_max: int | None = None,
) -> Partition:  # fmt: skip
    rules = rules_for(at[0], timing)
    return Partition(*at, rules, store, bounds=bounds, lines_max=lines_max)


# Laws.


def some_logs() -> st.SearchStrategy[Log]:
    """Logs that are short, since each of their records may take many steps."""
    return st.builds(
        lambda seed, count: Log(random_log(seed, count)), seeds, st.sampled_from([3, 20, 100])
    )


some_timings = st.builds(
    Timing,
    summary_window_seconds=st.sampled_from([60, 300]),
    grace_seconds=st.sampled_from([30, 0]),
    episode_limit_seconds=st.sampled_from([3_600, 900]),
    mes_retention_seconds=st.sampled_from([7 * 86_400, 3_600]),
)


def assert_nothing_changes(lines: list[bytes], timing: Timing, rng: Random) -> None:
    for at, records in placed(lines).items():
        store, left = MemoryStore(), []
        steady = new_task(at, timing)
        wanted = stepped(steady, records)
        overlay, ahead = Overlay(store), 0
        task = opened(at, timing, overlay, lines_max=rng.choice([None, 1, 2]))
        for batch in cut(records, rng):
            while task.offset < batch[-1].offset:
                step = task.step(batch)
                left += step.outputs
                overlay.hold(step.changes)
                ahead += 1
                last = batch[-1] is records[-1] and task.offset >= batch[-1].offset
                if not last and rng.random() < 0.5:  # its lines are written with a later step's
                    continue
                overlay.add(task.sealed())
                if not last and rng.random() < 0.3:  # another seal goes into the same write
                    continue
                overlay.settle(ahead, overlay.merged(ahead))
                ahead = 0
                if rng.random() < 0.2:  # killed: it goes on with what is in the store
                    bounds = Bounds(
                        rng.choice([1, 4_000]), rng.choice([7, 100]), rng.choice([1, 3])
                    )
                    lines_max = rng.choice([None, 1, 3])
                    overlay = Overlay(store)
                    task = opened(at, timing, overlay, bounds, lines_max)
        assert told(left) == told(wanted)
        assert task.counts == steady.counts
        assert len(task.lines) + task.cold.count == len(steady.lines)
        whole = opened(at, timing, store)  # all lines in memory
        assert told(whole.close_all()) == told(steady.close_all())


@given(some_logs(), some_timings, rngs)
def test_any_bounds_any_restarts_and_lines_that_leave_memory_change_nothing(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    assert_nothing_changes(lines, timing, rng)


@given(some_logs(), some_timings, rngs)
def test_they_change_nothing_without_the_compiled_core_either(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    with all_plain():
        assert_nothing_changes(lines, timing, rng)


@given(some_logs(), some_timings, rngs)
def test_what_lines_in_the_store_add_up_to_is_kept(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    for at, records in placed(lines).items():
        steady, small = new_task(at, timing), opened(at, timing, MemoryStore(), lines_max=1)
        for batch in cut(records, rng):
            stepped(steady, batch)
            for step in in_steps(small, batch):
                small.commit(step)
            sums = {name: (each.accepted, each.emitted, each.open, each.parked)
                    for name, each in small.cold.balances.items()}  # fmt: skip
            for line in small.lines.values():
                for name, each in balances_by_unit(line, small.rules).items():
                    before = sums.get(name, (0, 0, 0, 0))
                    more = each.accepted, each.emitted, each.open, each.parked
                    sums[name] = tuple(map(sum, zip(before, more, strict=True)))  # type: ignore[assignment]
            for line in steady.lines.values():
                for name, each in balances_by_unit(line, steady.rules).items():
                    before = sums.get(name, (0, 0, 0, 0))
                    more = each.accepted, each.emitted, each.open, each.parked
                    sums[name] = tuple(a - b for a, b in zip(before, more, strict=True))  # type: ignore[assignment]
            assert not any(map(any, sums.values()))
            assert not any(small.cold.errors.values())


# Examples.


def fill(task: Partition, values: list[bytes], first: int = 0) -> list[Step]:
    records = [
        Record(first + number, None, b"DE01/L1" if b'"L1"' in value else b"DE01/X", value)
        for number, value in enumerate(values)
    ]
    done = []
    for step in in_steps(task, records):
        task.commit(step)
        done.append(step)
    return done


def test_a_window_of_many_rows_is_written_row_by_row_and_leaves_in_pieces() -> None:
    """16 MB of valid events of one line and one window: what ended every worker of a group."""
    store = MemoryStore()
    task = opened((MES_EVENTS, 0), None, store, Bounds(1 << 20, 100, 100))
    rows = [consumed(0, id=f"e{n}", item=f"I{n:04}" + "x" * 250, lot="l" * 256) for n in range(500)]
    for step in fill(task, rows):
        assert size_of(step) < 800_000
    again = consumed(1, id="one more", item="I0300" + "x" * 250, lot="l" * 256)
    (step,) = fill(task, [again], 500)
    assert size_of(step) < 5_000, "of a large window one row is written, not all of it"
    steps = fill(task, [consumed(10_000, id="far")], 501)
    assert len(steps) > 5
    assert max(len(step.outputs) for step in steps) <= 101
    sent = [each for step in steps for each in step.outputs]
    left = [each for each in sent if each.topic == ERP_TRANSACTIONS]
    assert len(left) == 500
    assert all(one.id < other.id for one, other in pairwise(left))
    assert sum(1 for _ in store.scan(b"w")) == 2, "what has left is gone from the store"


def test_a_tick_that_touches_many_lines_is_taken_in_pieces() -> None:
    store = MemoryStore()
    task = opened((MES_EVENTS, 0), None, store, Bounds(1 << 20, 100, 10), lines_max=20)
    values = [consumed(0, id="e", line=f"K{n}") for n in range(200)]
    records = [Record(n, None, f"DE01/K{n}".encode(), value) for n, value in enumerate(values)] + [
        Record(200, None, None, event("clock.tick.v1", 1_000))
    ]
    steps = []
    for step in in_steps(task, records):
        task.commit(step)
        steps.append(step)
    assert len(steps) >= 20
    assert max(len(step.changes) for step in steps[1:]) < 100
    assert task.counts.tick == 1
    assert sum(len(step.outputs) for step in steps) == 400
    assert len(task.lines) <= 20
    assert len(task.lines) + task.cold.count == 200


def test_a_stop_that_ends_as_it_starts_leaves_memory_with_its_line() -> None:
    task = opened((MES_EVENTS, 0), None, MemoryStore(), lines_max=1)
    fill(task, [started(0, "EP1"), ended(0, "EP1"), consumed(1, id="e", line="X")])
    assert task.cold.count == 1
    assert task.counts.accepted == 3


def test_a_tick_writes_nothing_of_lines_for_which_nothing_is_to_be_done() -> None:
    task = opened((MES_EVENTS, 0), None, MemoryStore(), Bounds(1 << 20, 100, 1_000))
    fill(task, [consumed(0, id="e")])
    for number in range(1, 5):
        (step,) = fill(task, [event("clock.tick.v1", 10_000 + number)], number)
    assert len(step.changes) == 1, "the head alone"


def test_episodes_that_closed_windows_of_a_whole_day_leave_in_pieces() -> None:
    """A day's windows for each of many open stops, because one event comes a day later."""
    wanted = new_task((MES_EVENTS, 0))
    task = opened((MES_EVENTS, 0), None, MemoryStore(), Bounds(1 << 20, 200, 100))
    values = [started(n, f"EP{n}", work_unit=f"U{n}") for n in range(10)]
    values.append(consumed(80_000, id="a day later"))
    steps = fill(task, values)
    assert max(len(step.outputs) for step in steps) < 300
    records = [Record(n, None, b"DE01/L1", value) for n, value in enumerate(values)]
    whole = stepped(wanted, records)
    assert len(whole) > 10_000
    assert told([each for step in steps for each in step.outputs]) == told(whole)


def test_a_backlog_of_short_stops_keeps_no_rows_and_learns_them_in_pieces() -> None:
    """A start that comes a day late adds to each window since, until its end is known."""
    task = opened((MES_EVENTS, 0), None, MemoryStore(), Bounds(1 << 20, 500, 100))
    fill(task, [consumed(86_000, id="now")])
    stops = [
        each
        for n in range(20)
        for each in (
            started(n * 60, f"EP{n}", work_unit=f"U{n}"),
            ended(n * 60 + 300, f"EP{n}", work_unit=f"U{n}"),
        )
    ]
    steps = fill(task, stops, 1)
    assert len(steps) > 5
    assert max(len(step.changes) for step in steps) < 5_000
    (line,) = task.lines.values()
    kinds = [kind for kind in task.rules.kinds if kind.episodic]
    kept = [row for each in kinds for rows in line.windows[each.index].values() for row in rows]
    assert len(kept) == sum(1 for _, value in task.store.scan(b"w") for row in decode(value)) - 2
    assert len(kept) <= 2 * 20 * 6


def test_a_state_of_an_older_format_goes_on_in_the_latest_where_it_must_be_cut() -> None:
    told = loads((STATES / "mes-1.json").read_bytes())
    store = MemoryStore()
    store.write(
        [(bytes.fromhex(key), bytes.fromhex(value)) for key, value in told["state"].items()]
    )
    (head,) = store.get_many([HEAD])
    assert format_of(head or b"") == 1
    task = opened((MES_EVENTS, 0), None, store, Bounds(1 << 20, 2, 100))
    steps = fill(task, [consumed(9_000, id="far")], len(told["log"]))
    left = [each for step in steps for each in step.outputs]
    (head,) = store.get_many([HEAD])
    assert format_of(head or b"") == FORMATS[-1]
    assert len(steps) > 5
    assert max(len(step.outputs) for step in steps) <= 3
    assert len({each.id for each in left}) == len(left) > 10
