"""What a line does now, and what the overview and the page of a line say of it."""

from typing import Any

import pytest
from sqlalchemy import Engine

from reading.worlds import ALL, RULES, at, happened, known, master, text
from runs import confirmed, consumed, ended, event, reversed_, started
from tables.books import line_page, overview
from tables.books.lines_now import Line, Now, Stop, Unit, now_of

NOW = at(100_000)
MINUTE = 60 * 1_000_000

JAM = Stop("U1", "jam", False, NOW - 5 * MINUTE)
LUNCH = Stop("U1", "lunch", True, NOW - 7 * MINUTE)
OLD = Stop("U1", "forgotten", False, NOW - 25 * 60 * MINUTE)


def _unit(state: str, ago: int = 3) -> Unit:
    return Unit("U1", state, NOW - ago * MINUTE, None, None)


def _line(silent: int, *told: Stop | Unit) -> Line:
    stops = [each for each in told if isinstance(each, Stop)]
    units = [each for each in told if isinstance(each, Unit)]
    clock = NOW - silent * MINUTE
    return Line("DE01", "L1", clock, clock, None, stops, units)


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (_line(1), "running"),
        (_line(1, _unit("Execute")), "running"),
        (_line(1, _unit("Execute"), _unit("Held")), "running"),
        (_line(1, _unit("Held"), _unit("Idle")), "unplanned_stop"),
        (_line(1, _unit("Idle")), "unknown"),
        (_line(1, LUNCH), "planned_stop"),
        (_line(1, LUNCH, JAM), "unplanned_stop"),
        (_line(1, JAM, _unit("Execute")), "unplanned_stop"),
        (_line(9, LUNCH), "planned_stop"),
        (_line(10, LUNCH), "silent"),
        (_line(10, _unit("Execute")), "silent"),
        (_line(10, JAM), "unplanned_stop"),
        (_line(1, OLD), "running"),
        (Line("DE01", "L1", None, None, None), "unknown"),
    ],
)
def test_the_state_of_a_line(line: Line, state: str) -> None:
    assert now_of(line, NOW).state == state


def test_a_planned_stop_hides_no_silence_and_a_stop_says_since_when() -> None:
    assert now_of(_line(1, LUNCH), NOW) == Now("planned_stop", LUNCH.started_at, "lunch", "U1")
    assert now_of(_line(11, LUNCH), NOW) == Now("silent", NOW - 11 * MINUTE, None, None)
    assert now_of(_line(1, LUNCH, JAM), NOW) == Now("unplanned_stop", JAM.started_at, "jam", "U1")


def _shifts(engine: Engine) -> None:
    shifts = [
        {"name": "early", "start": "06:00", "end": "14:00"},
        {"name": "late", "start": "14:00", "end": "22:00"},
    ]
    known(
        engine,
        ("shift_calendar|DE01|main", master("shift_calendar", id="main", shifts=shifts)),
        (
            "work_unit|DE01|L1/U1",
            master("work_unit", line="L1", work_unit="U1", ideal_seconds="1.5"),
        ),
    )


def test_the_overview_says_what_was_made_in_the_shift(books: Engine) -> None:
    happened(
        books,
        confirmed(-600, "9", id="in the night"),
        confirmed(10, "40", id="p1"),
        started(30, planned=True, reason="cleaning"),
        ended(90),
        consumed(95, "wrong"),
        confirmed(400, "2", id="p2"),
        confirmed(100, "5", id="elsewhere", line="L2"),
        started(130, episode="EP2", line="L2"),
    )
    _shifts(books)
    with books.connect() as connection:
        found = overview.overview(connection, ALL, overview.OverviewAsked(), at(430), RULES)
    assert found["plants"] == [
        {"plant": "DE01", "zone": "UTC", "lines": 2, "running": 1, "planned_stop": 0,
         "unplanned_stop": 1, "silent": 0, "parked": 0, "exceptions_open": 1}
    ]  # fmt: skip
    first, second = found["lines"]
    assert second["line"] == "L2"
    assert (second["state"], second["since"], second["reason"]) == (
        "unplanned_stop",
        text(130),
        "jam",
    )
    assert first["state"] == "running"
    assert first["since"] == text(90)
    assert first["shift"] == {"name": "early", "from": text(0), "to": text(8 * 3_600)}
    # The window of p2 is open still. 429 s of the shift have passed, at 1.5 s a piece.
    assert first["made"] == [{"uom": "pc", "good": "40", "scrap": "0", "rework": "0"}]
    assert first["planned"] == [{"uom": "pc", "quantity": "286"}]
    assert (first["down_seconds"], first["planned_down_seconds"]) == ("0", "60")
    assert first["orders"] == ["O1"]
    assert first["exceptions_open"] == 1


def test_of_very_many_lines_the_overview_says_the_same(
    sqlite_books: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened(
        sqlite_books,
        started(100),
        ended(900),
        *(confirmed(seconds, "3", id=f"p{seconds}") for seconds in range(900, 7_000, 300)),
    )
    _shifts(sqlite_books)
    query = overview.OverviewAsked()
    with sqlite_books.connect() as connection:
        each_time = overview.overview(connection, ALL, query, at(7_000), RULES)
        monkeypatch.setattr("tables.books.made.LINES_MIN", 1)
        monkeypatch.setattr("tables.books.overview.LINES_MIN", 1)
        for _ in range(2):
            assert overview.overview(connection, ALL, query, at(7_000), RULES) == each_time
    assert each_time["lines"][0]["down_seconds"] == "800"


def test_the_page_of_a_line(books: Engine) -> None:
    mistake = consumed(405, "1", id="c2")
    happened(
        books,
        event("machine.state.v1", 5, work_unit="U1", state="Execute"),
        confirmed(10, "40", id="p1"),
        started(30),
        event("machine.state.v1", 31, work_unit="U1", state="Stopped", reason="jam"),
        ended(90),
        event("machine.state.v1", 95, work_unit="U1", state="Execute"),
        consumed(100, "wrong", id="c0"),
        confirmed(400, "2", id="p2"),
        consumed(404, "2.5", id="c1"),
        mistake,
        reversed_(mistake, 406),
    )
    query = line_page.LineAsked(plant="DE01", line="L1")
    with books.connect() as connection:
        found: Any = line_page.line_page(connection, ALL, query, at(430), RULES)
        none = line_page.line_page(
            connection, ALL, line_page.LineAsked(plant="DE01", line="L9"), at(430), RULES
        )
    assert none is None
    assert (found["from"], found["to"]) == (text(-6 * 3_600), text(429))
    assert found["units"] == [
        {"work_unit": "U1", "state": "Execute", "since": text(95), "reason": None}
    ]
    pieces = [
        (each["from"], each["to"], each["state"], each["planned"]) for each in found["timeline"]
    ]
    assert pieces == [
        (text(5), text(31), "Execute", None),
        (text(30), text(90), "unplanned_stop", False),
        (text(31), text(95), "Stopped", None),
        (text(95), text(429), "Execute", None),
    ]
    assert found["pareto"] == [{"reason": "jam", "planned": False, "seconds": "60", "stops": 1}]
    assert found["rates"] == [
        {"at": text(0), "uom": "pc", "good": "40", "scrap": "0", "rework": "0"}
    ]
    assert found["open_windows"] == [
        {
            "type": "erp.goods_issue.v1",
            "window_start": text(300),
            "window_end": text(600),
            "accepted": [{"measure": "quantity", "uom": "kg", "value": "2.5"}],
        }
    ]
    assert [each["event_id"] for each in found["exceptions"]] == ["c0"]
