"""Downtime: an episode counts in the windows it overlaps, as far as is known, and is told once."""

from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from draws import seeds
from runs import LASTING, START, Bench, classified, consumed, ended, stamp, started
from streams.values.instant import SECOND, parse
from tables.line.conservation import balances
from tables.line.episodes import Episode, Gained, learnt, overlaps
from tables.line.memory import forgotten_open
from tables.line.rules import Timing
from tables.report import OVERLONG, WAITING, report

DAY = 86_400


def seconds(left: list[dict[str, Any]]) -> list[tuple[int, str, str, int]]:
    """Return (window start, seconds, stops, revision) of downtime rows."""
    found = []
    for each in left:
        if each["type"] == "summary.downtime.v1":
            data = each["data"]
            at = parse(data["window_start"]) // SECOND - START
            found.append((at, data["seconds"], data["stops"], data["revision"]))
    return found


def sums(left: list[dict[str, Any]]) -> tuple[Decimal, int]:
    """Return (seconds, stops) of all downtime rows."""
    rows = [each["data"] for each in left if each["type"] == "summary.downtime.v1"]
    lasted = sum((Decimal(row["seconds"]) for row in rows), Decimal())
    return lasted, sum(int(row["stops"]) for row in rows)


# Laws.


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**5), st.integers(1, 10**4))
def test_overlaps_cover_an_episode_without_a_gap(start: int, lasted: int, length: int) -> None:
    parts = list(overlaps(start, start + lasted, length))
    assert sum(micros for _, micros in parts) == lasted
    assert all(window % length == 0 and 0 < micros <= length for window, micros in parts)
    assert [window for window, _ in parts] == sorted({window for window, _ in parts})


@given(seeds)
def test_start_and_end_in_any_order_at_any_watermark_give_the_same_sums(seed: int) -> None:
    """Whatever is learnt late is the difference: after the close every order says the same."""
    rng = Random(seed)
    begin, end = sorted(rng.choice([100, 10_000, 100_000]) * rng.random() for _ in range(2))
    told = [started(begin), ended(end)]
    others = [consumed(rng.random() * 200_000, id=f"e{number}") for number in range(5)]
    last = consumed(200_000, id="last")
    found = set()
    for _ in range(3):
        values = told + others
        rng.shuffle(values)
        bench = Bench(timing=LASTING)
        left = bench.send(*values, last) + bench.close()
        found.add(sums(left))
        errors = [
            each.error for each in balances(bench.task.lines[b"DE01/L1"], bench.rules).values()
        ]
        assert not any(errors)
    (both,) = found
    assert both[0] == Decimal(parse(stamp(end)) - parse(stamp(begin))) / SECOND
    assert both[1] == 1


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 20), st.integers(1, 60))
def test_what_is_learnt_of_closed_windows_is_the_difference(
    start: int, lasted: int, windows_closed: int, length: int
) -> None:
    closed = windows_closed * length
    running = Episode("U1", start=start)
    over = Episode("U1", start=start, end=start + lasted)
    at_start = learnt(None, running, closed, length, 10_000)
    at_end = learnt(running, over, closed, length, 10_000)
    at_once = learnt(None, over, closed, length, 10_000)
    assert together(at_start, at_end) == at_once
    planned = replace(over, reason="clean", planned=True)
    moved = learnt(over, planned, closed, length, 10_000)
    assert together(at_once, moved) == learnt(None, planned, closed, length, 10_000)
    assert together(moved, learnt(planned, over, closed, length, 10_000)) == {}


def together(one: Gained, other: Gained) -> Gained:
    found = {}
    for where in one.keys() | other.keys():
        (micros, stops), (more, others) = one.get(where, (0, 0)), other.get(where, (0, 0))
        if (micros + more, stops + others) != (0, 0):
            found[where] = micros + more, stops + others
    return found


# What counts where.


def test_an_episode_counts_in_each_window_it_overlaps_and_stops_in_its_first() -> None:
    bench = Bench()
    left = bench.send(started(30), ended(150)) + bench.tick(1_000)
    assert seconds(left) == [(0, "30", "1", 0), (60, "60", "0", 0), (120, "30", "0", 0)]
    assert left[0]["id"] == "sd:DE01/L1:1795240800:U1|jam|false:0"


def test_an_open_episode_counts_up_to_each_windows_end() -> None:
    bench = Bench()
    assert seconds(bench.send(started(30)) + bench.tick(150)) == [
        (0, "30", "1", 0), (60, "60", "0", 0),
    ]  # fmt: skip


def test_downtime_has_neither_count_nor_causes() -> None:
    (left,) = Bench().send(started(0), ended(1), consumed(90))[:1]
    assert left["data"].keys() == {
        "work_unit", "reason", "planned", "seconds", "stops", "window_start", "window_end",
        "revision",
    }  # fmt: skip


