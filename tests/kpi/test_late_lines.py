"""How late a line is in its shift, and why."""

from typing import Any

import pytest
from sqlalchemy import Engine

from kpi.asking import NOW, asked
from kpi.kpi_rows import Filled, at, refused, stop, worked
from tables.books.schema import EXCEPTIONS


@pytest.fixture
def fill(books: Engine) -> Filled:
    filled = Filled(books)
    filled.line("DE01", "L3", "2026-11-21T11:58:00Z", mes_at=NOW, arrived_at=NOW)
    return filled


def late_line(fill: Filled) -> dict[str, Any]:
    (item,) = asked(fill.engine, "late")["items"]
    return dict(item)


def test_a_line_that_made_what_it_could_isnt_late(fill: Filled):
    worked(fill)
    fill.made("2026-11-21T08:00:00Z", good=358)
    item = late_line(fill)
    assert (item["shift"], item["late_seconds"], item["why"], item["from"], item["to"]) == (
        "early",
        "0",
        "none",
        "2026-11-21T06:00:00Z",
        "2026-11-21T12:00:00Z",
    )


@pytest.mark.parametrize(
    ("reason", "planned", "group", "why"),
    [
        ("JAM", False, None, "machine"),
        ("NO_MATERIAL", False, None, "material"),
        ("R17", False, "Supply", "material"),
        ("R18", False, "quality gate", "quality"),
        ("CLEANING", True, None, "planned"),
    ],
)
def test_a_line_is_late_for_what_took_the_most_time(
    fill: Filled, reason: str, planned: bool, group: str | None, why: str
):
    """298 pieces of 358 s are an hour late; the stop took 50 min of it."""
    worked(fill)
    if group is not None:
        fill.reference("reason", "DE01", reason, reason=reason, group=group)
    fill.made("2026-11-21T08:00:00Z", good=298)
    for minute in range(50):
        stop(fill, f"2026-11-21T09:{minute:02d}:00Z", reason, planned, seconds=60)
    item = late_line(fill)
    assert (item["late_seconds"], item["why"]) == ("3600", why)
    assert [(each["why"], each["what"], each["seconds"]) for each in item["evidence"]] == [
        (why, f"PRESS-1: {reason}", "3000"),
        ("machine", "slower than ideal", "600"),
    ]


def test_scrap_makes_a_line_late_for_quality(fill: Filled):
    worked(fill)
    fill.made("2026-11-21T08:00:00Z", good=300, scrap=50, rework=8)
    item = late_line(fill)
    assert (item["late_seconds"], item["why"], item["evidence"][0]["seconds"]) == (
        "3480",
        "quality",
        "3480",
    )


def test_a_line_of_which_nothing_comes_is_late_for_integration(books: Engine):
    fill = Filled(books)
    fill.line(
        "DE01",
        "L3",
        "2026-11-21T08:00:00Z",
        mes_at=at("2026-11-21T08:02:00Z"),
        arrived_at=at("2026-11-21T08:02:00Z"),
    )
    worked(fill)
    fill.made("2026-11-21T07:00:00Z", good=120)
    fill.rows(EXCEPTIONS, refused(1))
    item = late_line(fill)
    assert (item["late_seconds"], item["why"]) == (str(4 * 3_600), "integration")
    assert item["evidence"][-1] == {
        "why": "integration",
        "what": "refused events are open",
        "seconds": "0",
        "count": 1,
    }
