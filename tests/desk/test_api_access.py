"""What the desk lets through: tokens, hosts, origins, bodies, rates; and what it says otherwise."""

import asyncio
import io
from typing import Any

import pytest
from aiohttp import ClientSession
from sqlalchemy import Engine

from agents.desk.access import BODY_BYTES_MAX, Access
from agents.desk.app import CONTENT_SECURITY
from agents.desk.people import SCOPES
from agents.desk.proxy import Proxy
from agents.desk.routes import ROUTES
from agents.serve.access import REQUESTS_AT_ONCE
from agents.serve.http_server import HEADERS
from agents.settings.settings import Settings
from desk.desks import API, People, asked, bearer, served, told, visited

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def guarded(people: People) -> Access:
    """Tokens are needed."""
    return Access(people)  # type: ignore[arg-type]  # it has what `Tokens` has


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


# Who is let in.


async def test_without_tokens_this_machine_is_one_person_who_may_everything(
    sqlite_books: Engine,
) -> None:
    async with visited(sqlite_books) as session:
        assert await asked(session, "/me") == (
            200,
            {"name": "local", "scope": "admin", "plants": ["*"], "approval": []},
        )


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8081", "", "10.0.0.1:80"])
async def test_another_host_name_is_refused_without_a_token(
    sqlite_books: Engine, host: str
) -> None:
    async with visited(sqlite_books) as session:
        assert code(await asked(session, "/me", headers={"Host": host})) == (421, "forbidden")
        async with session.get("", headers={"Host": host}) as page:
            assert page.status in (200, 404)  # the page's files have no data in them


async def test_a_token_is_needed_where_there_are_some(
    sqlite_books: Engine, guarded: Access, people: People
) -> None:
    known = people.token("work", frozenset({"DE01", "DE02"}))
    async with visited(sqlite_books, guarded) as session:
        for headers in (
            {},
            bearer("guess" * 9),
            bearer(known[:-1]),
            {"Authorization": known},
            {"Authorization": f"Basic {known}"},
            {"X-Forwarded-User": "anna", "X-Forwarded-Groups": "admins"},
        ):
            answer = await asked(session, "/me", headers=headers)
            assert code(answer) == (401, "unauthorized")
            assert "guess" not in str(answer)
        assert await asked(session, "/me", headers=bearer(known)) == (
            200,
            {"name": "anna", "scope": "work", "plants": ["DE01", "DE02"], "approval": []},
        )


async def test_a_token_that_is_taken_away_is_of_no_use(
    sqlite_books: Engine, guarded: Access, people: People
) -> None:
    known = people.token("read", None)
    async with visited(sqlite_books, guarded) as session:
        assert (await asked(session, "/me", headers=bearer(known)))[0] == 200
        people._known.clear()
        assert code(await asked(session, "/me", headers=bearer(known))) == (401, "unauthorized")


async def test_a_proxy_says_who_asks_and_only_from_its_address(sqlite_books: Engine) -> None:
    groups = {"readers": "read DE01"}
    says = {"X-Forwarded-User": "anna", "X-Forwarded-Groups": "readers,others"}
    for address, status in (("127.0.0.1", 200), ("127.0.0.2", 401)):
        proxy = Proxy(Settings(desk_proxy=(address,), desk_groups=groups))
        async with visited(sqlite_books, Access(proxy=proxy)) as session:
            found = await asked(session, "/me", headers=says)
            assert found[0] == status
            if status == 200:
                assert found[1]["plants"] == ["DE01"]
            assert (await asked(session, "/me"))[0] == 401


async def test_who_may_nothing_is_known_and_refused(sqlite_books: Engine) -> None:
    proxy = Proxy(Settings(desk_proxy=("127.0.0.1",)))
    async with visited(sqlite_books, Access(proxy=proxy)) as session:
        answer = await asked(session, "/overview", headers={"X-Forwarded-User": "anna"})
        assert code(answer) == (403, "forbidden")


# Every route.


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_route_takes_a_token_and_its_scope(
    sqlite_books: Engine, guarded: Access, people: People, route: Any
) -> None:
    path = f"{API}{route.path}".replace("{plant}", "DE01").replace("{partition}", "0")
    for name in ("line", "order", "topic", "offset"):
        path = path.replace(f"{{{name}}}", "1")
    async with visited(sqlite_books, guarded) as session:

        async def status(headers: dict[str, str]) -> int:
            body = {"json": {}} if route.method == "POST" else {}
            async with session.request(route.method, path, headers=headers, **body) as response:
                assert response.content_type in ("application/json", "text/csv")
                return response.status

        assert await status({}) == 401
        rank = SCOPES.index(route.scope)
        for scope in SCOPES:
            found = await status(bearer(people.token(scope, frozenset({"DE01"}))))
            assert (found == 403) == (SCOPES.index(scope) < rank or route.whole), (scope, found)
            assert found < 500
        if "{plant}" in route.path:
            assert await status(bearer(people.token("admin", frozenset({"FR01"})))) == 403