def test_an_end_in_a_closed_window_takes_back_what_was_counted_past_it() -> None:
    bench = Bench()
    assert seconds(bench.send(started(0)) + bench.tick(210)) == [
        (0, "60", "1", 0), (60, "60", "0", 0), (120, "60", "0", 0),
    ]  # fmt: skip
    bench.send(ended(70))
    assert seconds(bench.tick(1_000)) == [(60, "-50", "0", 2), (120, "-60", "0", 1)]


def test_an_end_in_an_open_window_takes_nothing_back() -> None:
    bench = Bench()
    bench.send(started(0))
    bench.tick(100)
    bench.send(ended(95))
    assert seconds(bench.tick(1_000)) == [(60, "35", "0", 0)]


def test_a_late_start_adds_to_closed_windows_and_open_ones() -> None:
    bench = Bench()
    bench.send(consumed(200))
    bench.send(started(30))
    assert seconds(bench.tick(300)) == [
        (120, "60", "0", 0), (0, "30", "1", 3), (60, "60", "0", 2), (180, "60", "0", 0),
    ]  # fmt: skip


def test_an_end_without_a_start_waits_for_it() -> None:
    bench = Bench()
    assert bench.send(ended(150)) + bench.tick(5_000) == []
    bench.send(started(130))
    assert seconds(bench.tick(6_000)) == [(120, "20", "1", 81)]


def test_a_lost_end_counts_for_a_day_and_no_longer() -> None:
    bench = Bench()
    left = bench.send(started(30)) + bench.tick(3 * DAY) + bench.close()
    assert sums(left) == (DAY, 1)
    assert seconds(left)[-1] == (DAY, "30", "0", 0)


def test_an_end_that_is_known_counts_in_full_past_the_limit() -> None:
    timing = Timing(episode_limit_seconds=100)
    bench = Bench(timing=timing)
    left = bench.send(started(0), ended(190)) + bench.tick(1_000)
    assert seconds(left) == [
        (0, "60", "1", 0), (60, "40", "0", 0), (120, "60", "0", 0), (60, "20", "0", 2),
        (180, "10", "0", 0),
    ]  # fmt: skip
    bench = Bench(timing=timing)
    left = bench.send(started(0)) + bench.tick(300) + bench.send(ended(190)) + bench.tick(1_000)
    assert seconds(left) == [
        (0, "60", "1", 0), (60, "40", "0", 0), (60, "20", "0", 4), (120, "60", "0", 3),
        (180, "10", "0", 2),
    ]  # fmt: skip


def test_an_end_at_its_start_is_a_stop_of_no_length() -> None:
    bench = Bench()
    assert seconds(bench.send(started(0), ended(0)) + bench.tick(90)) == [(0, "0", "1", 0)]


def test_episodes_that_overlap_add_up() -> None:
    bench = Bench()
    left = bench.send(started(0, "A"), started(0, "B"), ended(60, "A"), ended(30, "B"))
    assert seconds(left + bench.tick(90)) == [(0, "90", "2", 0)]


def test_microseconds_are_counted() -> None:
    bench = Bench()
    left = bench.send(started(0.000001), ended(0.5)) + bench.tick(90)
    assert seconds(left) == [(0, "0.499999", "1", 0)]


def test_a_close_counts_an_open_episode_to_the_end_of_the_watermarks_window() -> None:
    bench = Bench()
    left = bench.send(started(30), consumed(130)) + bench.close()
    assert seconds(left) == [(0, "30", "1", 0), (60, "60", "0", 0), (120, "60", "0", 0)]


# Conflicts.


def conflicts(*values: bytes) -> list[str]:
    left = Bench(timing=LASTING).send(*values)
    told = [each["data"] for each in left if each["type"] == "exception.raised.v1"]
    assert {each["code"] for each in told} <= {"episode_conflict"}
    assert {each["class"] for each in told} <= {"business"}
    return [each["reason"] for each in told]


def test_a_second_start_or_end_is_a_conflict() -> None:
    (reason,) = conflicts(started(0), started(10, id="other"))
    assert "'EP1' has a start already" in reason
    (reason,) = conflicts(started(0), ended(5), ended(10, id="other"))
    assert "'EP1' has an end already" in reason


def test_another_work_unit_is_a_conflict() -> None:
    (reason,) = conflicts(started(0), ended(10, work_unit="U2"))
    assert "'U2'" in reason
    assert "'U1'" in reason
    assert conflicts(ended(10, work_unit="U2"), started(0)) != []


def test_an_end_before_its_start_is_a_conflict_whichever_came_first() -> None:
    assert len(conflicts(started(10), ended(9.999999))) == 1
    assert len(conflicts(ended(9.999999), started(10))) == 1
    assert conflicts(started(10), ended(10)) == []
    assert conflicts(ended(10), started(10)) == []


