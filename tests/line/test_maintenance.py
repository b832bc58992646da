"""Maintenance notifications: a breakdown is told once, and taken back if it wasn't one."""

from random import Random
from typing import Any

from hypothesis import given

from draws import seeds
from runs import LASTING, START, Bench, classified, consumed, ended, stamp, started
from tables.line.rules import Timing

EP1 = f"mn:DE01/L1:EP1:{START}"
"""The key of an episode of that name that began at 0."""

NO_GRACE = Timing(grace_seconds=0)


def notes(left: list[dict[str, Any]]) -> list[str]:
    """Return the keys of what left for the ERP."""
    return [each["id"] for each in left if each["type"].startswith("erp.")]


def told(*values: bytes) -> list[str]:
    """Return the keys of what these events lead to, and a rise of the watermark much later."""
    bench = Bench()
    left = bench.send(*values) + bench.tick(90_000)
    return [key for key in notes(left) if "mn:" in key]


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
    left = [key for value in values for key in notes(bench.send(value)) if "mn:" in key]
    key = f"mn:DE01/L1:EP1:{START + begin}"
    assert left in ([], [key], [key, f"rv:{key}"])
    assert (left == [key]) == (not planned and lasted >= 600)


# When it leaves.


def test_a_breakdown_is_notified_when_the_watermark_reaches_it() -> None:
    bench = Bench()
    bench.send(started(0, reason="jam", id="s"))
    assert notes(bench.tick(599.999999)) == []
    (left,) = [each for each in bench.tick(600) if each["type"].startswith("erp.")]
    assert left["type"] == "erp.maintenance_notification.v1"
    assert left["id"] == EP1
    assert left["time"] == stamp(600)
    data = {name: value for name, value in left["data"].items() if not name.endswith("_date")}
    assert data == {
        "episode": "EP1", "work_unit": "U1", "reason": "jam", "causes": ["s"], "cause_count": 1,
    }  # fmt: skip
    assert notes(bench.tick(5_000)) == []


def test_its_key_has_whole_seconds_of_its_start() -> None:
    assert told(started(0.999999)) == [EP1]
    assert told(started(1)) == [f"mn:DE01/L1:EP1:{START + 1}"]


def test_a_breakdown_is_notified_when_its_end_tells_that_it_was_one() -> None:
    assert notes(Bench().send(started(0), ended(600))) == [EP1]


def test_a_breakdown_is_notified_when_its_late_start_tells_that_it_was_one() -> None:
    assert notes(Bench().send(ended(600), started(0))) == [EP1]


def test_a_late_start_waits_for_its_end_as_long_as_a_window_does() -> None:
    bench = Bench()
    assert notes(bench.send(consumed(600), started(0))) == []
    assert EP1 not in notes(bench.tick(629.999999))
    assert EP1 in notes(bench.tick(630))
    bench = Bench(timing=NO_GRACE)
    assert notes(bench.send(consumed(600), started(0))) == [EP1]


def test_a_short_stop_that_comes_late_raises_nothing() -> None:
    bench = Bench()
    bench.send(consumed(5_000))
    assert notes(bench.send(started(0), ended(599))) == []
    assert EP1 not in notes(bench.tick(90_000))


def test_a_short_or_planned_episode_is_not_notified() -> None:
    assert told(started(0), ended(599.999999)) == []
    assert told(started(0, planned=True), ended(5_000)) == []
    assert told(ended(599), started(0)) == []


def test_due_notifications_leave_by_start_then_episode_after_the_windows() -> None:
    bench = Bench()
    bench.send(started(10, "B"), started(10, "A"), started(5, "C"), consumed(20))
    left = bench.send(consumed(5_000))
    types = [each["type"] for each in left]
    first = types.index("erp.maintenance_notification.v1")
    assert set(types[first:]) == {"erp.maintenance_notification.v1"}
    assert [key.split(":")[2] for key in notes(left)[-3:]] == ["C", "A", "B"]


def test_an_end_that_raises_the_watermark_past_the_breakdown_comes_after_its_notice() -> None:
    """The watermark is raised first: the notification leaves, and the end confirms it."""
    bench = Bench()
    bench.send(started(0, id="s"))
    assert notes(bench.send(ended(5_000))) == [EP1]


def test_a_close_makes_nothing_due() -> None:
    bench = Bench()
    bench.send(started(0), consumed(590))
    assert notes(bench.close()) == ["gi:DE01/L1:1795241100:O1|0010|I1|||kg:0"]


def test_a_state_that_is_read_again_goes_on_waiting() -> None:
    bench = Bench()
    bench.send(consumed(600), started(0))
    bench.reopen()
    assert EP1 not in notes(bench.tick(629))
    bench.reopen()
    assert EP1 in notes(bench.tick(630))
    bench.reopen()
    assert notes(bench.send(ended(100))) == [f"rv:{EP1}"]
    bench.reopen()
    assert notes(bench.send(classified(101, planned=True))) == []


