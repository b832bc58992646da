"""Maintenance notifications (section 5), and timing that changes (section 12)."""

from .builders import MIDNIGHT, begun, classified, known, resumed, run, state, stopped, tick

MN = f"mn:P/L1:E:{MIDNIGHT + 6 * 3600}"


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
    # A classification that changes the reason of F only teaches nothing about its length.
    leak = classified("e", "06:05:30", episode="F", reason="leak", planned=False)
    assert run(*log, begun("o", "06:05:30"), leak).rows("mn", "episode") == [("E",)]
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
        begun("q", "06:07"),  # a rise by the longer grace: 05:07 opens nothing again
        stopped("a", "06:00:30", episode="E"),
        resumed("b", "06:00:40", episode="E"),
        begun("p", "06:10"),
    ]
    outcome = run(*log, close=True)
    assert outcome.rows("sd", "revision") == [(7,)]
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
