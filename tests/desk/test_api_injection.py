"""What events say is text: no SQL to the database, no formula to a spreadsheet, no HTML."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from agents.desk.csv_of import BOM, FORMULA
from desk.desks import API, asked, visited
from desk.filled import fill
from tables.books.opening import open_books
from tables.books.schema import EXCEPTIONS, INPUTS

HOSTILE = (
    "'; DROP TABLE inputs; --",
    '" OR 1=1 --',
    "x' UNION SELECT value FROM inputs --",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '=HYPERLINK("http://evil.example";"4711")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "100%_\\",
    "{{7*7}}${7*7}",
    "../../../etc/passwd",
    "naïve-ß-漢字-\u202e-\u2028-x",
    "%s%s%n%00",
)


def event(id: str, order: str, plant: str, **more: Any) -> bytes:
    """Return a consumption with hostile text in its names."""
    data = {
        "order": order,
        "operation": "0010",
        "item": order,
        "lot": order,
        "quantity": "1",
        "uom": "kg",
    }
    return json.dumps(
        {
            "specversion": "1.0", "type": "material.consumed.v1", "source": f"/mes/{id}", "id": id,
            "time": "2026-11-21T06:00:00Z", "plant": plant, "line": "L1", "data": data, **more,
        }
    ).encode()  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Books of events with such texts, each accepted and each refused."""
    folder = tmp_path_factory.mktemp("hostile")
    lines = []
    for number, text in enumerate(HOSTILE):
        lines.append(event(text, text, "DE01"))
        lines.append(event(f"{text}{number}", text, "DE01", type=f"{text}.v1"))
    fill(folder, lines=lines)
    engine = open_books(f"sqlite:///{folder / 'desk.db'}")
    yield engine
    engine.dispose()


def counts(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (INPUTS, EXCEPTIONS)
        ]


async def test_what_an_event_says_is_found_as_it_is(hostile: Engine) -> None:
    before = counts(hostile)
    async with visited(hostile, unlimited=True) as session:
        for text in HOSTILE:
            for member in ("order", "item", "lot"):
                status, answer = await asked(session, "/events", params={member: text})
                assert status == 200, (text, answer)
                assert {one[member] for one in answer["items"]} == {text}, text
            status, answer = await asked(session, "/trace", params={"q": text})
            assert status == 200, (text, answer)
            assert text in {one["order"] for one in answer["events"]}, text
            status, answer = await asked(session, "/exceptions", params={"text": text})
            assert status == 200, (text, answer)
    assert counts(hostile) == before
    assert min(before) >= len(HOSTILE)


LISTS = ("/events", "/exceptions", "/transactions", "/orders", "/exceptions/reasons")


async def test_no_cell_of_any_table_is_a_formula(hostile: Engine) -> None:
    seen: set[str] = set()
    async with visited(hostile) as session:
        for path in LISTS:
            query = {"format": "csv", "limit": "500"}
            async with session.get(f"{API}{path}", params=query) as response:
                assert response.status == 200, path
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                text = (await response.read()).decode().removeprefix(BOM)
            for row in csv.reader(io.StringIO(text, newline="")):
                for cell in row:
                    assert not cell.startswith(FORMULA), cell
                    seen.add(cell)
    assert {f"'{text}" for text in HOSTILE if text.startswith(FORMULA)} <= seen


async def test_no_answer_is_html(hostile: Engine) -> None:
    async with visited(hostile, unlimited=True) as session:
        for text in HOSTILE:
            for path in ("/trace", "/events", "/nothing", "/exceptions"):
                async with session.get(
                    f"{API}{path}", params={"q": text, "text": text}
                ) as response:
                    assert response.content_type == "application/json"
                    assert response.headers["X-Content-Type-Options"] == "nosniff"
                    assert response.status in (200, 400, 404)


async def test_a_name_in_a_path_is_a_name(hostile: Engine) -> None:
    from urllib.parse import quote

    from yarl import URL

    async with visited(hostile, unlimited=True) as session:
        for text in HOSTILE:
            base = str(session._base_url).rstrip("/")
            url = URL(f"{base}/{API}/orders/DE01/{quote(text, safe='')}", encoded=True)
            async with session.get(url) as response:
                answer = json.loads(await response.read())
                assert response.status == 200, (text, answer)
                assert answer["order"] == text


@pytest.mark.parametrize("path", ["/events", "/exceptions", "/transactions", "/trace", "/orders"])
async def test_a_text_of_wildcards_finds_only_what_has_them(hostile: Engine, path: str) -> None:
    name = "q" if path == "/trace" else "text"
    async with visited(hostile) as session:
        status, answer = await asked(session, path, params={name: "%"})
        if path == "/events":
            assert status == 400  # it has no such member
            return
        assert status == 200
        for item in answer.get("items", ()):
            assert "%" in json.dumps(item)
