"""`lineside summaries` on books in a file: tables, CSV, JSON, and errors in a sentence."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli.summaries import summaries
from kpi.kpi_rows import Filled
from tables.books.opening import migrate, open_books

THREE = (
    {"name": "early", "start": "06:00", "end": "14:00"},
    {"name": "late", "start": "14:00", "end": "22:00"},
    {"name": "night", "start": "22:00", "end": "06:00"},
)


@pytest.fixture
def fill(tmp_path: Path) -> Iterator[Filled]:
    engine = open_books(f"sqlite:///{tmp_path}/desk.db")
    migrate(engine)
    filled = Filled(engine)
    filled.zone("Europe/Berlin")
    filled.shifts(*THREE)
    filled.line("DE01", "L3", "2026-11-22T06:00:00Z")
    filled.line("DE01", "=L4", "2026-11-21T12:00:00Z")
    filled.work_unit("L3", "PRESS-1", ideal_seconds="22")
    filled.made("2026-11-21T07:00:00Z", good=900, scrap=90, rework=10)
    filled.made("2026-11-21T22:30:00Z", good="-0.5")
    filled.made("2026-11-21T22:30:00Z", uom="kg", good="12.5")
    filled.summary("summary.machine.v1", "2026-11-21T07:00:00Z", work_unit="PRESS-1", good=900)
    filled.summary(
        "summary.downtime.v1",
        "2026-11-21T07:30:00Z",
        work_unit="PRESS-1",
        reason="JAM",
        planned=False,
        seconds=60,
        stops=1,
    )
    yield filled
    engine.dispose()


def asked(tmp_path: Path, *words: str) -> Result:
    return CliRunner().invoke(
        summaries, ["--data-dir", str(tmp_path), *words], env={"COLUMNS": "200"}
    )


def test_yesterdays_night_shift_as_a_table(fill: Filled, tmp_path: Path):
    done = asked(tmp_path, "--day", "2026-11-21", "--shift", "night", "--line", "L3")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "Shift night of 2026-11-21, DE01/L3 (Europe/Berlin)",
        "line  date        shift  from         to           unit  good  scrap  rework  quality %  avail. %  effect. %  OEE %  down s  planned s",
        "L3    2026-11-21  night  11-21 22:00  11-22 06:00  kg    12.5      0       0        100       100          0      0       0          0",
        "L3    2026-11-21  night  11-21 22:00  11-22 06:00  pc    -0.5      0       0        100",
    ]


def test_a_day_by_its_shifts_names_what_stopped_it(fill: Filled, tmp_path: Path):
    done = asked(
        tmp_path,
        "--day",
        "2026-11-21",
        "--plant",
        "DE01",
        "--line",
        "L3",
        "--from",
        "2026-11-21",
        "--by",
        "day",
    )
    assert done.exit_code == 2
    assert "--day and --shift don't go with --from, --to and --by" in done.output
    done = asked(
        tmp_path, "--plant", "DE01", "--from", "2026-11-21", "--to", "2026-11-22", "--by", "day"
    )
    assert done.exit_code == 0
    assert "* not complete yet: the summaries of that time haven't all come" in done.output
    assert "11-22 06:00*" in done.output
    assert (
        done.output.splitlines()[-1]
        == "100 % of downtime: JAM (PRESS-1, unplanned), 60 s in 1 stops"
    )


def test_csv_has_no_formula_and_keeps_negative_numbers(fill: Filled, tmp_path: Path):
    done = asked(tmp_path, "--day", "2026-11-21", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.output)))
    assert {row["line"] for row in rows} == {"L3", "'=L4"}
    assert [
        (row["good"], row["availability"])
        for row in rows
        if row["shift"] == "night" and row["line"] == "L3"
    ] == [("12.5", "100"), ("-0.5", "")]
    assert {row["complete"] for row in rows if row["line"] == "'=L4"} == {"false"}


def test_json_has_the_exact_sides_of_each_ratio(fill: Filled, tmp_path: Path):
    report = json.loads(
        asked(
            tmp_path, "--day", "2026-11-21", "--shift", "early", "--line", "L3", "--format", "json"
        ).output
    )
    assert report["totals"]["kpis"]["oee"] == {
        "numerator": "19800",
        "denominator": "28800",
        "value": "68.75",
        "unit": "%",
    }
    assert report["complete"] is True
    assert (report["from"], report["to"], report["zone"]) == (
        "2026-11-21T05:00:00Z",
        "2026-11-21T13:00:00Z",
        "Europe/Berlin",
    )
    assert [(each["reason"], each["share"]["value"]) for each in report["pareto"]] == [
        ("JAM", "100")
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--plant", "US01", "--day", "2026-11-21"), "nothing is known of that time"),
        (("--day", "2026-11-21", "--shift", "x"), "shift is 'x': 2026-11-21 has early, late, night"),
        (("--day", "21.11.2026"), "date is '21.11.2026': not a date such as 2026-11-21"),
        (("--day", "2026-11-211"), "Expected `str` of length <= 10"),
        (("--from", "2026-11-01", "--to", "2026-11-20", "--by", "minute"), "by minute it is 2 at most"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_a_sentence(
    fill: Filled, tmp_path: Path, words: tuple[str, ...], told: str
):
    done = asked(tmp_path, *words)
    assert told in done.output
    assert "Traceback" not in done.output


def test_of_several_plants_one_is_named(fill: Filled, tmp_path: Path):
    fill.line("US01", "L1", None)
    done = asked(tmp_path, "--day", "2026-11-21")
    assert (done.exit_code, done.output) == (
        1,
        "Error: plant is missing: a report is of one, e.g. DE01\n",
    )


def test_where_no_books_are_none_are_made(tmp_path: Path):
    done = asked(tmp_path)
    assert done.exit_code == 1
    assert f"there are no books in {tmp_path}/desk.db" in done.output
    assert not (tmp_path / "desk.db").exists()


def test_what_a_terminal_would_obey_isnt_printed(fill: Filled, tmp_path: Path):
    fill.made("2026-11-21T07:00:00Z", order="\x1b]0;x\x07", good=1)
    done = asked(tmp_path, "--from", "2026-11-21", "--to", "2026-11-22", "--group", "order")
    assert "?]0;x?" in done.output
    assert "\x1b" not in done.output


def test_a_mistake_in_a_calendar_is_told_beside_the_table(fill: Filled, tmp_path: Path):
    fill.shifts({"name": "x", "start": "6"}, id="worse")
    done = asked(tmp_path, "--day", "2026-11-21")
    assert "shift_calendar 'worse': shifts[0].start is '6'" in done.stderr