def test_a_conflict_changes_nothing_and_can_be_sent_again() -> None:
    bench = Bench()
    bench.send(started(10))
    early = ended(5)
    assert len(bench.send(early, early)) == 2
    assert bench.task.lines[b"DE01/L1"].episodes["EP1"].end is None
    assert bench.task.counts.codes == {"episode_conflict": 2}
    assert bench.send(ended(10)) == []


def test_episodes_of_two_lines_may_share_a_name() -> None:
    assert conflicts(started(0), started(0, id="b", line="L2", work_unit="U9")) == []


def test_a_classification_of_another_work_unit_is_a_conflict() -> None:
    (reason,) = conflicts(started(0), classified(5, work_unit="U2"))
    assert "'U2'" in reason
    assert conflicts(started(0), classified(5), classified(6, work_unit="U1")) == []
    (reason,) = conflicts(classified(5, work_unit="U2"), started(0))
    assert "work_unit is 'U1', but the episode is of 'U2'" in reason
    assert conflicts(classified(5), started(0), ended(5)) == []


# Classified.


def moved(left: list[dict[str, Any]]) -> list[tuple[str, str, str, int]]:
    """Return (row, seconds, stops, revision) of downtime rows."""
    rows = [each for each in left if each["type"] == "summary.downtime.v1"]
    return [
        (row["id"].split(":")[3], row["data"]["seconds"], row["data"]["stops"], row["data"]["revision"])
        for row in rows
    ]  # fmt: skip


def test_a_classification_moves_what_closed_windows_have() -> None:
    bench = Bench()
    bench.send(started(30), ended(75))
    bench.tick(200)
    bench.send(classified(201, reason="clean", planned=True))
    assert moved(bench.tick(1_000)) == [
        ("U1|clean|true", "30", "1", 3), ("U1|jam|false", "-30", "-1", 3),
        ("U1|clean|true", "15", "0", 2), ("U1|jam|false", "-15", "0", 2),
    ]  # fmt: skip


def test_a_classification_in_an_open_window_leaves_no_trace_of_the_old_reason() -> None:
    bench = Bench()
    left = bench.send(started(0), classified(10, reason="tool"), ended(20)) + bench.tick(300)
    assert moved(left) == [("U1|tool|false", "20", "1", 0)]


def test_the_classification_that_was_accepted_last_holds_whenever_it_came() -> None:
    told = [started(10), ended(40), classified(50, "late", reason="tool")]
    for order in (told, [told[2], told[0], told[1]], [told[1], told[2], told[0]]):
        bench = Bench(timing=LASTING)
        assert moved(bench.send(*order) + bench.tick(300)) == [("U1|tool|false", "30", "1", 0)]
    bench = Bench()
    first, last = classified(50, "a", reason="tool"), classified(20, "b", reason="drive")
    assert moved(bench.send(first, *told[:2], last) + bench.tick(300)) == [
        ("U1|drive|false", "30", "1", 0)
    ]


def test_a_classification_that_says_nothing_new_moves_nothing() -> None:
    bench = Bench()
    bench.send(started(0), ended(20))
    bench.tick(200)
    bench.send(classified(201))
    assert moved(bench.tick(1_000)) == []


def test_a_row_that_goes_and_comes_again_in_one_step_is_stored_once() -> None:
    """Of many rows each has a page of its own: it comes again on another one."""
    bench = Bench()
    bench.send(consumed(10_000))
    bench.send(ended(9_000), started(0))  # 150 rows
    bench.send(classified(1, planned=True), classified(2), classified(3, planned=True))
    bench.send(classified(4))
    bench.reopen()
    assert sums(bench.tick(20_000)) == (9_000, 1)


# Forgetting.


def test_an_episode_is_forgotten_when_its_end_is_before_the_retention() -> None:
    timing = Timing(mes_retention_seconds=1_000)
    for later, known in ((1_100, True), (1_100.000001, False)):
        bench = Bench(timing=timing)
        bench.send(started(0, planned=True), ended(100))
        bench.send(consumed(later))
        again = bench.send(started(later, id="again", planned=True))
        assert bool(again and again[-1]["type"] == "exception.raised.v1") == known


def test_an_open_episode_is_forgotten_a_limit_later() -> None:
    timing = Timing(mes_retention_seconds=1_000, episode_limit_seconds=600)
    for later, known in ((1_600, True), (1_600.000001, False)):
        bench = Bench(timing=timing)
        bench.send(started(0, planned=True), consumed(later))
        left = bench.send(started(later, id="again", planned=True))
        assert bool(left) == known


def test_a_waiting_end_is_forgotten_like_any() -> None:
    timing = Timing(mes_retention_seconds=1_000)
    bench = Bench(timing=timing)
    bench.send(ended(0, work_unit="U9"), consumed(1_000))
    assert len(bench.send(started(999))) == 1  # another work unit
    bench.send(consumed(1_000.000001))
    assert bench.send(started(999)) == []


