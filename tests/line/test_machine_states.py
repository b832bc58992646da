"""Machine states: how long each work unit was in which, in the windows that it overlaps."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from draws import rngs, seeds
from oracle_v2.replay import replay as oracle
from runs import START, Bench, event, new_task, placed, stepped, value_of
from streams.contract.events import MachineStateName
from streams.contract.policy import default_policy
from streams.contract.topics import MACHINE_EVENTS, SUMMARY_MACHINE_STATE
from streams.log.record import Outgoing, Record
from streams.values.instant import SECOND, parse
from streams.values.quantity import SCALE
from tables.line import states
from tables.line.closing import advance
from tables.line.conservation import balances
from tables.line.line import Line
from tables.line.pieces import close_some, crowded
from tables.line.points import STATES
from tables.line.rules import Timing, rules_for
from tables.line.timeline import BLOCK_POINTS, Timeline
from tables.partition.head import OtherRulesError
from tables.partition.partition import Bounds, Partition
from tables.partition.stored import POINTS
from tables.report import conservation_check
from tables.store.store import MemoryStore

DAY = 86_400

ROOT = Path(__file__).parents[2]

Row = tuple[int, str, str, int]
"""(window start, state, seconds, revision)"""


def state(seconds: float, name: str, id: str = "", **data: Any) -> bytes:
    """Return a state of work unit U1."""
    members = {"work_unit": "U1", "state": name} | data
    id = id or f"{members['work_unit']} {name}@{seconds}"
    return event("machine.state.v1", seconds, id, **members)


def bench(**timing: int) -> Bench:
    return Bench(MACHINE_EVENTS, Timing(**timing))


def rows(left: list[dict[str, Any]]) -> list[Row]:
    """Return the rows of machine states, in the order in which they left."""
    found = []
    for each in left:
        if each["type"] == SUMMARY_MACHINE_STATE:
            data = each["data"]
            start = parse(data["window_start"]) // SECOND - START
            found.append((start, data["state"], data["seconds"], data["revision"]))
    return found


def total(left: list[dict[str, Any]]) -> dict[str, Decimal]:
    """Return the seconds of each state that aren't zero, over all windows."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for _, name, seconds, _ in rows(left):
        sums[name] += Decimal(seconds)
    return {name: seconds for name, seconds in sums.items() if seconds}


def test_a_policy_without_the_summary_sends_and_keeps_nothing_of_states() -> None:
    policy = default_policy()
    others = {
        name: each for name, each in policy.summaries.items() if name != SUMMARY_MACHINE_STATE
    }
    without = Bench(MACHINE_EVENTS, policy=msgspec.structs.replace(policy, summaries=others))
    left = without.send(state(0, "Execute"), state(900, "Held"), state(10, "Idle"))
    left += without.tick(7_200) + without.close()
    assert left == []
    assert without.task.counts.accepted == 3
    assert [*without.store.scan(POINTS)] == []


def test_states_that_are_stored_stay_unsaid_under_a_policy_that_has_lost_the_summary() -> None:
    known = bench()
    known.send(state(0, "Execute"), state(7_200, "Held"), state(10, "Idle"))
    known.tick(14_400)
    policy = default_policy()
    others = {
        name: each for name, each in policy.summaries.items() if name != SUMMARY_MACHINE_STATE
    }
    known.rules = rules_for(
        MACHINE_EVENTS, policy=msgspec.structs.replace(policy, summaries=others)
    )
    known.reopen()
    left = known.send(state(14_500, "Execute"), state(20, "Idle"))
    assert left + known.tick(40 * DAY) + known.close() == []
    assert [*known.store.scan(POINTS)] == []


# A timeline.


def test_every_state_of_the_contract_has_a_code_that_stays() -> None:
    assert get_args(MachineStateName) == STATES