async def test_a_path_that_isnt_there_takes_a_token_to_be_told(
    sqlite_books: Engine, guarded: Access, people: People
) -> None:
    async with visited(sqlite_books, guarded) as session:
        for path in ("/nothing", "/orders/DE01", "/../../etc/passwd", "/events/a/b"):
            assert code(await asked(session, path)) == (401, "unauthorized")
            headers = bearer(people.token("read", None))
            assert code(await asked(session, path, headers=headers)) == (404, "not_found")


async def test_probes_and_the_pages_files_take_no_token(
    sqlite_books: Engine, guarded: Access
) -> None:
    async with visited(sqlite_books, guarded) as session:
        for path in ("healthz", "readyz", "livez"):
            async with session.get(path) as response:
                assert response.status == 200, path
        async with session.get("page/nothing.js") as response:
            assert response.status == 404
        async with session.get("metrics") as response:
            assert response.status == 401


# What another site's page could send.


@pytest.mark.parametrize(
    "headers",
    [
        JSON | {"Origin": "http://evil.example"},
        JSON | {"Origin": "null"},
        JSON | {"Origin": "http://127.0.0.1:1"},
        JSON | {"Sec-Fetch-Site": "cross-site"},
        JSON | {"Sec-Fetch-Site": "same-site"},
        JSON | {"Origin": "http://[::1"},
    ],
)
async def test_another_sites_page_changes_nothing(
    sqlite_books: Engine, headers: dict[str, str]
) -> None:
    async with visited(sqlite_books) as session:
        answer = await told(session, "/trace", {"bytes": ""}, headers=headers)
        assert code(answer) == (403, "forbidden")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_form_of_another_site_is_no_request(sqlite_books: Engine, kind: str) -> None:
    async with visited(sqlite_books) as session:
        headers = {"Content-Type": kind}
        async with session.post(f"{API}/trace", data=b"{}", headers=headers) as response:
            assert response.status == 415


async def test_the_desks_own_page_may_ask(sqlite_books: Engine) -> None:
    async with served(sqlite_books) as (_, url), ClientSession(url) as session:
        own = {"Origin": url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        status, _ = await told(session, "/trace", {"nothing": 1}, headers=own)
        assert status == 400


# What is too much, and what is said.


async def test_bodies_have_a_limit_and_requests_that_read_have_none(sqlite_books: Engine) -> None:
    async with visited(sqlite_books) as session:
        large = b'{"bytes": "' + b"A" * BODY_BYTES_MAX + b'"}'
        for body in (io.BytesIO(large), chunked(large)):
            async with session.post(f"{API}/trace", data=body, headers=JSON) as response:
                assert response.status == 413
        async with session.get(f"{API}/me", data=b"{}") as response:
            assert response.status == 400


async def chunked(body: bytes) -> Any:
    for at in range(0, len(body), 65_536):
        yield body[at : at + 65_536]


async def test_an_address_that_asks_too_often_is_told_to_wait(sqlite_books: Engine) -> None:
    async with visited(sqlite_books) as session:

        async def status() -> int:
            async with session.get(f"{API}/me") as response:
                if response.status == 429:
                    assert int(response.headers["Retry-After"]) > 0
                return response.status

        found = [await status() for _ in range(int(REQUESTS_AT_ONCE) + 300)]
        assert found[0] == 200
        assert 429 in found
        async with session.get("healthz") as response:
            assert response.status == 200


async def test_every_answer_has_the_headers_that_keep_a_browser_safe(
    sqlite_books: Engine, guarded: Access
) -> None:
    own = HEADERS | {"Content-Security-Policy": CONTENT_SECURITY}
    async with visited(sqlite_books, guarded) as session:
        for path in (f"{API}/me", "nothing", "healthz", f"{API}/live"):
            async with session.get(path) as response:
                assert {name: response.headers.get(name) for name in own} == own, path


async def test_a_request_that_is_no_http_is_answered_without_what_it_said(
    sqlite_books: Engine,
) -> None:
    async with served(sqlite_books) as (_, url):
        port = int(url.rstrip("/").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /<marquee> HTTP/9.9\r\n\r\n")
        said = await reader.read()
        writer.close()
        assert b"400" in said
        assert b"marquee" not in said


async def test_the_methods_that_a_path_lacks_are_405(sqlite_books: Engine) -> None:
    async with visited(sqlite_books) as session:
        for method in ("PUT", "DELETE", "PATCH", "POST", "TRACE", "OPTIONS"):
            async with session.request(method, f"{API}/me", headers=JSON) as response:
                assert response.status == 405, method
