"""The page shows the status as it is, to everybody who may look, and to nobody's harm."""

import asyncio
import os
import re
import shutil
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import resources
from time import perf_counter, thread_time
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from playwright.async_api import Browser, Page, async_playwright

from agents.serve import streams as page_streams
from agents.serve.access import Access
from agents.serve.http_server import HEADERS
from agents.serve.lines import Query
from agents.serve.streams import LISTENERS_MAX
from agents.serve.web import Lines, Status, WebError, create_web, serve, url_of

WAIT_SECONDS = 10
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LONG = "M" * 256
DIGITS = "1234567890" * 9

pytestmark = pytest.mark.asyncio(loop_scope="module")


def event(kind: str, number: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": kind,
        "source": "/lineside",
        "id": f"{kind}:{number}",
        "time": "2026-11-21T06:00:00.5Z",
        "plant": "DE01",
        "line": "L3",
        "data": data,
    }


def line(name: str, state: str = "running", step: int = 0, detail: str = "") -> dict[str, Any]:
    return {
        "plant": "DE01",
        "line": name,
        "state": state,
        "detail": detail,
        "rate": 2.5 + step,
        "accepted": 40_000 + step,
        "late": step,
        "mes_watermark": "2026-11-21T06:00:00Z",
        "machine_watermark": None,
        "open_windows": 3 + step,
    }


def balance(kind: str, accepted: str, emitted: str, left: str, error: str = "0") -> dict[str, str]:
    return {
        "type": kind,
        "measure": "quantity",
        "accepted": accepted,
        "emitted": emitted,
        "open": left,
        "parked": "0",
        "error": error,
    }


def document(step: int = 0) -> dict[str, Any]:
    """Return a status in which every number depends on `step` and is unlike its neighbours."""
    counts = {"accepted": 1_200_000 + step, "duplicate": 300 + step, "exception": 12, "tick": 7}
    refused = b64encode(f'{{"note": "{HOSTILE}", "step": {step}}}'.encode()).decode()
    return {
        "version": "0.1.0",
        "job": "demo",
        "broker": "embedded",
        "now": f"2026-11-21T06:00:{step:02d}Z",
        "uptime_seconds": 62.5 + step,
        "ready": True,
        "ended": False,
        "share": {"partitions": 2, "of": 2},
        "surveyed": f"2026-11-21T06:00:{step:02d}Z",
        "counts": {"in": sum(counts.values()), **counts},
        "late": 41 + step,
        "rate": 1043.25 + step,
        "exceptions": {"invalid": 5 + step, "malformed": 7},
        "transactions": {"erp.goods_issue.v1": 80_123 + step, "erp.reversal.v1": 2},
        "summaries": {"summary.scrap.v1": 99 + step},
        "open_windows": 17 + step,
        "waiting_finals": 5 + step,
        "parked": 7 + step,
        "parked_since": "2026-11-20T05:30:00Z",
        "forgotten_open_seconds": "86400",
        "idle_holds": 1,
        "releases_without_hold": 0,
        "holds": [{"plant": "DE01", "hold": HOSTILE, "problem": "has touched nothing"}],
        "waiting_ends": 1 + step,
        "overlong_episodes": 2 + step,
        "episodes": [
            {
                "plant": "DE01",
                "line": "L3",
                "episode": "EP-1",
                "work_unit": "press-07",
                "problem": "its end waits for a start",
                "time": "2026-11-21T05:00:00Z",
            }
        ],
        "lines": [line(f"L{n}", "down" if n == 10 else "running", step) for n in range(1, 65)],
        "line_count": 64,
        "line_states": {"down": 1, "planned": 0, "silent": 0, "running": 63},
        "partitions": [
            {
                "topic": "mes.events.v1",
                "partition": n,
                "offset": 70_000 + step + n,
                "end_offset": 70_003 + step + 2 * n,
                "lag": 3 + n,
                "ready": True,
                "recovery": None,
            }
            for n in range(2)
        ],
        "conservation": {
            "error": "0",
            "rows": [
                balance("erp.goods_issue.v1", f"{step}.5", f"{step}", "0.5"),
                balance("erp.scrap_posting.v1", f"{DIGITS}.000000003", DIGITS, "0.000000003"),
                balance("summary.scrap.v1", "-0.25", "0", "-0.25") | {"uom": "kg"},
                balance("summary.scrap.v1", "3", "2", "1") | {"uom": "pc"},
            ],
            "singles": [
                {
                    "type": "erp.production_confirmation.v1",
                    "accepted": 20 + step,
                    "left": 8 + step,
                    "waiting": 5,
                    "parked": 4,
                    "taken_out": 3,
                    "error": 0,
                },
            ],
        },
        "recent": {
            "transactions": [
                event(
                    "erp.goods_issue.v1",
                    n,
                    {"order": "1000123", "item": "M-100", "quantity": "12.5", "uom": "kg"},
                )
                for n in range(step + 5, step, -1)
            ],
            "summaries": [event("summary.scrap.v1", step, {"quantity": "3", "uom": "pcs"})],
            "exceptions": [
                event(
                    "exception.raised.v1",
                    n,
                    {
                        "class": "data",
                        "code": "invalid",
                        "reason": HOSTILE,
                        "topic": "mes.events.v1",
                        "partition": 0,
                        "offset": n,
                        "key": HOSTILE,
                        "value": refused,
                        "headers": [{"name": "a", "value": HOSTILE}],
                    },
                )
                for n in range(step + 2, step, -1)
            ],
        },
    }


