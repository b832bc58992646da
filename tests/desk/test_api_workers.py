"""How the workers are, by their own pages; and the health that is made of all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy import Engine

from agents.desk.workers import Workers
from agents.serve.access import access_of
from agents.serve.web import create_web, serve, url_of
from agents.settings.settings import Settings
from desk.desks import asked, visited
from streams.secret import Secret

READ = "read-" + "r" * 30

STATUS: dict[str, Any] = {
    "job": "lineside",
    "share": {"partitions": 2, "of": 8},
    "partitions": [{"lag": 3}, {"lag": 4}],
    "rate": 12.5,
    "open_windows": 7,
    "conservation": {"error": "0"},
}


async def status() -> dict[str, Any]:
    return STATUS


@asynccontextmanager
async def page(folder: Path | None = None) -> AsyncIterator[str]:
    """Yield the URL of a worker's page, which takes a token if there's a folder."""
    access = None
    if folder is not None:
        (folder / "read").write_text(f"{READ}\n")
        access = access_of(Settings(read_tokens=f"file:{folder / 'read'}"))
    runner = await serve(create_web(status, access=access), "127.0.0.1", 0)
    try:
        yield url_of(runner)
    finally:
        await runner.cleanup()


async def test_a_workers_page_says_how_it_is(tmp_path: Path) -> None:
    async with page() as open_, page(tmp_path) as guarded:
        token = Secret(f"file:{tmp_path / 'read'}")
        found = await Workers((open_, guarded), token).health()
    for worker, url in zip(found, (open_, guarded), strict=True):
        assert worker.url == url
        assert worker.reachable
        assert (worker.name, worker.partitions, worker.of) == ("lineside", 2, 8)
        assert (worker.lag, worker.rate, worker.open_windows) == (7, 12.5, 7)
        assert worker.conservation_error == "0"


async def test_one_that_doesnt_answer_is_away_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    ending = asyncio.Event()

    async def silent(_reader: Any, writer: asyncio.StreamWriter) -> None:
        await ending.wait()
        writer.close()

    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(text='{"partitions": 3}')

    app = web.Application()
    app.router.add_get("/api/status", nonsense)
    other = await serve(app, "127.0.0.1", 0)
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        async with page(tmp_path) as guarded, asyncio.timeout(10):
            urls = (f"http://127.0.0.1:{port}", "http://127.0.0.1:1", guarded, url_of(other))
            found = await Workers(urls).health()  # without the token
        assert [worker.reachable for worker in found] == [False] * 4
    finally:
        ending.set()
        server.close()
        await server.wait_closed()
        await other.cleanup()


async def test_health_is_made_of_database_topics_and_workers(books: Engine) -> None:
    own = ("http://own/", status)
    async with page() as url, visited(books, workers=Workers((url,), own=own)) as session:
        code, health = await asked(session, "/health")
        assert (code, health["status"]) == (200, "ok")
        assert [worker["url"] for worker in health["workers"]] == ["http://own/", url]
        assert health["database"]["reachable"]
        assert health["database"]["kind"] == books.dialect.name
        assert health["desks"] == [{"name": "desk-of-tests", "partitions": 0}]
    async with visited(books, workers=Workers((url,))) as session:  # it's gone
        code, health = await asked(session, "/health")
        assert (code, health["status"]) == (200, "broken")
