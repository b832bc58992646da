"""Machine states (section 13)."""

from decimal import Decimal

from .builders import run, state


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
    limited = run(*log, state("c", "07:00", state="Idle"), close=True, state_limit_seconds=120)
    assert limited.total("sx", "seconds") == 105 + 120 + 60


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