class FakeStatus:
    """A status that says what a test last told it, and counts how often it was asked."""

    def __init__(self, status: dict[str, Any]) -> None:
        self.status = status
        self.asked = 0

    def __call__(self) -> dict[str, Any]:
        self.asked += 1
        return self.status


def status_of(status: Callable[[], dict[str, Any]]) -> Status:
    """Return what a page asks, for what a test has at hand."""

    async def fake() -> dict[str, Any]:
        return status()

    return fake


@asynccontextmanager
async def served(
    status: Callable[[], dict[str, Any]],
    interval_seconds: float = 0.1,
    port: int = 0,
    access: Access | None = None,
    lines: Lines | None = None,
) -> AsyncIterator[web.AppRunner]:
    app = create_web(
        status_of(status), access=access, lines=lines, interval_seconds=interval_seconds
    )
    runner = await serve(app, "127.0.0.1", port)
    try:
        yield runner
    finally:
        await runner.cleanup()


@asynccontextmanager
async def visited(
    status: Callable[[], dict[str, Any]], interval_seconds: float = 0.1
) -> AsyncIterator[ClientSession]:
    """Serve and yield a session whose paths are below the page's URL."""
    async with (
        asyncio.timeout(WAIT_SECONDS),
        served(status, interval_seconds) as runner,
        ClientSession(url_of(runner)) as session,
    ):
        yield session


def told_line(raw: bytes) -> dict[str, Any]:
    """Return the status of a line of the stream."""
    assert raw.startswith(b"data: ")
    found = orjson.loads(raw[6:])
    assert isinstance(found, dict)
    return found


# The server.


async def test_every_response_carries_the_security_headers() -> None:
    async with visited(document) as session:
        for path in ("", "page.js", "page.css", "api/status", "api/stream", "missing"):
            async with session.get(path) as response:
                assert {name: response.headers.get(name) for name in HEADERS} == HEADERS, path
        async with session.post("api/status") as response:
            assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


async def test_an_error_of_the_status_carries_the_security_headers() -> None:
    def broken() -> dict[str, Any]:
        raise LookupError("no status")

    async with visited(broken) as session, session.get("api/status") as response:
        assert response.status == 500
        assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


async def test_only_get_and_head_are_answered() -> None:
    async with visited(document) as session:
        for path in ("", "page.js", "page.css", "api/status", "api/stream"):
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                async with session.request(method, path) as response:
                    assert response.status == 405, (method, path)
            async with session.head(path) as response:
                assert response.status == 200
                assert await response.read() == b""


async def test_files_say_what_they_are() -> None:
    async with visited(document) as session:
        for path, kind in (
            ("", "text/html; charset=utf-8"),
            ("page.js", "text/javascript; charset=utf-8"),
            ("page.css", "text/css; charset=utf-8"),
            ("api/status", "application/json"),
            ("api/stream", "text/event-stream; charset=utf-8"),
        ):
            async with session.get(path) as response:
                assert response.headers["Content-Type"] == kind


async def test_the_status_comes_as_json() -> None:
    async with visited(document) as session, session.get("api/status") as response:
        assert orjson.loads(await response.read()) == document()


async def test_the_stream_sends_the_status_as_it_changes() -> None:
    fake = FakeStatus(document(1))
    async with visited(fake) as session, session.get("api/stream") as response:
        assert told_line(await response.content.readline()) == document(1)
        assert await response.content.readline() == b"\n"
        fake.status = document(2)
        assert told_line(await response.content.readline()) == document(2)


