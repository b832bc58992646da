"""`lineside export` on books in a file: Parquet with exact decimals, revisions added up."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from agents.cli.export import export
from agents.desk import exporting
from kpi.kpi_rows import Filled
from tables.books.opening import migrate, open_books


@pytest.fixture
def fill(tmp_path: Path) -> Iterator[Filled]:
    engine = open_books(f"sqlite:///{tmp_path}/desk.db")
    migrate(engine)
    filled = Filled(engine)
    filled.zone("Europe/Berlin")
    filled.line("DE01", "L3", "2026-11-21T06:02:00Z")
    filled.line("US01", "L1", "2026-11-21T06:01:00Z")
    row = {"order": "1000123", "operation": "0010", "item": "M-100", "uom": "kg"}
    for start, amount, revision, count in (
        ("2026-11-21T06:00:00Z", "12.5", 0, 1),
        ("2026-11-21T06:02:00Z", "1.5", 3, 1),
        ("2026-11-21T06:02:00Z", "999999999999999.999999999", 0, 2),
    ):
        filled.summary(
            "summary.consumption.v1",
            start,
            revision=revision,
            quantity=amount,
            lot="LOT7",
            storage=None,
            count=count,
            **row,
        )
    filled.summary(
        "summary.consumption.v1", "2026-11-21T06:02:00Z", quantity="-3", lot=None, count=-1, **row
    )
    filled.summary(
        "summary.downtime.v1",
        "2026-11-21T06:00:00Z",
        plant="US01",
        line="L1",
        work_unit="P",
        reason="JAM",
        planned=False,
        seconds="59.5",
        stops=1,
    )
    yield filled
    engine.dispose()


def asked(tmp_path: Path, *words: str) -> Result:
    return CliRunner().invoke(
        export, ["--data-dir", str(tmp_path), "--parquet", str(tmp_path / "out"), *words]
    )


def rows(tmp_path: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(tmp_path / "out" / name).to_pylist()
    return found


def test_revisions_are_added_up_exactly(fill: Filled, tmp_path: Path):
    done = asked(tmp_path)
    assert done.exit_code == 0
    assert f"           3 rows  {tmp_path}/out/summary.consumption.v1" in done.output.splitlines()
    found = rows(tmp_path, "summary.consumption.v1")
    assert [(each["window_start"].isoformat(), each["lot"], each["quantity"], each["count"], each["revisions"]) for each in found] == [
        ("2026-11-21T06:00:00+00:00", "LOT7", Decimal("12.500000000"), 1, 1),
        ("2026-11-21T06:02:00+00:00", "LOT7", Decimal("1000000000000001.499999999"), 3, 2),
        ("2026-11-21T06:02:00+00:00", None, Decimal("-3.000000000"), -1, 1),
    ]  # fmt: skip
    schema = pyarrow.parquet.read_schema(
        tmp_path / "out" / "summary.consumption.v1" / "part-00000.parquet"
    )
    assert [(field.name, str(field.type)) for field in schema][-4:] == [
        ("uom", "string"),
        ("quantity", "decimal128(38, 9)"),
        ("count", "int64"),
        ("revisions", "int32"),
    ]


def test_flags_are_true_or_false_and_stops_have_no_count(fill: Filled, tmp_path: Path):
    asked(tmp_path)
    (stop,) = rows(tmp_path, "summary.downtime.v1")
    assert (stop["planned"], stop["seconds"], "count" in stop) == (
        False,
        Decimal("59.500000000"),
        False,
    )


def test_a_minute_is_complete_once_its_lines_watermark_has_passed_it(fill: Filled, tmp_path: Path):
    asked(
        tmp_path,
        "--plant",
        "DE01",
        "--from",
        "2026-11-21T05:00:00Z",
        "--to",
        "2026-11-21T06:04:00Z",
    )
    found = [
        (each["line"], each["minute"].isoformat()[11:16], each["complete"])
        for each in rows(tmp_path, "completeness")
    ]
    assert found == [
        ("L3", "06:00", True),
        ("L3", "06:01", True),
        ("L3", "06:02", False),
        ("L3", "06:03", False),
    ]


def test_a_period_begins_with_the_plants_day(fill: Filled, tmp_path: Path):
    fill.made("2026-11-20T23:00:00Z", good=1)
    fill.made("2026-11-20T22:59:00Z", good=2)
    asked(tmp_path, "--from", "2026-11-21", "--to", "2026-11-22")
    assert [each["good"] for each in rows(tmp_path, "summary.production.v1")] == [1]


def test_a_data_set_that_is_there_is_replaced(fill: Filled, tmp_path: Path):
    asked(tmp_path)
    asked(tmp_path, "--plant", "US01")
    assert rows(tmp_path, "summary.consumption.v1") == []
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "completeness",
        *(
            f"summary.{name}.v1"
            for name in (
                "availability",
                "consumption",
                "downtime",
                "machine",
                "machine_state",
                "production",
                "scrap",
            )
        ),
    ]


def test_what_no_export_has_written_stays(fill: Filled, tmp_path: Path):
    strange = tmp_path / "out" / "summary.scrap.v1" / "mine.txt"
    strange.parent.mkdir(parents=True)
    strange.write_text("mine")
    done = asked(tmp_path)
    assert (done.exit_code, done.output) == (
        1,
        f"Error: {strange.parent} has 'mine.txt' in it, which no export has written\n",
    )
    assert strange.read_text() == "mine"


def test_many_rows_are_several_files(fill: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "ROWS_A_FILE", 2)
    monkeypatch.setattr(exporting, "ROWS_AT_ONCE", 2)
    fill.summary(
        "summary.consumption.v1",
        "2026-11-21T06:03:00Z",
        order="1",
        operation="1",
        item="x",
        uom="kg",
        quantity=1,
    )
    asked(tmp_path)
    assert sorted(
        each.name for each in (tmp_path / "out" / "summary.consumption.v1").iterdir()
    ) == ["part-00000.parquet", "part-00001.parquet"]
    assert len(rows(tmp_path, "summary.consumption.v1")) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--plant", "XX"), "plant is 'XX': the books have no line of it"),
        (("--from", "yesterday"), "from is 'yesterday': not an RFC 3339 date-time"),
        (("--database", "sqlite:////nowhere/desk.db"), "there are no books in /nowhere/desk.db"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(
    fill: Filled, tmp_path: Path, words: tuple[str, ...], told: str
):
    done = asked(tmp_path, *words)
    assert done.exit_code == 1
    assert told in done.output


def test_without_pyarrow_a_sentence_says_what_to_install(fill: Filled, tmp_path: Path):
    """In a process of its own, in which pyarrow can't be imported."""
    code = (
        "import sys; sys.modules['pyarrow'] = None; from agents.cli.export import export; export()"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "--data-dir",
            str(tmp_path),
            "--parquet",
            str(tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "Error: pyarrow isn't installed, which writes Parquet: pip install 'lineside[parquet]'\n",
    )
    assert not (tmp_path / "out").exists()