# Classified.


def test_an_episode_that_turns_out_unplanned_waits_from_then_on() -> None:
    bench = Bench()
    bench.send(started(0, planned=True), consumed(700))
    bench.tick(1_000)
    assert notes(bench.send(classified(1_000))) == []
    assert EP1 not in notes(bench.tick(1_029.999999))
    assert EP1 in notes(bench.tick(1_030))


def test_another_reason_starts_no_new_wait() -> None:
    bench = Bench()
    bench.send(consumed(600), started(0))
    bench.tick(620)
    bench.send(classified(620, reason="drive"))
    (left,) = [each for each in bench.tick(630) if each["id"] == EP1]
    assert left["data"]["reason"] == "drive"


def test_unplanned_once_more_starts_a_new_wait() -> None:
    bench = Bench()
    bench.send(consumed(600), started(0), classified(600, "a", planned=True))
    bench.tick(620)
    bench.send(classified(620, "b"))
    assert EP1 not in notes(bench.tick(649.999999))
    assert EP1 in notes(bench.tick(650))


def test_an_ended_stop_that_turns_out_unplanned_is_notified_at_once() -> None:
    bench = Bench()
    assert notes(bench.send(started(0, planned=True), ended(600), classified(601))) == [EP1]
    assert told(started(0, planned=True), ended(599), classified(601)) == []


def test_an_ended_stop_that_gets_another_reason_is_not() -> None:
    bench = Bench()
    left = bench.send(classified(0, planned=True), started(0), ended(900))
    assert notes(left) == []
    assert notes(bench.send(classified(1, "a"), classified(2, "b", reason="drive"))) == [EP1]


# What takes it back.


def test_an_end_that_shows_it_was_shorter_takes_the_notification_back() -> None:
    bench = Bench()
    bench.send(started(0))
    assert notes(bench.tick(700)) == [EP1]
    (left,) = [each for each in bench.send(ended(500, id="e")) if "erp" in each["type"]]
    assert left["type"] == "erp.reversal.v1"
    assert left["id"] == f"rv:{EP1}"
    assert left["time"] == stamp(600)  # not before the notification's
    data = {name: value for name, value in left["data"].items() if not name.endswith("_date")}
    assert data == {
        "reverses": EP1, "reversed_type": "erp.maintenance_notification.v1", "episode": "EP1",
        "work_unit": "U1", "reason": "jam", "causes": ["e"], "cause_count": 1,
    }  # fmt: skip


def test_a_classification_as_planned_takes_the_notification_back() -> None:
    bench = Bench()
    bench.send(started(0))
    bench.tick(700)
    values = [classified(710, "c", reason="clean", planned=True), classified(720, "d")]
    (left,) = [each for each in bench.send(*values) if "erp" in each["type"]]
    assert (left["id"], left["time"]) == (f"rv:{EP1}", stamp(710))
    assert (left["data"]["reason"], left["data"]["causes"]) == ("clean", ["c"])
    assert notes(bench.tick(90_000)) == []  # told once, it isn't told again


def test_an_end_that_confirms_the_breakdown_says_nothing_more() -> None:
    bench = Bench()
    bench.send(started(0))
    bench.tick(700)
    assert notes(bench.send(ended(650))) == []


def test_it_is_held_against_the_breakdown_that_it_was_notified_for() -> None:
    """The breakdown may be another one by the time the end is known."""
    for was, now, lasted, taken_back in ((600, 60, 500, True), (60, 600, 500, False)):
        bench = Bench(timing=Timing(breakdown_seconds=was))
        bench.send(started(0))
        assert EP1 in notes(bench.tick(700))
        bench = reopened_with(bench, Timing(breakdown_seconds=now))
        left = bench.send(ended(lasted))
        assert notes(left) == ([f"rv:{EP1}"] if taken_back else [])
        assert [each["time"] for each in left if each["id"] == f"rv:{EP1}"] == (
            [stamp(600)] if taken_back else []
        )


def test_grace_and_breakdown_hold_as_they_are_when_the_watermark_rises() -> None:
    bench = Bench(timing=Timing(breakdown_seconds=6_000))
    bench.send(started(0))
    bench.tick(700)
    bench = reopened_with(bench, Timing(breakdown_seconds=600))
    assert notes(bench.tick(700.000001)) == [EP1]


def reopened_with(bench: Bench, timing: Timing) -> Bench:
    """Return a bench that goes on with the state of another, and with other lengths of time."""
    other = Bench(timing=timing)
    other.store, other.sent = bench.store, bench.sent
    other.reopen()
    return other