async def test_a_tick_is_encoded_once_for_all_listeners() -> None:
    fake = FakeStatus(document())
    async with visited(fake) as session, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(session.get("api/stream")) for _ in range(20)]
        before = fake.asked
        for _ in range(3):
            for stream in streams:
                told_line(await stream.content.readline())
                await stream.content.readline()
        assert 1 <= fake.asked - before <= 4


async def test_nobody_listening_asks_for_no_status() -> None:
    fake = FakeStatus(document())
    async with visited(fake, 0.05) as session:
        async with session.get("api/stream") as stream:
            await stream.content.readline()
        await asyncio.sleep(0.2)
        asked = fake.asked
        await asyncio.sleep(0.3)
        assert fake.asked == asked


async def test_a_dear_status_is_asked_for_less_often() -> None:
    asked = 0

    def dear() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        end = thread_time() + 0.02
        while thread_time() < end:
            pass
        return {}

    async with visited(dear, 0.05) as session, session.get("api/stream"):
        await asyncio.sleep(0.7)
    assert asked <= 2  # 20 ms are a hundredth of 2 s; the other is the last word, at the end


async def test_the_listener_past_the_bound_is_refused_until_another_leaves() -> None:
    async with served(document, 0.05) as runner, AsyncExitStack() as stack:
        streams = []
        for _ in range(LISTENERS_MAX):
            session = await stack.enter_async_context(ClientSession(url_of(runner)))
            streams.append(await stack.enter_async_context(session.get("api/stream")))
        assert {stream.status for stream in streams} == {200}
        async with session.get("api/stream") as refused:
            assert refused.status == 503
            assert str(LISTENERS_MAX) in await refused.text()
        async with session.get("api/status") as response:
            assert response.status == 200
        streams[0].close()
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                async with session.get("api/stream") as admitted:
                    if admitted.status == 200:
                        return
                await asyncio.sleep(0.05)


