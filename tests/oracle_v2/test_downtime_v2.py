"""Downtime, availability, maintenance (section 5) and machine states (section 13)."""

from decimal import Decimal
from typing import Any

import pytest

from .builders import MIDNIGHT, begun, classified, known, resumed, run, state, stopped, tick

MN = f"mn:P/L1:E:{MIDNIGHT + 6 * 3600}"

# ---------------------------------------------------------------- downtime and availability


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


def test_a_stop_of_no_length_is_a_stop() -> None:
    log = [stopped("a", "06:00:30", episode="E"), resumed("b", "06:00:30", episode="E")]
    outcome = run(*log, begun("o", "06:02"))
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


# ---------------------------------------------------------------- maintenance (section 5)


def test_a_breakdown_is_notified_when_the_watermark_reaches_it() -> None:
    start = stopped("a", "06:00", episode="E")
    assert not run(start, begun("o", "06:09:59")).of("mn")
    told = run(start, begun("o", "06:10")).of("mn")[0]
    assert (told["id"], told["time"]) == (MN, "2026-11-21T06:10:00Z")
    assert (told["data"]["causes"], told["data"]["reason"]) == (["a"], "jam")


def test_a_start_that_comes_late_waits_for_the_grace_after_the_watermark_of_that_moment() -> None:
    # Learnt at watermark 06:20: due at 06:20:30.
    log = [begun("o", "06:20"), stopped("a", "06:00", episode="E")]
    assert not run(*log, begun("p", "06:20:29")).of("mn")
    assert run(*log, begun("p", "06:20:30")).of("mn")
    short = [resumed("b", "06:05", episode="E"), begun("p", "06:21")]
    assert not run(*log, *short).of("mn")


def test_an_end_that_shows_a_breakdown_notifies_at_once() -> None:
    log = [begun("o", "06:20"), stopped("a", "06:00", episode="E")]
    outcome = run(*log, resumed("b", "06:10", episode="E"))
    assert outcome.ids == ["os:P/L1:/mes|o", MN]
    assert not run(*log, resumed("b", "06:09:59.999999", episode="E")).of("mn")


def test_a_classification_starts_a_wait_where_it_makes_a_stop_unplanned() -> None:
    log = [
        stopped("a", "06:00", episode="E", planned=True),
        begun("o", "06:20"),
        classified("c", "06:20", episode="E", reason="burst", planned=False),
    ]
    assert not run(*log, begun("p", "06:20:29")).of("mn")
    # One that changes the reason only starts no new wait: it stays 06:20:30.
    more = classified("d", "06:20:29", episode="E", reason="leak", planned=False)
    assert run(*log, more, begun("p", "06:20:30")).rows("mn", "reason") == [("leak",)]


def test_what_shows_that_it_was_shorter_takes_it_back_once() -> None:
    log = [
        stopped("a", "06:00", episode="E"),
        begun("o", "06:11"),
        resumed("b", "06:05", episode="E"),
    ]
    outcome = run(*log, classified("c", "06:11", episode="E"))
    assert outcome.ids == [MN, "os:P/L1:/mes|o", f"rv:{MN}"]
    taken = outcome.of("rv")[0]
    # The end's time is 06:05: not before the notification's.
    assert taken["time"] == "2026-11-21T06:10:00Z"
    assert taken["data"]["reversed_type"] == "erp.maintenance_notification.v1"
    assert (taken["data"]["causes"], taken["data"]["reason"]) == (["b"], "jam")


def test_a_stop_that_was_planned_is_taken_back_and_not_notified_again() -> None:
    log = [
        stopped("a", "06:00", episode="E"),
        begun("o", "06:11"),
        classified("c", "06:12", episode="E"),
        classified("d", "06:13", episode="E", reason="jam", planned=False),
        begun("p", "06:30"),
    ]
    outcome = run(*log)
    assert [id_[:3] for id_ in outcome.ids] == ["mn:", "os:", "rv:", "os:"]
    # "episode, work_unit, reason; as they are now", its own time since that is later.
    taken = outcome.of("rv")[0]
    assert (taken["time"], taken["data"]["reason"]) == ("2026-11-21T06:12:00Z", "cleaning")


def test_several_leave_by_start_then_episode() -> None:
    log = [
        stopped("a", "06:01", episode="A"),
        stopped("c", "06:00", episode="C"),
        stopped("b", "06:00", episode="B"),
    ]
    left = run(*log, tick("06:30")).rows("mn", "episode")
    assert left == [("B",), ("C",), ("A",)]


def test_a_late_notification_is_posted_on_the_watermarks_day() -> None:
    log = [begun("o", "2026-11-22T00:10:00Z"), stopped("a", "23:00", episode="E")]
    outcome = run(*log, resumed("b", "23:30", episode="E"))
    assert outcome.rows("mn", "document_date", "posting_date") == [("2026-11-21", "2026-11-22")]


