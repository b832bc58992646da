"""Downtime and availability (section 5)."""

from typing import Any

import pytest

from .builders import begun, classified, resumed, run, stopped


def test_stops_that_overlap_add_up_in_downtime_and_are_one_standstill() -> None:
    # E1 06:00 to 06:02 unplanned, E2 06:01 to 06:03 planned: down 120 s, planned less that 60 s.
    log = [
        stopped("a", "06:00", episode="E1"),
        stopped("b", "06:01", episode="E2", reason="service", planned=True),
        resumed("c", "06:02", episode="E1"),
        resumed("d", "06:03", episode="E2"),
        begun("o", "06:04"),
    ]
    outcome = run(*log)
    assert outcome.rows("sd", "window_start", "reason", "seconds", "stops") == [
        ("2026-11-21T06:00:00Z", "jam", "60", "1"),
        ("2026-11-21T06:01:00Z", "jam", "60", "0"),
        ("2026-11-21T06:01:00Z", "service", "60", "1"),
        ("2026-11-21T06:02:00Z", "service", "60", "0"),
    ]
    assert outcome.rows("sa", "down", "planned_down") == [("60", "0"), ("60", "0"), ("0", "60")]


def test_a_late_stop_inside_another_changes_downtime_and_not_availability() -> None:
    log = [
        stopped("a", "06:00", episode="E1"),
        resumed("b", "06:10", episode="E1"),
        begun("o", "06:20"),
        stopped("c", "06:02", episode="E2"),
        resumed("d", "06:03", episode="E2"),
    ]
    outcome = run(*log, close=True)
    assert outcome.total("sd", "seconds") == 660
    assert outcome.total("sa", "down") == 600
    assert len(outcome.of("sa")) == 10


def test_an_end_that_is_known_counts_in_full_and_a_lost_one_for_a_day() -> None:
    # Nothing but the limit is known by the 23rd; then the end after 57 h: 33 h are the difference.
    start = stopped("a", "21:00", episode="E")
    outcome = run(start, begun("o", "2026-11-24T09:00:00Z"))
    assert outcome.total("sd", "seconds") == 86_400
    assert outcome.report["overlong_episodes"] == 1
    late = resumed("b", "2026-11-24T06:00:00Z", episode="E")
    outcome = run(start, begun("o", "2026-11-24T09:00:00Z"), late, close=True)
    assert outcome.total("sd", "seconds") == outcome.total("sa", "down") == 57 * 3600
    revisions = {revision for (revision,) in outcome.rows("sd", "revision")}
    # Carried by 09:00 of the 24th: the last of them, 05:59, is 181 minutes late.
    assert revisions == {0, *range(181, 181 + 33 * 60)}


@pytest.mark.parametrize("time", ["06:00:30", "06:01:00"])
def test_a_stop_of_no_length_is_a_stop(time: str) -> None:
    log = [stopped("a", time, episode="E"), resumed("b", time, episode="E")]
    outcome = run(*log, begun("o", "06:03"))
    assert outcome.rows("sd", "seconds", "stops") == [("0", "1")]
    assert not outcome.of("sa")


def test_an_end_waits_for_its_start() -> None:
    outcome = run(resumed("b", "06:05", episode="E"))
    assert outcome.report["waiting_ends"] == 1
    log = [resumed("b", "06:05", episode="E"), stopped("a", "06:04:30", episode="E")]
    outcome = run(*log, begun("o", "06:06"))
    assert outcome.rows("sd", "seconds") == [("30",)]


def test_fractions_of_seconds_are_exact() -> None:
    log = [stopped("a", "06:00:59.999999", episode="E"), resumed("b", "06:01:00.25", episode="E")]
    assert run(*log, close=True).rows("sd", "seconds") == [("0.000001",), ("0.25",)]


def test_a_classification_moves_what_closed_windows_have() -> None:
    log = [
        stopped("a", "06:00:30", episode="E"),
        resumed("b", "06:01:15", episode="E"),
        begun("o", "06:05:10"),
        classified("c", "06:05:20", episode="E"),
    ]
    outcome = run(*log, close=True)
    # Carried by 06:05: the window 06:00 as revision 5, 06:01 as revision 4; planned isn't down.
    assert outcome.rows("sd", "reason", "seconds", "stops", "revision") == [
        ("jam", "30", "1", 0),
        ("jam", "15", "0", 0),
        ("cleaning", "30", "1", 5),
        ("jam", "-30", "-1", 5),
        ("cleaning", "15", "0", 4),
        ("jam", "-15", "0", 4),
    ]
    assert outcome.rows("sa", "down", "planned_down")[2:] == [("-30", "30"), ("-15", "15")]


def test_the_latest_classification_holds_also_when_it_comes_before_the_start() -> None:
    log = [
        classified("c", "06:10", episode="E", reason="first"),
        classified("d", "06:05", episode="E", reason="second"),
        stopped("a", "06:09:30", episode="E"),
        resumed("b", "06:09:40", episode="E"),
    ]
    assert run(*log, close=True).rows("sd", "reason", "planned") == [("second", True)]


@pytest.mark.parametrize(
    "wrong",
    [
        stopped("x", "06:01", episode="E"),
        resumed("x", "06:01", episode="E"),
        classified("x", "06:01", episode="E", work_unit="V"),
        resumed("x", "05:59", episode="F"),
        stopped("x", "06:03", episode="G"),
        stopped("x", "06:01", episode="H", work_unit="V"),
    ],
)
def test_what_contradicts_an_episode_is_a_conflict(wrong: dict[str, Any]) -> None:
    log = [
        stopped("a", "06:00", episode="E"),
        resumed("b", "06:02", episode="E"),
        stopped("c", "06:00", episode="F"),
        resumed("d", "06:02", episode="G"),
        classified("e", "06:02", episode="H", work_unit="W"),
    ]
    assert run(*log, wrong).codes == ["episode_conflict"]


def test_an_episode_is_forgotten_unless_it_shares_time_with_one_that_is_not() -> None:
    # Retention 1 h, limit 24 h. At 08:00 all that ended before 07:00 is forgotten: E1 not, since it
    # shares time with E2, which ended at 07:30; E3 touches E1 and shares nothing.
    log = [
        stopped("a", "06:10", episode="E3"),
        resumed("b", "06:20", episode="E3"),
        stopped("c", "06:20", episode="E1"),
        resumed("d", "06:40", episode="E1"),
        stopped("e", "06:30", episode="E2"),
        resumed("f", "07:30", episode="E2"),
        begun("o", "08:00"),
    ]
    retention: dict[str, Any] = {"retention_seconds_mes": 3600}
    again = [stopped("g", "08:01", episode="E1"), stopped("h", "08:01", episode="E3")]
    assert run(*log, *again, **retention).codes == ["episode_conflict"]


def test_an_episode_that_is_forgotten_without_an_end_is_told() -> None:
    log = [stopped("a", "06:00", episode="E"), begun("o", "2026-11-30T06:00:01Z")]
    report = run(*log).report
    assert (report["overlong_episodes"], report["forgotten_open_seconds"]) == (0, "86400")
    # The watermark - 7 days is not past the start + 24 h yet.
    report = run(log[0], begun("o", "2026-11-29T06:00:00Z")).report
    assert (report["overlong_episodes"], report["forgotten_open_seconds"]) == (1, "0")
