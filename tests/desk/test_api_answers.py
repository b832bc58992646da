"""Every route over books that a job has filled: the answer's members, plants, pages and tables."""

import csv
import io
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, func, select

from agents.desk.access import Access
from agents.desk.csv_of import BOM
from agents.desk.route import Route
from agents.desk.routes import ROUTES
from desk.desks import API, People, asked, bearer, visited
from streams.values import instant
from tables.books.schema import EXCEPTIONS, INPUTS, SUMS, TRANSACTIONS

READS = [route for route in ROUTES if route.method == "GET"]


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.fixture(scope="session")
def known(filled: Engine) -> dict[str, Any]:
    """Members of questions that find something in the books."""
    with filled.connect() as connection:

        def first(*columns: Any, **where: Any) -> Any:
            table = columns[0].table
            query = select(*columns).where(*[table.c[key] == value for key, value in where.items()])
            return connection.execute(query.limit(1)).one()

        event = first(INPUTS.c.topic, INPUTS.c.number, INPUTS.c.position, outcome="accepted")
        order = connection.execute(
            select(TRANSACTIONS.c.order_id)
            .where(TRANSACTIONS.c.plant == "DE01", TRANSACTIONS.c.order_id.is_not(None))
            .limit(1)
        ).scalar_one()
        start, end = connection.execute(
            select(func.min(INPUTS.c.happened_at), func.max(INPUTS.c.happened_at)).where(
                INPUTS.c.outcome == "accepted"
            )
        ).one()
        return {
            "from": instant.text(start),
            "to": instant.text(end),
            "date": instant.date(end),
            "plant": "DE01",
            "line": first(SUMS.c.line, plant="DE01")[0],
            "order": order,
            "topic": event[0],
            "partition": event[1],
            "offset": event[2],
            "q": order,
            "transaction": first(TRANSACTIONS.c.id, plant="DE01")[0],
            "exception": first(EXCEPTIONS.c.id, plant="DE01")[0],
        }


