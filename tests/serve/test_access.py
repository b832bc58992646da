"""The page is for those who may see it: tokens, limits, and requests that try to get around them."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from agents.serve import access as access_module
from agents.serve import http_server
from agents.serve.access import (
    ADDRESSES_MAX,
    REQUESTS_AT_ONCE,
    REQUESTS_PER_SECOND,
    Access,
    Rates,
    Tokens,
    access_of,
    network_of,
)
from agents.serve.http_server import HEADERS
from agents.serve.web import create_web, serve, url_of
from agents.settings.cluster import AccessError
from agents.settings.settings import Settings
from streams.secret import Secret

READ = "read-" + "r" * 30
METRICS = "metrics-" + "m" * 30
OLD = "old-" + "o" * 30
SECONDS_MAX = 20

OPEN = ["", "page.js", "page.css", "ready"]
GUARDED = ["api/status", "api/stream"]


@pytest.fixture
def access(tmp_path: Path) -> Access:
    """Both kinds of tokens, in files."""
    (tmp_path / "read").write_text(f"{READ}\n{OLD}\n")
    (tmp_path / "metrics").write_text(f"{METRICS}\n")
    return access_of(
        Settings(
            read_tokens=f"file:{tmp_path / 'read'}", metrics_tokens=f"file:{tmp_path / 'metrics'}"
        )
    )


async def status() -> dict[str, Any]:
    return {"version": "0", "secret": "of the plant"}


@asynccontextmanager
async def served(access: Access | None = None) -> AsyncIterator[web.AppRunner]:
    app = create_web(status, access=access, interval_seconds=0.05)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text="lineside_up 1\n")

    app.router.add_get("/metrics", metrics)
    runner = await serve(app, "127.0.0.1", 0)
    try:
        yield runner
    finally:
        await runner.cleanup()


@asynccontextmanager
async def visited(access: Access | None = None) -> AsyncIterator[ClientSession]:
    async with (
        asyncio.timeout(SECONDS_MAX),
        served(access) as runner,
        ClientSession(url_of(runner)) as session,
    ):
        yield session


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def code(session: ClientSession, path: str, **options: Any) -> int:
    async with session.get(path, **options) as response:
        assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
        return response.status


async def raw(runner: web.AppRunner, *lines: bytes, body: bytes = b"") -> bytes:
    """Return what the server says to a request of these lines, and until it hangs up."""
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


# Tokens and scopes.


async def test_a_token_opens_what_its_scope_is_and_nothing_else(access: Access) -> None:
    async with visited(access) as session:
        for path in GUARDED:
            assert await code(session, path) == 401
            assert await code(session, path, headers=bearer("x" * 30)) == 401
            assert await code(session, path, headers=bearer(METRICS)) == 403
            assert await code(session, path, headers=bearer(READ)) == 200
            assert await code(session, path, headers=bearer(OLD)) == 200
        assert await code(session, "metrics") == 401
        assert await code(session, "metrics", headers=bearer(METRICS)) == 200
        assert await code(session, "metrics", headers=bearer(READ)) == 200


async def test_the_pages_files_and_probes_take_no_token(access: Access) -> None:
    async with visited(access) as session:
        for path in OPEN:
            assert await code(session, path) == 200, path


async def test_what_isnt_there_takes_a_token_to_be_told(access: Access) -> None:
    async with visited(access) as session:
        assert await code(session, "admin") == 401
        assert await code(session, "admin", headers=bearer(METRICS)) == 403
        assert await code(session, "admin", headers=bearer(READ)) == 404


async def test_a_401_says_how_and_no_refusal_says_what_was_given(access: Access) -> None:
    async with (
        visited(access) as session,
        session.get("api/status", headers=bearer("guess" * 9)) as response,
    ):
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert "guess" not in await response.text() + str(response.headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": READ},
        {"Authorization": f"Basic {READ}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {READ}x"},
        {"Authorization": f"Bearer {READ[:-1]}"},
        {"Authorization": f"Bearer {READ} {READ}"},
        {"Authorization": f"Bearer {READ.upper()}"},
        {"Authorization": "Bearer \xff\xfe" + "x" * 30},
        {"X-Authorization": f"Bearer {READ}"},
        {"Proxy-Authorization": f"Bearer {READ}"},
        {"Cookie": f"token={READ}; lineside-token={READ}"},
        {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
        {"X-Original-URL": "/ready", "X-Rewrite-URL": "/ready"},
        {"X-HTTP-Method-Override": "GET"},
    ],
    ids=str,
)
async def test_headers_that_arent_a_token_open_nothing(
    access: Access, headers: dict[str, str]
) -> None:
    async with visited(access) as session:
        assert await code(session, "api/status", headers=headers) == 401


async def test_two_tokens_in_one_request_open_nothing(access: Access) -> None:
    async with served(access) as runner:
        for other in (READ, "x" * 30):
            response = await raw(
                runner, b"GET /api/status HTTP/1.1", b"Host: localhost", b"Connection: close",
                f"Authorization: Bearer {READ}".encode(), f"Authorization: Bearer {other}".encode(),
            )  # fmt: skip
            assert response.split(b" ")[1] in {b"400", b"401"}
            assert b"of the plant" not in response


@pytest.mark.parametrize(
    "path",
    [
        "/api/status", "//api/status", "/./api/status", "/ready/../api/status", "/api//status",
        "/ready/%2e%2e/api/status", "/%61pi/status", "/api%2fstatus", "/api/status/",
        "/api/status;/ready", "/api/status?/ready", "/api/status?token=" + READ, "/API/STATUS",
        "/api/status%00", "/api/status%20", "/ready%2f..%2fapi%2fstatus", "/page.js/../api/status",
        "http://localhost/api/status", "/ready#/../api/status", "/metrics/../api/status",
    ],
)  # fmt: skip
async def test_no_spelling_of_a_path_gets_around_the_token(access: Access, path: str) -> None:
    async with served(access) as runner:
        response = await raw(
            runner, f"GET {path} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close"
        )
        assert b"of the plant" not in response
        code = response.split(b" ")[1]
        assert code in {b"400", b"401", b"404"} or response.endswith(b"\r\n\r\nready\n")


async def test_a_token_that_is_taken_out_is_good_no_longer_not_even_for_a_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_module, "CHECK_SECONDS", 0.05)
    file = tmp_path / "read"
    file.write_text(f"{OLD}\n{READ}\n")
    async with visited(access_of(Settings(read_tokens=f"file:{file}"))) as session:
        async with session.get("api/stream", headers=bearer(OLD)) as stream:
            await stream.content.readline()
            file.write_text(f"{READ}\n")
            await stream.content.read()  # it ends
        assert await code(session, "api/status", headers=bearer(OLD)) == 401
        assert await code(session, "api/status", headers=bearer(READ)) == 200


async def test_a_file_that_cant_be_read_any_more_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access_module, "CHECK_SECONDS", 0.0)
    file = tmp_path / "read"
    file.write_text(READ)
    async with visited(access_of(Settings(read_tokens=f"file:{file}"))) as session:
        assert await code(session, "api/status", headers=bearer(READ)) == 200
        file.unlink()
        for _ in range(3):
            assert await code(session, "api/status", headers=bearer(READ)) == 401
        file.write_text(READ)
        assert await code(session, "api/status", headers=bearer(READ)) == 200
    assert len(caplog.messages) == 1
    assert "read_tokens: file:" in caplog.messages[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n \n", "has 0 tokens"),
        ("short", "line 1 .* isn't a token"),
        (f"{READ}\n{'ü' * 30}", "line 2 .* isn't a token"),
        ("\n".join(READ + str(n) for n in range(101)), "has 101 tokens"),
    ],
)
def test_tokens_that_arent_any_are_refused_and_not_shown(
    tmp_path: Path, content: str, words: str
) -> None:
    file = tmp_path / "read"
    file.write_text(content)
    with pytest.raises(AccessError, match=words) as refusal:
        access_of(Settings(read_tokens=f"file:{file}"))
    assert "short" not in str(refusal.value)
    assert READ not in str(refusal.value)


def test_a_page_that_others_reach_takes_tokens() -> None:
    with pytest.raises(AccessError, match=r"host is '0\.0\.0\.0', where others reach the page"):
        access_of(Settings(host="0.0.0.0"))
    with pytest.raises(AccessError, match="that would leave the page open"):
        access_of(Settings(metrics_tokens="env:NONE"))
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        access_of(Settings(host=host))


def test_a_token_is_compared_as_a_digest_with_all_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKENS", "\n".join(READ + str(n) for n in range(10)))
    tokens = Tokens("read_tokens", Secret("env:TOKENS"))
    seen: list[tuple[bytes, bytes]] = []
    compare = access_module.hmac.compare_digest

    def noted(one: bytes, other: bytes) -> bool:
        seen.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(access_module.hmac, "compare_digest", noted)
    assert tokens.knows(access_module.digest_of(READ + "0"))
    assert len(seen) == 10
    assert {len(each) for pair in seen for each in pair} == {32}
    assert READ not in repr(vars(tokens))


# Without tokens.


async def test_without_tokens_only_names_of_this_machine_are_answered() -> None:
    async with visited() as session:
        for host in ("localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1", "127.1.2.3"):
            assert await code(session, "api/status", headers={"Host": host}) == 200, host
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "",
                     "10.0.0.1", "0.0.0.0:8080", "[::]:8080", "evil.example:127.0.0.1"):  # fmt: skip
            assert await code(session, "api/status", headers={"Host": host}) in {400, 421}, host
            assert await code(session, "ready", headers={"Host": host}) in {200, 400}


async def test_two_hosts_in_one_request_are_none() -> None:
    async with served() as runner:
        response = await raw(
            runner, b"GET /api/status HTTP/1.1", b"Host: localhost", b"Host: evil.example",
            b"Connection: close",
        )  # fmt: skip
        assert response.split(b" ")[1] in {b"400", b"421"}
        assert b"of the plant" not in response


# Limits.


async def test_a_body_is_refused_unread() -> None:
    async with visited() as session:
        for method in ("GET", "POST", "PUT", "DELETE"):
            for path in ("api/status", "ready", "missing"):
                async with session.request(method, path, data=b"x" * 100) as response:
                    assert response.status == 413, (method, path)


async def test_a_body_that_never_comes_is_refused_at_once() -> None:
    async with served() as runner:
        for head in (b"Content-Length: 99999999999", b"Transfer-Encoding: chunked"):
            began = time.monotonic()
            response = await raw(runner, b"POST /api/status HTTP/1.1", b"Host: localhost", head)
            assert response.startswith(b"HTTP/1.1 413 ")
            assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "lines",
    [
        [b"GET / HTTP/1.1", b"Host: localhost", b"X: " + b"x" * 20_000],
        [b"GET / HTTP/1.1", b"Host: localhost", *(b"X%d: x" % n for n in range(1_000))],
        [b"GET /" + b"x" * 20_000 + b" HTTP/1.1", b"Host: localhost"],
        [b"GET / HTTP/1.1", b"Host: localhost", b"Bad header: " + READ.encode()],
        [b"GET / HTTP/1.1", b"Host: localhost", b"Content-Length: 1", b"Content-Length: 2"],
        [b"GET / HTTP/1.1", b"Host: localhost", b"Content-Length: 3", b"Transfer-Encoding: chunked"],
        [b"GET / HTTP/9.9", b"Host: localhost"],
        [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
        [READ.encode()],
    ],
    ids=["long header", "many headers", "long path", "bad header", "two lengths", "smuggled",
         "version", "tls", "noise"],
)  # fmt: skip
async def test_what_isnt_http_is_answered_without_a_word_of_it(
    lines: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with served() as runner:
            response = await raw(runner, *lines)
    assert response.startswith(b"HTTP/1.")
    assert response.split(b" ")[1] in {b"400", b"413"}
    for name, value in HEADERS.items():
        assert f"{name}: {value}\r\n".encode() in response
    assert b"aiohttp" not in response
    assert READ.encode() not in response
    assert READ not in caplog.text
    assert "Traceback" not in caplog.text


async def test_an_error_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> dict[str, Any]:
        raise LookupError("the password is hunter2")

    runner = await serve(create_web(broken), "127.0.0.1", 0)
    try:
        async with ClientSession(url_of(runner)) as session:
            for accept in ("text/html", "*/*"):
                async with session.get("api/status", headers={"Accept": accept}) as response:
                    assert response.status == 500
                    assert await response.text() == "Internal Server Error\n"
    finally:
        await runner.cleanup()
    assert "a request failed" in caplog.text


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


async def test_too_many_requests_are_a_429_until_some_time_has_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(access_module, "time", clock)
    async with visited() as session:
        codes = [await code(session, "page.js") for _ in range(int(REQUESTS_AT_ONCE) + 5)]
        assert codes == [200] * int(REQUESTS_AT_ONCE) + [429] * 5
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
            assert await code(session, "page.js", headers={name: "10.0.0.9"}) == 429
        async with session.get("api/status") as refused:
            assert refused.status == 429
            assert refused.headers["Retry-After"] == "1"
        clock.now += 2.5 / REQUESTS_PER_SECOND
        assert [await code(session, "page.js") for _ in range(3)] == [200, 200, 429]


async def test_a_probe_is_answered_however_much_its_address_has_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_module, "time", Clock())
    async with visited() as session:
        codes = [await code(session, "page.js") for _ in range(int(REQUESTS_AT_ONCE) + 5)]
        assert codes[-1] == 429
        assert await code(session, "ready") == 200


def test_rates_are_of_each_address_and_in_a_bounded_memory() -> None:
    rates = Rates()
    assert all(rates.take("a", 0.0) for _ in range(int(REQUESTS_AT_ONCE)))
    assert not rates.take("a", 0.0)
    assert rates.take("b", 0.0)
    assert rates.take("a", 2 / REQUESTS_PER_SECOND)
    for n in range(10 * ADDRESSES_MAX):
        rates.take(f"c{n}", 1.0)
    assert len(rates) == ADDRESSES_MAX


def test_a_network_of_ipv6_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1") == "10.0.0.1"
    assert network_of(None) == network_of("unix") == ""


# Slow clients.


async def closed_after(runner: web.AppRunner, first: bytes, drip: bytes = b"") -> float:
    """Return after how many seconds a connection is closed on which this comes, and drips."""
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    began = time.monotonic()
    writer.write(first)

    async def dripping() -> None:
        while drip:
            await asyncio.sleep(0.1)
            writer.write(drip)

    task = asyncio.ensure_future(dripping())
    try:
        async with asyncio.timeout(SECONDS_MAX):
            while await reader.read(1 << 16):
                pass
    except ConnectionResetError:
        pass
    finally:
        task.cancel()
        writer.close()
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", b""),
        (b"GET /api/st", b""),
        (b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n", b"X-Slow: 1\r\n"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /", b"x"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n", b"x"),
    ],
    ids=["nothing", "half a line", "dripping head", "idle", "dripping second", "dripping body"],
)
async def test_a_slow_client_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, first: bytes, drip: bytes
) -> None:
    monkeypatch.setattr(http_server, "HEAD_SECONDS_MAX", 0.5)
    async with served() as runner:
        assert 0.3 < await closed_after(runner, first, drip) < 3


@pytest.mark.parametrize("size", [100_000, 30_000_000], ids=["all is written", "it still writes"])
async def test_an_answer_that_nobody_takes_is_dropped(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    for bound in ("ANSWER_SECONDS_MAX", "HEAD_SECONDS_MAX", "LINGER_SECONDS"):
        monkeypatch.setattr(http_server, bound, 0.3)

    async def much(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * size)

    app = create_web(status)
    app.router.add_get("/much", much)
    runner = await serve(app, "127.0.0.1", 0)
    try:
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            lazy.connect(runner.addresses[0])
            lazy.sendall(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.sleep(0.1)
            assert len(runner.server.connections) == 1  # type: ignore[union-attr]
            await asyncio.sleep(1)
            assert runner.server.connections == []  # type: ignore[union-attr]
    finally:
        await runner.cleanup()