def stuck_listener(runner: web.AppRunner) -> socket.socket:
    """Return a socket that asks for the stream and reads none of it."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.connect(runner.addresses[0])
    listener.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return listener


def fat() -> dict[str, Any]:
    return {"lines": [line(f"L{n}", detail="x" * 200) for n in range(30_000)]}


async def test_a_listener_that_takes_nothing_is_dropped_and_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_streams, "WRITE_SECONDS_MAX", 0.3)
    monkeypatch.setattr(page_streams, "LISTENERS_MAX", 1)
    async with served(fat) as runner, ClientSession(url_of(runner)) as session:
        with stuck_listener(runner):
            await asyncio.sleep(0.1)
            statuses = set()
            async with asyncio.timeout(WAIT_SECONDS):
                while 200 not in statuses:
                    async with session.get("api/stream") as response:
                        statuses.add(response.status)
                    await asyncio.sleep(0.1)
            assert statuses == {200, 503}


async def test_streams_end_promptly_on_shutdown() -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        app = create_web(status_of(document), interval_seconds=5)
        runner = await serve(app, "127.0.0.1", 0)
        async with ClientSession(url_of(runner)) as session, session.get("api/stream") as stream:
            await stream.content.readline()
            began = perf_counter()
            await runner.cleanup()
            assert perf_counter() - began < 2
            assert await stream.content.read() == b"\n"  # a proper end, nothing cut


async def test_a_stuck_listener_does_not_hold_up_the_shutdown() -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        runner = await serve(create_web(status_of(fat)), "127.0.0.1", 0)
        with stuck_listener(runner):
            await asyncio.sleep(0.5)
            began = perf_counter()
            await runner.cleanup()
            assert perf_counter() - began < 1


async def test_a_port_in_use_is_said_in_one_sentence() -> None:
    async with served(document) as runner:
        port = runner.addresses[0][1]
        with pytest.raises(WebError) as refusal:
            await serve(create_web(status_of(document)), "127.0.0.1", port)
    assert str(refusal.value) == (
        f"port {port} on 127.0.0.1 is in use: choose another with --port, or 0 for a free one"
    )


async def test_no_port_and_no_address_are_said_in_one_sentence() -> None:
    with pytest.raises(WebError, match="port 65536 is no port: "):
        await serve(create_web(status_of(document)), "127.0.0.1", 65536)
    with pytest.raises(WebError, match=r"port 0 on 192\.0\.2\.1 can't be listened on: "):
        await serve(create_web(status_of(document)), "192.0.2.1", 0)


async def test_the_url_of_a_free_port_can_be_opened() -> None:
    for host in ("127.0.0.1", "0.0.0.0"):
        runner = await serve(create_web(status_of(document)), host, 0)
        try:
            assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*/", url_of(runner))
            async with ClientSession() as session, session.get(url_of(runner)) as response:
                assert response.status == 200
        finally:
            await runner.cleanup()


async def test_the_files_keep_to_the_security_policy() -> None:
    folder = resources.files("agents.serve") / "page"
    html, js, css = ((folder / name).read_text() for name in ("index.html", "page.js", "page.css"))
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\(", js
    )
    assert "url(" not in css
    assert "@import" not in css
    hosts = re.findall(r"https?://[^'\"\s]+", html + js + css)
    assert set(hosts) <= {"http://www.w3.org/2000/svg"}  # the namespace of the icon


# The page in a browser.

browser_test = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        if os.environ.get("LINESIDE_TEST_WITHOUT_BROWSER") == "1":
            pytest.skip("LINESIDE_TEST_WITHOUT_BROWSER=1, and there is no Chromium")
        pytest.fail(
            f"no Chromium: none of {', '.join(BROWSERS)} is on the PATH; install one, "
            "or set LINESIDE_TEST_WITHOUT_BROWSER=1 to skip what needs it"
        )
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)
        yield started
        await started.close()


@asynccontextmanager
async def shown(
    browser: Browser, url: str, width: int = 1280, height: int = 900, *, quiet: bool = True
) -> AsyncIterator[Page]:
    """Open the page, live; unless not `quiet`, it must say no error and ask no other host."""
    complaints: list[str] = []
    asked: list[str] = []
    context = await browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(WAIT_SECONDS * 1000)
    try:
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(url)
        await page.wait_for_selector("body[data-state=live]")
        await page.wait_for_selector("[data-path='counts.in'][data-value]")
        yield page
    finally:
        await context.close()
    if quiet:
        assert complaints == []
    foreign = [one for one in asked if urlsplit(one).netloc != urlsplit(url).netloc]
    assert [one for one in foreign if not one.startswith("data:")] == []


async def show_step(page: Page, fake: FakeStatus, status: dict[str, Any]) -> None:
    """Tell the status and wait until the page shows its total."""
    fake.status = status
    total = status["counts"]["in"]
    await page.wait_for_selector(f"[data-path='counts.in'][data-value='{total}']")


async def texts(page: Page, attribute: str) -> dict[str, str]:
    """Return the text of each element by its attribute."""
    found: dict[str, str] = await page.evaluate(
        """(attribute) => Object.fromEntries(
            [...document.querySelectorAll(`[${attribute}]`)].map(
                (element) => [element.getAttribute(attribute), element.textContent]))""",
        attribute,
    )
    return found


async def rows(page: Page, table: str) -> dict[str, dict[str, str]]:
    """Return the texts of a table's cells by their row's key and their member, in order."""
    found: list[tuple[str, dict[str, str]]] = await page.evaluate(
        """(id) => [...document.querySelectorAll(`#${id} tbody tr`)].map((row) => [
            row.dataset.key,
            Object.fromEntries(
                [...row.cells].map((cell) => [cell.dataset.member, cell.textContent]))])""",
        table,
    )
    return dict(found)


@browser_test
async def test_numbers_on_the_page_equal_the_status(browser: Browser) -> None:
    fake = FakeStatus(document(0))
    async with served(fake) as runner, shown(browser, url_of(runner)) as page:
        for step in (1, 7, 2):
            await show_step(page, fake, document(step))
            async with ClientSession() as session, session.get(f"{page.url}api/status") as response:
                status = orjson.loads(await response.read())
            by_path = await texts(page, "data-path")
            for path in (
                "late", "open_windows", "waiting_finals", "parked", "waiting_ends",
                "overlong_episodes",
            ):  # fmt: skip
                assert by_path[path] == str(status[path])
            for path in ("counts", "exceptions", "transactions", "summaries"):
                for name, count in status[path].items():
                    assert by_path[f"{path}.{name}"] == str(count)
            exact_rate = page.locator("[data-path=rate]")
            assert float(await exact_rate.get_attribute("data-value") or "") == status["rate"]
            assert by_path["rate"] == f"{status['rate']:.0f}"
            assert by_path["conservation.error"] == status["conservation"]["error"]
            conservation = await rows(page, "conservation-table")
            assert len(conservation) == len(status["conservation"]["rows"])
            for row in status["conservation"]["rows"]:
                names = (row["type"], row["measure"], row.get("uom"))
                drawn = conservation[" ".join(name for name in names if name)]
                for member in ("accepted", "emitted", "open", "parked", "error"):
                    assert drawn[member] == row[member]
            singles = await rows(page, "singles-table")
            for row in status["conservation"]["singles"]:
                for member in ("accepted", "left", "waiting", "parked", "taken_out", "error"):
                    assert singles[row["type"]][member] == str(row[member])
            assert await page.locator("#held-note").inner_text() == (
                f"Holds keep {7 + step} events from the ERP, the oldest of 2026-11-20 05:30:00."
                f" Final confirmations that wait for their posting window to close: {5 + step}."
                " Seconds counted for stops that never ended: 86400."
            )
            held = await rows(page, "holds-table")
            assert held[f"DE01/{HOSTILE}"]["problem"] == "has touched nothing"
            lines = await rows(page, "lines-table")
            assert len(lines) == len(status["lines"])
            for row in status["lines"]:
                drawn = lines[f"{row['plant']}/{row['line']}"]
                for member in ("state", "accepted", "late", "open_windows"):
                    assert drawn[member] == str(row[member])
                assert drawn["rate"] == f"{row['rate']:.1f}"
            partitions = await rows(page, "partitions-table")
            for row in status["partitions"]:
                drawn = partitions[f"{row['topic']}/{row['partition']}"]
                for member in ("offset", "end_offset", "lag"):
                    assert drawn[member] == str(row[member])
            for name in ("transactions", "summaries", "exceptions"):
                events = await rows(page, f"{name}-table")
                assert list(events) == [one["id"] for one in status["recent"][name]]


@browser_test
async def test_a_transaction_is_shown_with_what_somebody_looks_for(browser: Browser) -> None:
    async with served(document) as runner, shown(browser, url_of(runner)) as page:
        row = next(iter((await rows(page, "transactions-table")).values()))
        assert row["time"] == "06:00:00"
        assert row["type"] == "goods issue"
        assert row["line"] == "DE01/L3"
        assert row["content"].split() == ["12.5", "kg", "order", "1000123", "item", "M-100"]
        assert row["id"] == "erp.goods_issue.v1:5"


@browser_test
async def test_hostile_text_stays_text(browser: Browser) -> None:
    status = document()
    status["job"] = status["lines"][0]["detail"] = status["episodes"][0]["episode"] = HOSTILE
    status["lines"][1]["line"] = status["partitions"][0]["topic"] = HOSTILE
    status["recent"]["transactions"] = [
        event("erp.goods_issue.v1" + HOSTILE, 1, {"item": HOSTILE, HOSTILE: HOSTILE})
    ]
    status["exceptions"] = {HOSTILE: 1}
    async with served(lambda: status) as runner, shown(browser, url_of(runner)) as page:
        await page.locator("#exceptions-table summary").first.click()
        opened = page.locator("#exceptions-table dd.original")
        await opened.first.wait_for()
        assert await opened.all_text_contents() == [
            f'{{"note": "{HOSTILE}", "step": 0}}',
            HOSTILE,
            orjson.dumps({"name": "a", "value": HOSTILE}).decode(),
        ]
        assert HOSTILE in await page.locator("#transactions-table").inner_text()
        assert HOSTILE in await page.locator("#lines-table").inner_text()
        assert HOSTILE in await page.locator("#exceptions-table").inner_text()
        injected = "document.querySelectorAll('body script, img, iframe').length"
        assert await page.evaluate(injected) == 0
        assert await page.title() == f"lineside {HOSTILE}"


@browser_test
async def test_an_original_that_is_read_stays_while_others_come(browser: Browser) -> None:
    fake = FakeStatus(document())
    async with served(fake) as runner, shown(browser, url_of(runner)) as page:
        await page.locator("#exceptions-table summary").first.click()
        await show_step(page, fake, document(9))
        assert list(await rows(page, "exceptions-table")) == [
            one["id"] for one in document(0)["recent"]["exceptions"]
        ]
        await page.locator("#exceptions-table summary").first.click()
        await page.wait_for_selector("[data-key='exception.raised.v1:11']")


@browser_test
@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_the_page_never_scrolls_sideways(browser: Browser, width: int) -> None:
    status = document()
    status["lines"][0] |= {"line": LONG, "detail": LONG, "accepted": 10**15}
    status["counts"]["accepted"] = 10**15
    status["episodes"][0]["work_unit"] = status["broker"] = LONG
    status["recent"]["transactions"] = [event("erp.goods_issue.v1", 1, {"item": LONG, "lot": LONG})]
    status["recent"]["transactions"][0]["id"] = LONG
    status["recent"]["exceptions"][0]["data"]["reason"] = LONG
    status["exceptions"][LONG] = 1
    async with served(lambda: status) as runner, shown(browser, url_of(runner), width, 740) as page:
        await page.locator("#exceptions-table summary").first.click()
        await page.locator("#exceptions-table dd.original").first.wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert await page.evaluate("document.body.scrollWidth") == width


@browser_test
async def test_conservation_is_said_loudly_if_it_does_not_hold(browser: Browser) -> None:
    fake = FakeStatus(document(1))
    async with served(fake) as runner, shown(browser, url_of(runner)) as page:
        verdict = page.locator("#verdict")
        exact = "accepted = emitted + open + parked — exact, error 0"
        assert " ".join((await verdict.inner_text()).split()) == exact
        wrong = document(2)
        wrong["conservation"]["error"] = "12.5"
        wrong["conservation"]["rows"][0] |= {"open": "-12", "error": "12.5"}
        await show_step(page, fake, wrong)
        loud = "accepted ≠ emitted + open + parked — NOT exact, error 12.5"
        assert " ".join((await verdict.inner_text()).split()) == loud
        assert await page.locator("tr[data-exact=false]").count() == 1
        assert (await page.title()).startswith("NOT EXACT")
        await show_step(page, fake, document(3))
        assert " ".join((await verdict.inner_text()).split()) == exact


@browser_test
async def test_the_page_adds_up_itself_to_the_last_of_any_number_of_digits(
    browser: Browser,
) -> None:
    fake = FakeStatus(document(1))
    async with served(fake) as runner, shown(browser, url_of(runner)) as page:
        assert await page.locator("#conservation[data-exact=true]").count() == 1
        wrong = document(2)
        wrong["conservation"]["rows"][1]["emitted"] = DIGITS[:-1] + "1"
        await show_step(page, fake, wrong)
        assert await page.locator("#conservation[data-exact=false]").count() == 1
        wrong = document(3)
        wrong["conservation"]["singles"][0]["left"] += 1
        await show_step(page, fake, wrong)
        assert await page.locator("#singles-table tr[data-exact=false]").count() == 1


@browser_test
async def test_of_ten_thousand_lines_those_that_are_down_come_first(browser: Browser) -> None:
    status = document()
    status["lines"] = [
        line(f"L{n}", "down" if n in (9_000, 9_999) else "silent" if n == 2 else "running")
        for n in (9_000, 9_999, *range(498))
    ]
    status["line_count"] = 10_000
    status["line_states"] = {"down": 2, "planned": 0, "silent": 1, "running": 9_997}
    asked: list[Query] = []

    async def lines(query: Query) -> dict[str, Any]:
        asked.append(query)
        return {"lines": [line("L1234")], "matching": 1, "next": None}

    async with (
        served(lambda: status, lines=lines) as runner,
        shown(browser, url_of(runner)) as page,
    ):
        drawn = list(await rows(page, "lines-table"))
        assert drawn[:5] == ["DE01/L9000", "DE01/L9999", "DE01/L0", "DE01/L1", "DE01/L2"]
        assert len(drawn) == 200
        assert "9800 more" in await page.locator("#lines-note").inner_text()
        by_state = await texts(page, "data-count")
        assert by_state == {"down": "2", "planned": "0", "silent": "1", "running": "9997"}
        assert not asked
        await page.fill("#filter", "de01/l1234 RUNNING")
        await page.wait_for_selector("#lines-note:text-is('1 of 10000 lines match.')")
        assert list(await rows(page, "lines-table")) == ["DE01/L1234"]
        assert asked[0].text == "de01/l1234 RUNNING"
        await asyncio.sleep(1)
        assert len(asked) == 1  # updates don't ask again so soon


@browser_test
async def test_lines_that_are_all_listed_are_filtered_without_asking(browser: Browser) -> None:
    async with served(document) as runner, shown(browser, url_of(runner)) as page:
        await page.fill("#filter", "down")
        assert list(await rows(page, "lines-table")) == ["DE01/L10"]
        assert await page.locator("#lines-note").inner_text() == "1 of 64 lines match."


@browser_test
async def test_a_planned_stop_is_calm_and_an_unplanned_one_is_red(browser: Browser) -> None:
    status = document()
    status["lines"] = [line("L1", "planned"), line("L2", "down"), line("L3")]
    async with served(lambda: status) as runner, shown(browser, url_of(runner)) as page:
        drawn = await rows(page, "lines-table")
        assert drawn["DE01/L1"]["state"] == "planned stop"
        grounds = {
            name: await page.evaluate(
                "(key) => getComputedStyle(document.querySelector("
                "`#lines-table [data-key='${key}']`)).backgroundColor",
                f"DE01/{name}",
            )
            for name in ("L1", "L2", "L3")
        }
        assert grounds["L1"] == grounds["L3"] != grounds["L2"]


@browser_test
async def test_a_partition_says_how_far_it_is_in_words(browser: Browser) -> None:
    status = document()
    one = status["partitions"][0]
    left = {"left": 7, "seconds": 1.5}
    status["partitions"] = [
        {**one, "partition": 0, "lag": 0},
        {**one, "partition": 1, "lag": 1},
        {**one, "partition": 2, "lag": None, "end_offset": None},
        {**one, "partition": 3, "ready": False, "recovery": left},
        {**one, "partition": 4, "ready": False, "recovery": {"left": None, "seconds": None}},
    ]
    status["standbys"] = [{"topic": "changelog", "partition": 0, "left": 0}]
    async with served(lambda: status) as runner, shown(browser, url_of(runner)) as page:
        drawn = await rows(page, "partitions-table")
        assert [row["state"] for row in drawn.values()] == [
            "up to date",
            "1 record behind",
            "at work, its end isn't known",
            "recovering: 7 records left, about 2 s",
            "opening",
            "standby, up to date",
        ]
        marks = await page.evaluate(
            "[...document.querySelectorAll('#partitions-table [data-member=state]')].map("
            "(cell) => getComputedStyle(cell, '::before').content)"
        )
        assert not [mark for mark in marks if "?" in mark]


@browser_test
async def test_a_worker_that_has_a_part_says_so_and_doesnt_pass_it_off_as_all(
    browser: Browser,
) -> None:
    fake = FakeStatus(document(1))
    async with served(fake) as runner, shown(browser, url_of(runner)) as page:
        assert await page.locator("[data-path=share]").inner_text() == "2 of 2"
        assert "other workers" not in await page.locator("main").inner_text()
        part = document(2)
        part["share"] = {"partitions": 4, "of": 8}
        await show_step(page, fake, part)
        assert await page.locator("[data-path=share]").inner_text() == "4 of 8"
        note = await page.locator("#verdict-note").inner_text()
        assert note.endswith("Of 4 of 8 partitions: other workers have the rest.")
        assert "4 of 8" in await page.locator("#sum-note").inner_text()


@browser_test
async def test_a_worker_without_partitions_claims_nothing(browser: Browser) -> None:
    fake = FakeStatus(document(1))
    async with served(fake) as runner, shown(browser, url_of(runner)) as page:
        none = document(2)
        none["share"] = {"partitions": 0, "of": 8}
        none |= {"conservation": {"error": "0", "rows": []}, "partitions": []}
        await show_step(page, fake, none)
        assert "not known yet" in await page.locator("#verdict").inner_text()
        assert "exact" not in await page.locator("#verdict").inner_text()
        assert await page.locator("#conservation[data-exact=unknown]").count() == 1
        unseen = document(3)
        unseen |= {"conservation": None, "line_count": None, "lines": [], "late": None}
        await show_step(page, fake, unseen)
        assert "not known yet" in await page.locator("#verdict").inner_text()
        looking = "The worker is looking at its lines."
        assert await page.locator("#lines-note").inner_text() == looking
        assert await page.locator("[data-path=late]").inner_text() == "–"


@browser_test
async def test_figures_of_lines_that_are_old_say_of_when_they_are(browser: Browser) -> None:
    old = document(30)
    old["surveyed"] = "2026-11-21T06:00:10Z"
    async with served(lambda: old) as runner, shown(browser, url_of(runner)) as page:
        assert "As of 06:00:10." in await page.locator("#verdict-note").inner_text()


@browser_test
async def test_a_job_that_has_ended_says_so_and_keeps_its_last_figures(browser: Browser) -> None:
    fake = FakeStatus(document(1))
    async with AsyncExitStack() as stack:
        async with served(fake) as runner:
            port = runner.addresses[0][1]
            shown_page = shown(browser, url_of(runner), quiet=False)
            page = await stack.enter_async_context(shown_page)
            fake.status = {**document(2), "ended": True}
        await page.wait_for_selector("body[data-state=ended]")
        await asyncio.sleep(2)  # it has tried to connect again meanwhile
        assert await page.locator("#connection").inner_text() == "job has ended"
        notice = await page.locator("#notice").inner_text()
        assert notice == "The job has ended: the figures below are its last, of 06:00:02 UTC."
        by_path = await texts(page, "data-path")
        assert by_path["counts.in"] == str(document(2)["counts"]["in"])
        async with served(FakeStatus(document(5)), port=port):
            await page.wait_for_selector("body[data-state=live]")
            assert await page.locator("#notice").is_hidden()


@browser_test
async def test_an_update_touches_only_what_changed(browser: Browser) -> None:
    fake = FakeStatus(document(1))
    async with served(fake) as runner, shown(browser, url_of(runner)) as page:
        await show_step(page, fake, document(2))
        await page.evaluate(
            """() => {
                window.added = 0;
                new MutationObserver((records) => {
                    for (const record of records)
                        for (const node of record.addedNodes)
                            window.added += node.nodeName === "TR";
                }).observe(document.querySelector("main"), {childList: true, subtree: true});
            }"""
        )
        await show_step(page, fake, document(3))
        # One more transaction, one summary, one exception; no line, no balance, no partition.
        assert await page.evaluate("window.added") == 3


@browser_test
async def test_a_lost_connection_is_said_and_made_again(browser: Browser) -> None:
    fake = FakeStatus(document(1))
    async with AsyncExitStack() as stack:
        async with served(fake) as runner:
            port = runner.addresses[0][1]
            shown_page = shown(browser, url_of(runner), quiet=False)
            page = await stack.enter_async_context(shown_page)
            assert await page.locator("#connection").inner_text() == "live"
            assert await page.locator("#notice").is_hidden()
        await page.wait_for_selector("body[data-state=lost]")
        assert "lost" in await page.locator("#connection").inner_text()
        assert "06:00:01 UTC" in await page.locator("#notice").inner_text()
        async with served(fake, port=port):
            await page.wait_for_selector("body[data-state=live]")
            await show_step(page, fake, document(4))
            assert await page.locator("#notice").is_hidden()


@browser_test
async def test_held_figures_stand_still_until_they_go_on(browser: Browser) -> None:
    fake = FakeStatus(document(1))
    async with served(fake) as runner, shown(browser, url_of(runner)) as page:
        await page.click("#hold")
        assert await page.locator("#connection").inner_text() == "held"
        fake.status = document(2)
        await asyncio.sleep(0.5)
        total = page.locator("[data-path='counts.in']")
        assert await total.inner_text() == str(document(1)["counts"]["in"])
        await page.click("#hold")
        await show_step(page, fake, document(2))


@browser_test
async def test_an_empty_status_is_shown_without_complaint(browser: Browser) -> None:
    status = document()
    for name in ("counts", "exceptions", "transactions", "summaries"):
        status[name] = dict.fromkeys(status["counts"], 0) if name == "counts" else {}
    status |= {"ready": False, "episodes": [], "lines": [], "partitions": [], "rate": 0.0}
    status |= {"line_count": 0, "line_states": {}}
    status["conservation"]["rows"] = []
    status["recent"] = {"transactions": [], "summaries": [], "exceptions": []}
    async with served(lambda: status) as runner, shown(browser, url_of(runner)) as page:
        assert await page.locator("[data-path=ready]").inner_text() == "not ready"
        assert await page.locator("#episodes").is_hidden()
        assert await page.locator("#lines-note").inner_text() == "No line has been seen yet."


@browser_test
async def test_records_that_a_partition_goes_on_without_are_shown(browser: Browser) -> None:
    status = document()
    for number, row in enumerate(status["partitions"]):
        row |= {"ready": True, "recovery": None, "deleted": 70 * number}
    async with served(lambda: status) as runner, shown(browser, url_of(runner)) as page:
        states = [row["state"] for row in (await rows(page, "partitions-table")).values()]
    assert states == [
        "3 records behind",
        "goes on without 70 records that were deleted unprocessed",
    ]
