"""Downtime: an episode counts in the windows it overlaps, as far as is known, and is told once."""

from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from draws import seeds
from runs import LASTING, START, Bench, consumed, ended, stamp, started
from streams.values.instant import SECOND, parse
from tables.line.conservation import balances
from tables.line.episodes import Episode, learnt, overlaps
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


def notes(left: list[dict[str, Any]]) -> list[str]:
    """Return the keys of what left for the ERP."""
    return [each["id"] for each in left if each["type"].startswith("erp.")]


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
    assert both[0] == min(DAY, Decimal(parse(stamp(end)) - parse(stamp(begin))) / SECOND)
    assert both[1] == 1


@given(seeds)
def test_a_breakdown_is_told_once_and_taken_back_at_most_once(seed: int) -> None:
    """What stands in the end is what the episode was: unplanned, and that long."""
    rng = Random(seed)
    begin, planned = rng.randrange(1_000), rng.random() < 0.3
    lasted = rng.choice([599, 600, 601, 50, 5_000])
    values = [started(begin, planned=planned), ended(begin + lasted)]
    values += [consumed(rng.random() * 3_000, id=f"e{number}") for number in range(5)]
    rng.shuffle(values)
    bench = Bench(timing=LASTING)
    told = [key for value in values for key in notes(bench.send(value)) if "mn:" in key]
    key = "mn:DE01/L1:EP1"
    assert told in ([], [key], [key, f"rv:{key}"])
    assert (told == [key]) == (not planned and lasted >= 600)


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
    added = {
        window: (
            at_start.get(window, (0, 0))[0] + at_end.get(window, (0, 0))[0],
            at_start.get(window, (0, 0))[1] + at_end.get(window, (0, 0))[1],
        )
        for window in at_start.keys() | at_end.keys()
    }
    assert {window: both for window, both in added.items() if both != (0, 0)} == at_once


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


def test_an_end_past_the_limit_adds_nothing_past_it() -> None:
    bench = Bench(timing=Timing(episode_limit_seconds=100))
    left = bench.send(started(0), ended(500)) + bench.tick(1_000)
    assert seconds(left) == [(0, "60", "1", 0), (60, "40", "0", 0)]


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


# Maintenance.


def test_a_breakdown_is_notified_when_the_watermark_reaches_it() -> None:
    bench = Bench()
    bench.send(started(0, reason="jam", id="s"))
    assert notes(bench.tick(599.999999)) == []
    (left,) = [each for each in bench.tick(600) if each["type"].startswith("erp.")]
    assert left["type"] == "erp.maintenance_notification.v1"
    assert left["id"] == "mn:DE01/L1:EP1"
    assert left["time"] == stamp(600)
    assert left["data"] == {
        "episode": "EP1", "work_unit": "U1", "reason": "jam", "causes": ["s"], "cause_count": 1,
        "posting_date": "2026-11-21",
    }  # fmt: skip
    assert notes(bench.tick(5_000)) == []


def test_a_breakdown_is_notified_when_its_end_tells_that_it_was_one() -> None:
    bench = Bench()
    assert notes(bench.send(started(0), ended(600))) == ["mn:DE01/L1:EP1"]


def test_a_breakdown_is_notified_when_its_late_start_tells_that_it_was_one() -> None:
    bench = Bench()
    assert notes(bench.send(ended(600), started(0))) == ["mn:DE01/L1:EP1"]
    bench = Bench()
    assert notes(bench.send(consumed(600), started(0))) == ["mn:DE01/L1:EP1"]


def test_a_short_or_planned_episode_is_not_notified() -> None:
    for values in (
        [started(0), ended(599.999999)],
        [started(0, planned=True), ended(5_000)],
        [ended(599), started(0)],
        [consumed(5_000), ended(599), started(0)],
    ):
        bench = Bench()
        assert [key for key in notes(bench.send(*values) + bench.tick(9_000)) if "mn" in key] == []


def test_an_end_that_shows_it_was_shorter_takes_the_notification_back() -> None:
    bench = Bench()
    bench.send(started(0))
    assert notes(bench.tick(700)) == ["mn:DE01/L1:EP1"]
    (left,) = [each for each in bench.send(ended(500, id="e")) if "erp" in each["type"]]
    assert left["type"] == "erp.reversal.v1"
    assert left["id"] == "rv:mn:DE01/L1:EP1"
    assert left["time"] == stamp(500)
    assert left["data"] == {
        "reverses": "mn:DE01/L1:EP1", "causes": ["e"], "cause_count": 1,
        "posting_date": "2026-11-21",
    }  # fmt: skip


def test_an_end_that_confirms_the_breakdown_says_nothing_more() -> None:
    bench = Bench()
    bench.send(started(0))
    bench.tick(700)
    assert notes(bench.send(ended(650))) == []


def test_due_notifications_leave_by_start_then_episode_after_the_windows() -> None:
    bench = Bench()
    bench.send(started(10, "B"), started(10, "A"), started(5, "C"), consumed(20))
    left = bench.send(consumed(5_000))
    types = [each["type"] for each in left]
    first = types.index("erp.maintenance_notification.v1")
    assert set(types[first:]) == {"erp.maintenance_notification.v1"}
    assert notes(left)[-3:] == ["mn:DE01/L1:C", "mn:DE01/L1:A", "mn:DE01/L1:B"]


def test_an_end_that_raises_the_watermark_past_the_breakdown_comes_after_its_notice() -> None:
    """The watermark is raised first: the notification leaves, and the end confirms it."""
    bench = Bench()
    bench.send(started(0, id="s"))
    assert notes(bench.send(ended(5_000))) == ["mn:DE01/L1:EP1"]


def test_a_close_makes_nothing_due() -> None:
    bench = Bench()
    bench.send(started(0), consumed(590))
    assert notes(bench.close()) == ["gi:DE01/L1:1795241100:O1|0010|I1|||kg:0"]


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