def lasting(points: dict[int, int], begin: int, end: int, limit: int) -> list[tuple[int, int, int]]:
    """Return what `Timeline.stretches` yields, the plain way."""
    times = sorted(points)
    found = []
    for time, following in zip(times, [*times[1:], 2**62], strict=True):
        since, upto = max(time, begin), min(following, time + limit, end)
        if since < upto:
            found.append((since, upto, points[time]))
    return found


@given(seeds, st.sampled_from([10, 300, 1_000]), st.sampled_from([40, 1_000, 10**6]))
@example(1, 2_000, 10**6)
def test_a_timeline_is_its_points_by_time_whatever_blocks_they_lie_in(
    seed: int, count: int, span: int
) -> None:
    rng = Random(seed)
    timeline, points = Timeline(), dict[int, int]()
    limit = rng.choice([5, 100, 10**7])
    oldest, clock = 0, 0
    for _ in range(count):
        clock += rng.randrange(span // 20)
        at = max(oldest, clock - rng.choice([0, 0, rng.randrange(span)]))
        code = rng.randrange(len(STATES))
        timeline.put(at, code)
        points[at] = code
        if rng.random() < 0.01:
            oldest = max(oldest, clock - span)
            timeline.forget(oldest, limit)
            times = sorted(points)
            for time, following in zip(times, [*times[1:], 2**62], strict=True):
                if min(following, time + limit) < oldest:
                    del points[time]
        begin = rng.randint(oldest, clock + 10)
        end = rng.randint(begin, clock + 20)
        assert [*timeline.stretches(begin, end, limit)] == lasting(points, begin, end, limit)
    assert [*timeline.points()] == sorted(points.items())
    bases = [block.base for block in timeline.blocks]
    assert bases == sorted(set(bases))
    for block, following in zip(timeline.blocks, [*bases[1:], 2**62], strict=True):
        assert 0 < len(block.times) <= BLOCK_POINTS
        assert block.base <= block.times[0] <= block.times[-1] < following


# What the contract says.


def test_a_state_lasts_until_the_next_point() -> None:
    left = bench().send(state(30, "Execute"), state(135, "Held"), state(240, "Idle"))
    assert rows(left) == [
        (0, "Execute", "30", 0),
        (60, "Execute", "60", 0),
        (120, "Execute", "15", 0),
        (120, "Held", "45", 0),
    ]
    first = next(each for each in left if each["type"] == SUMMARY_MACHINE_STATE)
    assert first["id"] == f"sx:DE01/L1:{START}:U1|Execute:0"
    assert first["data"].keys() == {
        "work_unit", "state", "seconds", "window_start", "window_end", "revision",
    }  # fmt: skip


def test_a_state_lasts_for_the_limit_at_most() -> None:
    one = bench(state_limit_seconds=100)
    left = one.send(state(0, "Execute"), state(600, "Idle"))
    assert rows(left) == [(0, "Execute", "60", 0), (60, "Execute", "40", 0)]
    left += one.send(state(50, "Execute", "again"), state(700, "Idle"))
    assert total(left) == {"Execute": 150, "Idle": 60}


def test_the_state_that_lasts_counts_up_to_the_end_of_a_window_that_closes() -> None:
    one = bench()
    one.send(state(0, "Execute"))
    assert rows(one.tick(89.9)) == []
    assert rows(one.tick(90)) == [(0, "Execute", "60", 0)]
    assert rows(one.tick(200)) == [(60, "Execute", "60", 0)]
    left = one.send(state(175, "Held"), state(210, "Held"))
    assert rows(left) == [(120, "Execute", "55", 0), (120, "Held", "5", 0)]


def test_what_a_late_point_moves_is_carried_by_the_window_that_holds_the_watermark() -> None:
    one = bench()
    one.send(state(0, "Execute"), state(270, "Idle"))  # closed: all up to 240
    assert rows(one.send(state(90, "Held"))) == []
    assert rows(one.send(state(330, "Idle"))) == [
        (60, "Execute", "-30", 3), (60, "Held", "30", 3),
        (120, "Execute", "-60", 2), (120, "Held", "60", 2),
        (180, "Execute", "-60", 1), (180, "Held", "60", 1),
        (240, "Held", "30", 0), (240, "Idle", "30", 0),
    ]  # fmt: skip


def test_a_late_point_of_the_state_that_lasts_anyway_moves_nothing() -> None:
    one = bench()
    one.send(state(0, "Execute"), state(600, "Idle"), state(90, "Execute"))
    assert rows(one.send(state(660, "Idle"))) == [(540, "Execute", "60", 0)]


def test_of_two_points_with_one_time_the_one_accepted_later_holds() -> None:
    one = bench()
    one.send(state(0, "Execute", "a"), state(0, "Held", "b"))
    assert rows(one.send(state(120, "Idle"))) == [(0, "Held", "60", 0)]
    one.send(state(0, "Execute", "c"))
    assert rows(one.send(state(210, "Idle"))) == [
        (60, "Execute", "60", 0),
        (0, "Execute", "60", 2), (0, "Held", "-60", 2), (120, "Idle", "60", 0),
    ]  # fmt: skip


def test_closing_everything_counts_to_the_end_of_the_window_that_holds_the_watermark() -> None:
    one = bench()
    one.send(state(0, "Execute"), state(70, "Held"))
    assert rows(one.close()) == [
        (0, "Execute", "60", 0), (60, "Execute", "10", 0), (60, "Held", "50", 0),
    ]  # fmt: skip


def test_the_example_of_the_contract_page_leads_to_what_it_says() -> None:
    log = (ROOT / "docs" / "examples" / "machine-states.ndjson").read_bytes().splitlines()
    one = bench()
    assert [rows(one.send(each)) for each in log] == [
        [],
        [(0, "Execute", "40", 0)],
        [(60, "Execute", "60", 0), (120, "Idle", "60", 0), (180, "Idle", "60", 0)],
        [],
        [
            (60, "Execute", "-30", 3), (60, "Held", "30", 3),
            (240, "Execute", "30", 0), (240, "Idle", "30", 0),
        ],
    ]  # fmt: skip
    assert rows(one.close()) == [(300, "Execute", "30", 0), (300, "Stopped", "30", 0)]


def test_rows_of_states_leave_behind_all_others_of_the_same_end() -> None:
    one = bench()
    counted = event("machine.count.v1", 10, work_unit="U1", good="1", scrap="0")
    left = one.send(state(0, "Execute"), counted, state(90, "Execute"))
    assert [each["type"] for each in left] == ["summary.machine.v1", SUMMARY_MACHINE_STATE]


# Against the independent reading of the contract, and in pieces.


def machine_log(seed: int, most: int = 150) -> list[bytes]:
    """Return states and counts of some work units: late, at equal times, repeated; and ticks."""
    rng = Random(seed)
    pace = rng.choice([3, 40, 300])
    clock, log = 0.0, list[bytes]()
    for number in range(rng.choice([5, most // 3, most])):
        clock += rng.choice([0, 0, 1, 1, 1, 30]) * pace * rng.random()
        late = rng.choice([0, 0, 0, 40, 400, 4_000, 40_000]) * rng.random()
        at = round(max(0.0, clock - late), rng.choice([0, 3]))
        place = {"line": rng.choice(["L1", "L2"]), "work_unit": rng.choice(["U1", "U2", "U|3"])}
        chance = rng.random()
        if chance < 0.1:
            log.append(event("clock.tick.v1", clock + rng.choice([0, 200, 5_000])))
        elif chance < 0.2 and log:
            log.append(rng.choice(log))
        elif chance < 0.3:
            log.append(event("machine.count.v1", at, f"c{number}", good=1, scrap="0.5", **place))
        else:
            name = rng.choice(["Idle", "Execute", "Execute", "Held"])
            log.append(event("machine.state.v1", at, f"s{number}", state=name, **place))
    return log


some_timings = st.builds(
    Timing,
    summary_window_seconds=st.sampled_from([60, 300]),
    grace_seconds=st.sampled_from([30, 0]),
    state_limit_seconds=st.sampled_from([DAY, 900, 45]),
    machine_retention_seconds=st.sampled_from([4 * DAY, 3_600]),
    ledger_bucket_seconds=st.sampled_from([3_600, 60]),
)


def told(left: list[Outgoing]) -> dict[Any, list[dict[str, Any]]]:
    """Return what left by topic and line, times as instants."""
    found = defaultdict(list)
    for each in left:
        record = value_of(each)
        found[each.topic, record.get("line")].append(plain(record))
    return found


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its times as instants; an exception without its sentence."""
    record = {**record, "data": dict(record["data"])}
    record["data"].pop("reason", None)
    for holder in (record, record["data"]):
        for name in ("time", "window_start", "window_end"):
            if name in holder:
                holder[name] = parse(holder[name])
    return record


def settings_of(timing: Timing) -> dict[str, int]:
    names = ("summary_window_seconds", "grace_seconds", "state_limit_seconds")
    settings = {name: getattr(timing, name) for name in names}
    return settings | {"retention_seconds_machine": timing.machine_retention_seconds}


@given(seeds, some_timings, st.booleans())
def test_what_leaves_is_what_the_contract_says(seed: int, timing: Timing, close: bool) -> None:
    log = machine_log(seed)
    wanted = oracle(log, close=close, settings=settings_of(timing))
    for at, records in placed(log).items():
        if at[0] != MACHINE_EVENTS:
            continue
        task = new_task(at, timing)
        left = stepped(task, records)
        if close:
            left += task.close_all()
        found = told(left)
        for topic in ("summary.machine.v1", SUMMARY_MACHINE_STATE):
            for name in ("L1", "L2"):
                those = [plain(r) for r in wanted.topics.get(topic, []) if r["line"] == name]
                assert found[topic, name] == those
        assert conservation_check([task])["error"] == "0"


def in_pieces(
    at: tuple[str, int], records: list[Record], timing: Timing, rng: Random
) -> tuple[list[Outgoing], Partition]:
    """Let a task take records in small steps, started anew from its store again and again."""
    store, left = MemoryStore(), list[Outgoing]()
    bounds = Bounds(rng.choice([1, 4_000]), rng.choice([1, 7, 50]), rng.choice([1, 3]))
    lines_max = rng.choice([None, 1])

    def opened() -> Partition:
        rules = rules_for(at[0], timing)
        return Partition(*at, rules, store, bounds=bounds, lines_max=lines_max)

    task = opened()
    while task.offset < records[-1].offset:
        first = task.offset + 1
        step = task.step(records[first : first + rng.choice([1, 5, 50])])
        left += step.outputs
        task.commit(step)
        if rng.random() < 0.3:
            task = opened()
    return left, Partition(*at, rules_for(at[0], timing), store)


@given(seeds, some_timings, rngs)
def test_bounds_restarts_and_lines_that_leave_memory_change_nothing(
    seed: int, timing: Timing, rng: Random
) -> None:
    for at, records in placed(machine_log(seed, 40)).items():
        steady = new_task(at, timing)
        wanted = stepped(steady, records)
        left, whole = in_pieces(at, records, timing, rng)
        assert told(left) == told(wanted)
        for key, line in whole.lines.items():
            assert line.accepted_events == steady.lines[key].accepted_events
            assert balances(line, whole.rules) == balances(steady.lines[key], steady.rules)
        assert told(whole.close_all()) == told(steady.close_all())


def test_a_silence_of_hours_closes_in_steps_of_few_rows() -> None:
    store, rules = MemoryStore(), rules_for(MACHINE_EVENTS)
    task = Partition(MACHINE_EVENTS, 0, rules, store, bounds=Bounds(10**6, 10, 10))
    log = [state(0, "Execute", work_unit=f"U{n}") for n in range(5)]
    log.append(state(4 * 3_600 + 30, "Held"))
    (records,) = placed(log).values()
    steps = []
    while task.offset < records[-1].offset:
        step = task.step(records[task.offset + 1 :])
        task.commit(step)
        steps.append(len(step.outputs))
    assert sum(steps) == 5 * 240
    assert max(steps) <= 20
    assert len(steps) >= 5 * 240 // 20


# What is remembered.


def points(store: MemoryStore) -> int:
    return sum(len(value) for _, value in store.scan(POINTS))


def test_points_are_forgotten_when_the_end_of_their_state_is_older_than_the_retention() -> None:
    one = bench(machine_retention_seconds=3_600, state_limit_seconds=600, ledger_bucket_seconds=60)
    for at in range(0, 3_600, 100):
        one.send(state(at, "Execute"))
    one.send(state(3_000, "Idle", work_unit="U2"), state(3_599, "Execute", "last"))
    (line,) = one.task.lines.values()
    assert line.timelines is not None
    one.tick(3_600 + 2_000.5)
    one.reopen()
    (line,) = one.task.lines.values()
    assert line.timelines is not None
    units = line.timelines.units
    assert next(at // SECOND - START for at, _ in units["U1"].points()) == 2_000
    one.tick(3_600 + 3_650)
    one.reopen()
    (line,) = one.task.lines.values()
    assert line.timelines is not None
    assert line.timelines.units.keys() == {"U1"}
    one.tick(3_600 + 5_000)
    one.reopen()
    (line,) = one.task.lines.values()
    assert line.timelines is None
    assert points(one.store) == 0


def test_a_point_writes_little_however_many_are_remembered() -> None:
    one = bench()
    one.send(*[state(at, "Execute") for at in range(20_000)])
    step = one.task.step(one.records(state(5_000.5, "Held"), state(20_001, "Idle")))
    changed = {k: v for k, v in one.task.commit(step).items() if k.startswith(POINTS)}
    assert 2 <= len(changed) <= 3  # one block of two has become two
    assert sum(len(value or b"") for value in changed.values()) < 4_000


def test_a_point_takes_few_bytes() -> None:
    timeline = Timeline()
    for at in range(100_000):
        timeline.put(at, 1)
    held = sum(block.times.buffer_info()[1] for block in timeline.blocks)
    assert held == 100_000
    assert len(timeline.blocks) <= 100_000 // BLOCK_POINTS + 1


@pytest.mark.parametrize("limit", [600, 100_000])
def test_a_state_with_another_limit_is_refused(limit: int) -> None:
    one = bench(state_limit_seconds=3_600)
    one.send(state(0, "Execute"))
    with pytest.raises(OtherRulesError, match=f"state_limit_seconds 3600 .now {limit}."):
        Partition(
            MACHINE_EVENTS, 0, rules_for(MACHINE_EVENTS, Timing(state_limit_seconds=limit)),
            one.store,
        )  # fmt: skip


def test_a_backlog_of_days_is_told_to_windows_once_not_state_by_state() -> None:
    """A machine that was cut off tells each state late; one window carries the sum of it."""
    rules = rules_for(MACHINE_EVENTS)
    now = parse("2026-11-21T06:00:10Z")
    line = Line("P", "L", now, rules)
    begin = now - 2 * 86_400 * SECOND
    for number in range(2_000):
        state = "Held" if number % 2 else "Execute"
        states.learn(line, "W", begin + number * 5 * SECOND, state)
        assert line.windows[rules.states.index] == {}
    carrier = parse("2026-11-21T06:01:00Z")
    assert line.due == carrier
    out: list[Outgoing] = []
    pieces = 0
    while crowded(line, carrier, rules, 100):
        close_some(line, carrier, rules, out, 100)
        pieces += 1
    assert 2 <= pieces < 100
    advance(line, carrier, rules, out)
    assert not out
    (rows,) = line.windows[rules.states.index].values()
    assert sum(row.measures[0] for row in rows.values()) == (9_995 + 86_400) * SCALE
    assert not any(each.error for each in balances(line, rules).values())