def test_a_classification_alone_is_forgotten_a_limit_after_its_time() -> None:
    timing = Timing(mes_retention_seconds=1_000, episode_limit_seconds=600)
    for later, known in ((1_600, True), (1_600.000001, False)):
        bench = Bench(timing=timing)
        bench.send(classified(0, reason="tool", work_unit="U9"), consumed(later))
        assert bool(bench.send(started(later))) == known  # of another work unit


def test_what_shares_time_with_a_remembered_episode_is_remembered() -> None:
    """A and B are over, and B shares time with C, which isn't; D touches A, and shares none."""
    timing = Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=1)
    bench = Bench(timing=timing)
    for name, begin, end in (("D", 0, 50), ("A", 50, 200), ("B", 150, 300), ("C", 290, 900)):
        bench.send(started(begin, name, planned=True), ended(end, name))
    bench.tick(1_310)
    (line,) = bench.task.lines.values()
    assert sorted(line.episodes) == ["A", "B", "C"]
    assert conflicts_of(bench.send(started(1_310, "A", "again"))) == 1
    assert conflicts_of(bench.send(started(1_310, "D", "again"))) == 0
    bench.tick(1_900.000001)
    assert sorted(line.episodes) == ["D"]


def conflicts_of(left: list[dict[str, Any]]) -> int:
    return sum(each["type"] == "exception.raised.v1" for each in left)


def test_a_stop_of_no_length_and_one_of_another_work_unit_keep_nothing() -> None:
    timing = Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=1)
    bench = Bench(timing=timing)
    bench.send(started(0, "A", planned=True), ended(900, "A"))
    bench.send(started(10, "B", planned=True), ended(10, "B"))
    bench.send(started(20, "C", planned=True, work_unit="U2"), ended(30, "C", work_unit="U2"))
    bench.tick(1_100)
    (line,) = bench.task.lines.values()
    assert sorted(line.episodes) == ["A"]


def test_what_was_counted_of_episodes_without_an_end_stays_known() -> None:
    timing = Timing(mes_retention_seconds=1_000, episode_limit_seconds=600)
    bench = Bench(timing=timing)
    bench.send(started(0, "A"), started(700, "B"), started(800, "C"), ended(900, "C"))
    for later, seconds_ in ((1_600, 0), (1_601, 600), (2_400, 1_200)):
        bench.tick(later)
        bench.reopen()
        (line,) = bench.task.lines.values()
        assert forgotten_open(line, bench.rules) == seconds_ * SECOND


def test_the_memory_of_episodes_stays_bounded_and_their_sum_exact() -> None:
    timing = Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=60)
    bench = Bench(timing=timing)
    left = []
    for number in range(300):
        at = number * 100
        left += bench.send(started(at, f"EP{number}"), ended(at + 50, f"EP{number}"))
    (line,) = bench.task.lines.values()
    assert len(line.episodes) < 15
    assert sum(1 for _ in bench.store.scan(b"e")) == len(line.episodes)
    left += bench.tick(50_000)
    assert sums(left) == (300 * 50, 300)
    assert not any(each.error for each in balances(line, bench.rules).values())


# What the report lists.


def test_the_report_lists_waiting_ends_and_overlong_episodes() -> None:
    bench = Bench()
    bench.send(started(0, "open"), ended(10, "waiting"), started(0, "over"), ended(20, "over"))
    told = report([bench.task])
    assert (told.waiting_ends, told.overlong_episodes) == (1, 0)
    bench.tick(DAY)
    assert report([bench.task]).overlong_episodes == 0
    bench.tick(DAY + 1)
    told = report([bench.task])
    assert (told.waiting_ends, told.overlong_episodes) == (1, 1)
    assert {(each["episode"], each["problem"], each["time"]) for each in told.episodes} == {
        ("open", OVERLONG, stamp(0)), ("waiting", WAITING, stamp(10)),
    }  # fmt: skip


def test_a_classification_alone_is_no_end_that_waits() -> None:
    bench = Bench()
    bench.send(classified(0))
    told = report([bench.task])
    assert (told.waiting_ends, told.overlong_episodes, told.episodes) == (0, 0, [])


def test_the_report_knows_nothing_of_what_is_forgotten_by_now() -> None:
    bench = Bench(timing=Timing(mes_retention_seconds=1_000, episode_limit_seconds=600))
    bench.send(started(0, "open"), ended(10, "waiting"), consumed(1_600))
    told = report([bench.task])
    assert (told.waiting_ends, told.overlong_episodes) == (0, 1)
    bench.send(consumed(1_600.000001))
    told = report([bench.task])
    assert (told.waiting_ends, told.overlong_episodes) == (0, 0)
