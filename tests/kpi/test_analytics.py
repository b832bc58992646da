"""The queries of docs/analytics.md, each run where it says, with what it has to give."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Engine, text

from agents.desk.exporting import export
from kpi.kpi_rows import Filled, at
from streams.contract.policy import default_policy
from tables.books.schema import ACCEPTED, EXCEPTIONS, FLOWS, POSTED, TRANSACTIONS

PAGE = Path(__file__).parents[2] / "docs" / "analytics.md"
RECIPES = {
    (where, name): query
    for where, name, query in re.findall(
        r"```sql\n-- (\w+): ([^\n]+)\n(.*?)```", PAGE.read_text(), re.DOTALL
    )
}

D = Decimal
DAY, NEXT = date(2026, 11, 21), date(2026, 11, 22)

EXPECTED: dict[tuple[str, str], list[tuple[Any, ...]]] = {
    ("DuckDB", "made by day"): [
        ("DE01", "L3", DAY, "box", D(8), D(0), D(0)),
        ("DE01", "L3", DAY, "pc", D(90), D(8), D(2)),
        ("DE01", "L3", NEXT, "kg", D("12.5"), D(0), D(0)),
        ("DE01", "L3", NEXT, "pc", D(7), D(0), D(0)),
    ],
    ("DuckDB", "finished by order"): [
        ("DE01", "1000123", "kg", D("12.5")),
        ("DE01", "1000123", "pc", D(97)),
        ("DE01", "1000124", "box", D(3)),
    ],
    ("DuckDB", "quality ratio by item"): [("P-7", "pc", D(90), D(100), 90.0), ("P-8", "box", D(8), D(8), 100.0)],
    ("DuckDB", "complete hours"): [
        ("DE01", "L3", datetime(2026, 11, 21, hour), 60, True) for hour in range(6, 22)
    ]
    + [("DE01", "L3", datetime(2026, 11, 21, 22), 30, False)],
    ("DuckDB", "downtime Pareto"): [
        ("JAM", False, D(90), 1, 75.0, 75.0),
        ("CLEANING", True, D(30), 1, 25.0, 100.0),
    ],
    ("DuckDB", "material by piece"): [
        ("1000123", "M-100", D("24.25"), "kg", D("12.5"), "kg", 1.94),
        ("1000123", "M-100", D("24.25"), "kg", D(97), "pc", 0.25),
    ],
    ("DuckDB", "hours by machine state"): [("PRESS-1", "Execute", 0.025), ("PRESS-1", "Held", 0.008)],
    ("PostgreSQL", "a user who reads"): [],
    ("PostgreSQL", "made by day"): [
        ("DE01", "L3", DAY, "box", "good", D(8)),
        ("DE01", "L3", DAY, "pc", "good", D(90)),
        ("DE01", "L3", DAY, "pc", "rework", D(2)),
        ("DE01", "L3", DAY, "pc", "scrap", D(8)),
        ("DE01", "L3", NEXT, "kg", "good", D("12.5")),
        ("DE01", "L3", NEXT, "pc", "good", D(7)),
    ],
    ("PostgreSQL", "quality ratio by item"): [("P-7", "kg", D(100)), ("P-7", "pc", D("90.65")), ("P-8", "box", D(100))],
    ("PostgreSQL", "complete up to"): [("DE01", "L3", datetime(2026, 11, 21, 22, 30, tzinfo=UTC))],
    ("PostgreSQL", "accepted and left"): [("kg", D("24.25"), D("22.25"), D(2)), ("pc", D(3), D(0), D(3))],
    ("PostgreSQL", "an order by posting date"): [("2026-11-21", "erp.goods_issue.v1", "kg", 2, D("22.25"))],
    ("PostgreSQL", "arrival by source"): [("DE01", "/mes", DAY, 96, 4, D("2.500"))],
    ("PostgreSQL", "open exceptions"): [("DE01", "data", "invalid", 2, datetime(2026, 11, 21, 6, 1, tzinfo=UTC))],
}  # fmt: skip


def fill(engine: Engine) -> None:
    """A day in Berlin, complete to 23:30: made, stopped, consumed, in states, refused, posted."""
    filled = Filled(engine)
    filled.line("DE01", "L3", "2026-11-21T22:30:00Z")
    filled.made("2026-11-21T06:00:00Z", good=100, scrap=8, rework=2)
    filled.made("2026-11-21T06:00:00Z", good=-10, revision=3)
    filled.made("2026-11-21T23:00:00Z", good=7)
    filled.made("2026-11-21T23:01:00Z", good="12.5", uom="kg")
    for operation, good in (("0010", 5), ("0020", 3)):
        filled.made(
            "2026-11-21T06:00:00Z",
            order="1000124",
            item="P-8",
            uom="box",
            operation=operation,
            good=good,
        )
    consumed = {
        "order": "1000123",
        "operation": "0010",
        "item": "M-100",
        "lot": "LOT7",
        "uom": "kg",
    }
    filled.summary("summary.consumption.v1", "2026-11-21T06:00:00Z", quantity="20.25", **consumed)
    filled.summary("summary.consumption.v1", "2026-11-21T07:00:00Z", quantity="4", **consumed)
    for reason, planned, seconds in (("JAM", False, 90), ("CLEANING", True, 30)):
        filled.summary(
            "summary.downtime.v1",
            "2026-11-21T08:00:00Z",
            work_unit="PRESS-1",
            reason=reason,
            planned=planned,
            seconds=seconds,
            stops=1,
        )
    for state, seconds in (("Execute", 90), ("Held", 30)):
        filled.summary(
            "summary.machine_state.v1",
            "2026-11-21T08:00:00Z",
            work_unit="PRESS-1",
            state=state,
            seconds=seconds,
        )
    place = {"plant": "DE01", "line": "L3"}
    amount = {"measure": "quantity", "records": 1}
    filled.rows(
        ACCEPTED,
        place
        | amount
        | {
            "quarter": 0,
            "type": "material.consumed.v1",
            "uom": "kg",
            "whole": 24,
            "nano": 250_000_000,
        },
        place
        | amount
        | {"quarter": 0, "type": "material.consumed.v1", "uom": "pc", "whole": 3, "nano": 0},
    )
    filled.rows(
        POSTED,
        place
        | amount
        | {
            "posting_date": "2026-11-21",
            "type": "erp.goods_issue.v1",
            "uom": "kg",
            "whole": 22,
            "nano": 250_000_000,
        },
    )
    for number, (whole, nano) in enumerate(((20, 250_000_000), (2, 0))):
        filled.rows(
            TRANSACTIONS,
            place
            | {
                "id": f"gi:{number}",
                "day": 0,
                "type": "erp.goods_issue.v1",
                "happened_at": 0,
                "written_at": 0,
                "posting_date": "2026-11-21",
                "order_id": "1000123",
                "measure": "quantity",
                "uom": "kg",
                "whole": whole,
                "nano": nano,
                "value": b"",
            },
        )
    quarter = at("2026-11-21T06:00:00Z")
    for outcome, records, lag in (
        ("accepted", 80, 200_000_000),
        ("duplicate", 12, 0),
        ("invalid", 4, 0),
        ("tick", 999, 0),
    ):
        filled.rows(
            FLOWS,
            place
            | {
                "quarter": quarter,
                "topic": "mes.events.v1",
                "source": "/mes",
                "outcome": outcome,
                "records": records,
                "lag": lag,
                "lag_max": lag,
            },
        )
    for number, status in enumerate(("open", "open", "dismissed")):
        filled.rows(
            EXCEPTIONS,
            place
            | {
                "id": f"mes.events.v1/0/{number}",
                "class": "data",
                "code": "invalid",
                "reason": "x",
                "raised_at": at("2026-11-21T06:01:00Z"),
                "topic": "mes.events.v1",
                "number": 0,
                "position": number,
                "status": status,
                "version": 0,
                "headers": b"",
                "cut": False,
            },
        )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tables.books.opening import migrate, open_books

    folder = tmp_path_factory.mktemp("export")
    engine = open_books(f"sqlite:///{folder}/desk.db")
    migrate(engine)
    fill(engine)
    with engine.connect() as connection:
        export(connection, folder / "out", default_policy(), {}, at("2026-11-22T00:00:00Z"))
    engine.dispose()
    return folder


def rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(round(each, 6) if isinstance(each, float) else each for each in row)


@pytest.mark.parametrize("name", [name for where, name in EXPECTED if where == "DuckDB"])
def test_duckdb_answers(exported: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(exported)
    with duckdb.connect() as database:
        found = database.execute(RECIPES["DuckDB", name]).fetchall()
    assert [rounded(row) for row in found] == [rounded(row) for row in EXPECTED["DuckDB", name]]


@pytest.mark.parametrize("name", [name for where, name in EXPECTED if where == "PostgreSQL"])
def test_postgresql_answers(postgres_books: Engine, name: str):
    fill(postgres_books)
    with postgres_books.connect() as connection:
        # All is rolled back: the role, too.
        found = connection.execute(text(RECIPES["PostgreSQL", name].replace(":", "\\:")))
        rows = [tuple(row) for row in found] if found.returns_rows else []
    assert rows == EXPECTED["PostgreSQL", name]


def test_each_query_of_the_page_is_known_here():
    assert set(RECIPES) == set(EXPECTED)
    assert PAGE.read_text().count("```sql") == len(EXPECTED)
