"""Availability: stops of one work unit that share time are one standstill."""

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from draws import seeds
from runs import START, Bench, classified, consumed, ended, started
from streams.contract.topics import MES_EVENTS
from streams.values.instant import SECOND, parse
from tables.line.rules import rules_for
from tables.line.standstill import Span, Standstill, standing


def stood(left: list[dict[str, Any]]) -> list[tuple[int, str, str, int]]:
    """Return (window start, down, planned_down, revision) of rows of availability."""
    found = []
    for each in left:
        if each["type"] == "summary.availability.v1":
            data = each["data"]
            at = parse(data["window_start"]) // SECOND - START
            found.append((at, data["down"], data["planned_down"], data["revision"]))
    return found


# What stops cover together.

spans = st.lists(
    st.builds(
        lambda start, lasted, planned: (start, start + lasted, planned),
        st.integers(0, 60), st.integers(0, 30), st.booleans(),
    ),
    max_size=8,
)  # fmt: skip


@given(spans, st.integers(1, 20))
def test_each_instant_counts_once_and_as_unplanned_where_one_stop_is(
    some: list[Span], length: int
) -> None:
    lasted = dict[int, tuple[int, int]]()
    for instant in range(100):
        here = [span for span in some if span[0] <= instant < span[1]]
        if here:
            down = any(not span[2] for span in here)
            window = instant - instant % length
            before = lasted.get(window, (0, 0))
            lasted[window] = before[0] + down, before[1] + (not down)
    assert standing(some, length) == lasted


def groups(some: dict[str, tuple[int, int]]) -> list[set[str]]:
    """Return who shares time with whom, directly or through others: looked up one by one."""
    found: list[set[str]] = []
    for name, (start, until) in some.items():
        near = [
            group
            for group in found
            if any(start < some[each][1] and some[each][0] < until for each in group)
        ]
        found = [group for group in found if group not in near]
        found.append({name}.union(*near))
    return found


@given(seeds)
def test_episodes_in_their_order_are_found_and_forgotten_as_one_by_one(seed: int) -> None:
    rng = Random(seed)
    some: dict[str, tuple[int, int]] = {}
    known = Standstill()
    for number in range(rng.randint(1, 40)):
        name = rng.choice([f"E{number}", *some])
        if name in some and rng.random() < 0.3:
            known.drop(name, some.pop(name)[0])
        else:
            start = some[name][0] if name in some else rng.randrange(100)
            some[name] = start, start + rng.choice([1, 5, 30])
            known.put(name, *some[name])
        begin, end = sorted(rng.sample(range(140), 2))
        near = {each for each, (start, until) in some.items() if start < end and until > begin}
        assert set(known.between(begin, end)) == near
        over = {
            each
            for group in groups(some)
            if all(some[each][1] < begin for each in group)
            for each in group
        }
        assert set(known.over(begin)) == over
        if some:
            first = min(max(some[each][1] for each in group) for group in groups(some))
            assert known.first_reach() == first
        if rng.random() < 0.2:
            known.forget(begin)
            some = {each: span for each, span in some.items() if each not in over}
    assert {name for _, name in known.names} == some.keys()


# What leaves.


def test_stops_that_overlap_are_one_standstill() -> None:
    bench = Bench()
    values = [started(0, "A"), started(10, "B"), ended(30, "A"), ended(50, "B")]
    (left,) = [
        each
        for each in bench.send(*values) + bench.tick(90)
        if each["type"] == "summary.availability.v1"
    ]
    assert left["id"] == "sa:DE01/L1:1795240800:U1:0"
    assert left["time"] == left["data"]["window_end"] == "2026-11-21T06:01:00Z"
    assert left["data"] == {
        "work_unit": "U1", "down": "50", "planned_down": "0", "revision": 0,
        "window_start": "2026-11-21T06:00:00Z", "window_end": "2026-11-21T06:01:00Z",
    }  # fmt: skip


def test_where_a_planned_stop_and_an_unplanned_one_overlap_it_is_down() -> None:
    bench = Bench()
    bench.send(started(0, "A", planned=True), started(20, "B"), ended(30, "B"), ended(50, "A"))
    assert stood(bench.tick(90)) == [(0, "10", "40", 0)]


def test_each_work_unit_stands_still_by_itself() -> None:
    bench = Bench()
    bench.send(started(0, "A"), started(10, "B", work_unit="U2"))
    assert stood(bench.tick(90)) == [(0, "60", "0", 0), (0, "50", "0", 0)]


def test_a_stop_of_no_length_is_no_standstill() -> None:
    bench = Bench()
    assert stood(bench.send(started(0), ended(0)) + bench.tick(90)) == []


def test_summaries_of_one_end_leave_in_the_order_of_the_table() -> None:
    bench = Bench()
    bench.send(started(0), consumed(1))
    left = [each["id"].split(":")[0] for each in bench.tick(90)]
    assert left == ["sc", "sd", "sa"]
    kinds = [kind.short for kind in rules_for(MES_EVENTS).kinds]
    assert kinds.index("sd") < kinds.index("sa") < kinds.index("sm")


def test_what_is_learnt_of_a_closed_window_is_the_difference_of_the_unions() -> None:
    bench = Bench()
    bench.send(started(0, "A"), ended(40, "A"))
    assert stood(bench.tick(200)) == [(0, "40", "0", 0)]
    bench.send(started(30, "B"), ended(50, "B"))  # 10 s of it are known already
    assert stood(bench.tick(300)) == [(0, "10", "0", 3)]


def test_a_late_end_takes_back_what_no_other_stop_covers() -> None:
    bench = Bench()
    bench.send(started(0, "A"), started(70, "B", planned=True), ended(80, "B"))
    assert stood(bench.tick(210)) == [(0, "60", "0", 0), (60, "60", "0", 0), (120, "60", "0", 0)]
    bench.send(ended(75, "A"))
    assert stood(bench.tick(1_000)) == [(60, "-45", "5", 2), (120, "-60", "0", 1)]


def test_a_classification_moves_a_standstill_where_no_other_stop_holds_it() -> None:
    bench = Bench()
    bench.send(started(0), ended(50), started(40, "B"), ended(45, "B"))
    assert stood(bench.tick(200)) == [(0, "50", "0", 0)]
    bench.send(classified(200, planned=True))
    assert stood(bench.tick(300)) == [(0, "-45", "45", 3)]
    bench.send(classified(300, id="again", reason="clean", planned=True))
    assert stood(bench.tick(400)) == []


def test_a_late_stop_finds_its_neighbours_among_thousands() -> None:
    known = Standstill()
    for number in range(5_000):
        known.put(f"E{number:04}", number * 100, number * 100 + 60)
    known.put("lost", 1_000, 90_000)
    assert known.between(250_010, 250_020) == ["E2500"]
    assert known.between(250_060, 250_100) == []