def question(route: Route, known: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the path and the query of a question that finds something."""
    path, query = route.path, {}
    for member in ("plant", "line", "order", "topic", "partition", "offset"):
        path = path.replace(f"{{{member}}}", str(known[member]))
    needed = {
        "/trace": {"q": known["q"]},
        "/transactions/one": {"id": known["transaction"]},
        "/exceptions/one": {"id": known["exception"]},
        "/reports/shift": {"plant": "DE01", "date": known["date"]},
        "/reports/day": {"plant": "DE01", "date": known["date"]},
    }
    query.update(needed.get(route.path, {}))
    if (
        route.path.startswith(("/kpis", "/lines"))
        and "from" in route.query.__struct_encode_fields__
    ):
        query |= {"from": known["from"], "to": known["to"]}
    return path, query


@pytest.mark.parametrize("route", READS, ids=name)
async def test_an_answer_has_the_members_that_its_type_says(
    filled: Engine, known: dict[str, Any], route: Route
) -> None:
    path, query = question(route, known)
    async with visited(filled) as session:
        status, answer = await asked(session, path, params=query)
    assert status == 200, answer
    told = msgspec.convert(answer, route.answer)  # raises if a member lacks or is of another type
    assert msgspec.to_builtins(told) == answer  # no member is there that the type doesn't tell


@pytest.mark.parametrize("route", [one for one in READS if "csv" in one.formats], ids=name)
async def test_a_list_as_csv_has_the_rows_of_the_list(
    filled: Engine, known: dict[str, Any], route: Route
) -> None:
    path, query = question(route, known)
    async with visited(filled) as session:
        _, answer = await asked(session, path, params=query)
        async with session.get(f"{API}{path}", params=query | {"format": "csv"}) as response:
            assert response.status == 200
            assert response.content_type == "text/csv"
            assert response.headers["Content-Disposition"].startswith("attachment; filename=")
            text = (await response.read()).decode()
            assert response.headers.get("X-Next-Cursor") == answer.get("next")
    rows = list(csv.reader(io.StringIO(text.removeprefix(BOM), newline="")))
    if route.item is None:
        assert rows
        return
    assert tuple(rows[0]) == route.item.__struct_encode_fields__
    assert len(rows) - 1 == len(answer["items"])
    for row, item in zip(rows[1:], answer["items"], strict=True):
        for column, shown in zip(rows[0], row, strict=True):
            if isinstance(item[column], str) and route.path != "/kpis/late":  # it goes by the clock
                assert shown.removeprefix("'") == item[column].removeprefix("'")


@pytest.mark.parametrize("route", READS, ids=name)
async def test_nobody_is_told_of_another_plant(
    filled: Engine, known: dict[str, Any], route: Route
) -> None:
    people = People()
    access = Access(people)  # type: ignore[arg-type]  # it has what `Tokens` has
    path, query = question(route, known)
    for plants in ({"DE02"}, {"XX99"}, {"DE02", "XX99"}):
        headers = bearer(people.token("admin", frozenset(plants)))
        async with visited(filled, access) as session:
            async with session.get(f"{API}{path}", params=query, headers=headers) as response:
                text = await response.text()
                assert response.status in (200, 400, 403, 404), text
            asked_about = known["order"] if route.path == "/trace" else ""
            assert "DE01" not in text.replace(asked_about, ""), text
            if "DE02" not in plants:
                assert "DE02" not in text, text
            if "{plant}" in route.path:
                assert response.status == 403
            members = route.query.__struct_encode_fields__
            if "plant" in members and "{plant}" not in route.path:
                other = query | {"plant": "DE01"}
                status, refused = await asked(session, path, params=other, headers=headers)
                assert (status, refused["error"]["member"]) == (403, "plant")
                status, _ = await asked(
                    session, path, params=query | {"plant": "no-such"}, headers=headers
                )
                assert status == 403  # whether there is such a plant or not


@pytest.mark.parametrize("route", READS, ids=name)
async def test_what_somebody_sees_is_what_all_see_of_their_plant(
    filled: Engine, known: dict[str, Any], route: Route
) -> None:
    if (
        "plant" not in route.query.__struct_encode_fields__
        or "limit" not in route.query.__struct_encode_fields__
    ):
        pytest.skip("no list by plant")
    people = People()
    access = Access(people)  # type: ignore[arg-type]
    path, query = question(route, known)
    async with visited(filled, access) as session:
        own = bearer(people.token("read", frozenset({"DE02"})))
        everyone = bearer(people.token("read", None))
        _, mine = await asked(session, path, params=query, headers=own)
        _, same = await asked(session, path, params=query | {"plant": "DE02"}, headers=everyone)
    assert without_ages(mine["items"]) == without_ages(same["items"])


def without_ages(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return items without what goes by the clock."""
    return [{key: value for key, value in item.items() if key != "age_seconds"} for item in items]


@pytest.mark.parametrize(
    "route", [one for one in READS if "cursor" in one.query.__struct_encode_fields__], ids=name
)
async def test_pages_have_all_rows_once(
    filled: Engine, known: dict[str, Any], route: Route
) -> None:
    if "cursor" not in route.query.__struct_encode_fields__ or route.path == "/exceptions/reasons":
        pytest.skip("no pages")
    path, query = question(route, known)
    async with visited(filled) as session:
        _, whole = await asked(session, path, params=query | {"limit": "50"})
        found: list[Any] = []
        cursor: dict[str, str] = {}
        while len(found) < len(whole["items"]):
            _, page = await asked(session, path, params=query | cursor | {"limit": "7"})
            found += page["items"]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
    assert without_ages(found[: len(whole["items"])]) == without_ages(whole["items"])


@pytest.mark.parametrize("route", READS, ids=name)
async def test_a_question_that_cant_be_is_told_by_its_member(
    filled: Engine, known: dict[str, Any], route: Route
) -> None:
    path, query = question(route, known)
    members = route.query.__struct_encode_fields__
    wrong: list[tuple[str, str]] = [("nonsense", "1"), ("Limit", "1")]
    if "limit" in members:
        wrong += [("limit", each) for each in ("0", "501", "-1", "1e3", "x", "", "9" * 30, "1.5")]
    if "cursor" in members and route.path != "/exceptions/reasons":
        wrong += [("cursor", each) for each in ("x", "AAAA", "W10=", "a" * 1_999, "a" * 2_001)]
    for member in ("from", "to"):
        if member in members:
            wrong += [
                (member, each)
                for each in ("yesterday", "2026-02-30", "0001-01-01", "9999-12-31T23:59:59Z")
            ]
    for member in members:
        if f"{{{member}}}" not in route.path:
            wrong += [(member, "\0"), (member, "x\ny")]
            if member != "cursor":
                wrong.append((member, "a" * 2_001))
    async with visited(filled, unlimited=True) as session:
        for member, value in wrong:
            status, answer = await asked(session, path, params=query | {member: value})
            assert status == 400, (member, value, answer)
            assert answer["error"]["code"] == "invalid"
            assert answer["error"]["member"] == member, (value, answer)
        if query:
            twice = [*query.items(), next(iter(query.items()))]
            assert (await asked(session, path, params=twice))[0] == 400


async def test_what_isnt_there_is_a_404(filled: Engine) -> None:
    async with visited(filled) as session:
        for path in (
            "/lines/DE01/no-such",
            "/orders/DE01/no-such",
            "/orders/DE01/4711%2F12",
            "/events/mes.events.v1/0/99999999",
            "/events/no-such/0/0",
            "/transactions/one?id=no-such",
            "/exceptions/one?id=mes.events.v1/0/99999999",
        ):
            status, answer = await asked(session, path)
            assert (status, answer["error"]["code"]) == (404, "not_found"), path


async def test_on_postgresql_every_route_answers_as_its_type_says(
    postgres_filled: Engine, known: dict[str, Any]
) -> None:
    async with visited(postgres_filled, unlimited=True) as session:
        for route in READS:
            path, query = question(route, known)
            status, answer = await asked(session, path, params=query)
            if "one" in path.split("/") or path.startswith("/events/"):
                assert status in (200, 404), (path, answer)  # ids differ from run to run
            else:
                assert status == 200, (path, answer)
            if status == 200:
                told = msgspec.to_builtins(msgspec.convert(answer, route.answer))
                assert told == answer, path