# ---------------------------------------------------------------- timing (section 12)


def test_a_shorter_breakdown_holds_at_the_next_rise_and_not_for_what_has_ended() -> None:
    log = [
        stopped("a", "06:00", episode="E"),
        stopped("b", "06:00", episode="F"),
        resumed("c", "06:05", episode="F"),
        known("timing", breakdown_seconds=240),
    ]
    assert not run(*log).of("mn")
    outcome = run(*log, begun("o", "06:05:30"))
    assert outcome.rows("mn", "episode") == [("E",)]
    assert outcome.of("mn")[0]["time"] == "2026-11-21T06:04:00Z"
    # The end of E, 4:30 after its start, is no shorter than what it was notified for.
    longer = known("timing", breakdown_seconds=600)
    assert not run(*log, begun("o", "06:05:30"), longer, resumed("d", "06:04:30", episode="E")).of(
        "rv"
    )


def test_one_window_that_has_closed_stays_closed_and_a_smaller_grace_closes_at_the_next_rise() -> (
    None
):
    log = [
        begun("o", "06:06:30"),  # furthest 06:06: 06:00 to 06:05 and the windows before have closed
        known("timing", grace_seconds=3600),
        stopped("a", "06:00:30", episode="E"),
        resumed("b", "06:00:40", episode="E"),
        begun("p", "06:10"),
    ]
    outcome = run(*log, close=True)
    assert outcome.rows("sd", "revision") == [(6,)]
    log = [
        stopped("a", "06:00:30", episode="E"),
        resumed("b", "06:00:40", episode="E"),
        begun("o", "06:01:10"),
        known("timing", grace_seconds=0),
    ]
    assert not run(*log).of("sd")
    assert run(*log, begun("p", "06:01:10.000001")).of("sd")


def test_timing_of_a_plant_is_not_the_next_plants_nor_the_machines() -> None:
    slow = known("timing", grace_seconds=600)
    mine = [slow, stopped("a", "06:00", episode="E"), resumed("b", "06:00:10", episode="E")]
    assert not run(*mine, begun("o", "06:05")).of("sd")
    other = [known("timing", "Q", grace_seconds=600), *mine[1:], begun("o", "06:05")]
    assert run(*other).of("sd")
    machine = [slow, state("a", "06:00", state="Idle"), state("b", "06:05", state="Idle")]
    assert run(*machine).of("sx")


# ---------------------------------------------------------------- machine states (section 13)


def test_a_state_lasts_until_the_next_point_or_the_limit() -> None:
    log = [state("a", "06:00:30", state="Execute"), state("b", "06:02:15", state="Held")]
    outcome = run(*log, state("c", "06:04", state="Idle"))
    assert outcome.rows("sx", "state", "seconds", "window_start") == [
        ("Execute", "30", "2026-11-21T06:00:00Z"),
        ("Execute", "60", "2026-11-21T06:01:00Z"),
        ("Execute", "15", "2026-11-21T06:02:00Z"),
        ("Held", "45", "2026-11-21T06:02:00Z"),
    ]
    assert "count" not in outcome.of("sx")[0]["data"]
    limited = run(*log, state("c", "07:00", state="Idle"), state_limit_seconds=120)
    assert limited.total("sx", "seconds") == 105 + 120


def test_a_point_that_comes_late_moves_seconds_of_closed_windows() -> None:
    # Closed at watermark 06:04:30: all up to 06:04. Held from 06:01:30 on takes 30 + 60 + 60 s of
    # Execute; the minute that is still open is counted rightly when it closes.
    log = [
        state("a", "06:00", state="Execute"),
        state("b", "06:04:30", state="Idle"),
        state("c", "06:01:30", state="Held"),
    ]
    outcome = run(*log, state("d", "06:05:30", state="Idle"))
    late = [row for row in outcome.rows("sx", "state", "seconds", "revision") if row[2]]
    assert late == [
        ("Execute", "-30", 3),
        ("Held", "30", 3),
        ("Execute", "-60", 2),
        ("Held", "60", 2),
        ("Execute", "-60", 1),
        ("Held", "60", 1),
    ]
    sums = {name: Decimal(0) for name in ("Execute", "Held", "Idle")}
    for name, seconds in outcome.rows("sx", "state", "seconds"):
        sums[name] += Decimal(seconds)
    assert sums == {"Execute": 90, "Held": 180, "Idle": 30}


def test_of_two_points_at_one_time_the_one_accepted_later_holds() -> None:
    log = [
        state("a", "06:00", state="Execute"),
        state("b", "06:00", state="Held"),
        state("c", "06:02", state="Idle"),
    ]
    assert run(*log).rows("sx", "state", "seconds") == [("Held", "60")]
    assert run(*log, close=True).rows("sx", "state", "seconds") == [
        ("Held", "60"),
        ("Held", "60"),
        ("Idle", "60"),  # "open episodes and states count up to the end of that summary window"
    ]
