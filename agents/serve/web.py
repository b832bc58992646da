"""The live page over HTTP: its files, the status as JSON, and the status as a stream."""

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from importlib import resources
from ipaddress import ip_address
from typing import Any, Final

import msgspec
import orjson
from aiohttp import hdrs, web

from agents.serve.access import STILL, Access
from agents.serve.http_server import HEADERS, Runner, listen
from agents.serve.lines import Query
from agents.serve.probes import readiness
from agents.serve.streams import FULL, Streams
from agents.serve.turns import Timed
from streams.trouble import Trouble

Status = Callable[[], Coroutine[Any, Any, dict[str, Any]]]
"""Returns the present status document."""

Lines = Callable[[Query], Awaitable[dict[str, Any]]]
"""Returns the lines that a search finds."""

FILES: Final = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}

INTERVAL_SECONDS_MIN: Final = 0.05
PAUSE_SECONDS_MAX: Final = 5.0
"""Listeners get a status at least this often, whatever it costs: after a longer silence the page
says that the connection is lost."""

STATUS_TIME_SHARE: Final = 0.01
"""Making and encoding statuses takes at most this share of the event loop; a request in between
gets the last status. Surveys of lines have a share of their own (turns.py)."""

BYTES_PER_SECOND_MAX: Final = 20_000_000
"""For all listeners together: a status of 500 lines is 0.2 MB."""


class WebError(Trouble):
    """The page can't be served."""


def create_web(
    status: Status,
    ready: Callable[[], bool] = lambda: True,
    access: Access | None = None,
    lines: Lines | None = None,
    *,
    interval_seconds: float = 0.5,
) -> web.Application:
    """Return the page's application; it can be mounted below another one's path.

    GET `/`, `/page.js`, `/page.css`; `/api/status`: the status as JSON; `/api/stream`: Server-Sent
    Events, the status about every interval; `/api/lines`: a search by `plant`, `line`, `text` and
    `after`; `/ready`: the older name of `/readyz`. The page only reads: any method but GET and HEAD
    is a 405. Without `access` no token is asked for.
    """
    app = web.Application(middlewares=[(access or Access()).guard])
    newest = _Newest(status)
    feed = _Feed(newest, max(interval_seconds, INTERVAL_SECONDS_MIN))
    for path, (name, kind) in FILES.items():
        app.router.add_get(path, _file(name, kind))
    app.router.add_get("/api/status", _status(newest))
    if lines is not None:
        app.router.add_get("/api/lines", _lines(lines))
    app.router.add_get("/api/stream", feed.stream)
    app.router.add_get("/ready", readiness(ready))
    app.on_response_prepare.append(_secure)
    app.on_shutdown.append(feed.close)
    return app


async def serve(
    app: web.Application, host: str, port: int, port_name: str = "--port"
) -> web.AppRunner:
    """Listen on `host` and `port`, 0 for a free one, until the runner's `cleanup`.

    `port_name` is where people set the port. Raises `WebError` if listening fails, for instance if
    the port is in use.
    """
    runner = Runner(app)
    await runner.setup()
    try:
        await listen(runner, host, port)
    except (OSError, OverflowError) as error:
        await runner.cleanup()
        raise WebError(_refusal(error, host, port, port_name)) from error
    return runner


def url_of(runner: web.AppRunner) -> str:
    """Return the URL under which a served page can be opened on this machine."""
    host, port = runner.addresses[0][:2]
    if ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _refusal(error: OSError | OverflowError, host: str, port: int, port_name: str) -> str:
    if isinstance(error, OverflowError):
        return f"port {port} is no port: choose one from 1 to 65535, or 0 for a free one"
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use: choose another with {port_name}, or 0 for a free one"
        )
    return f"port {port} on {host} can't be listened on: {error.strerror or error}"


def _file(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = resources.files("agents.serve").joinpath("page", name).read_bytes()

    async def file(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8")

    return file


class _Newest:
    """The status as JSON, made once for all requests."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._text = b""
        self._due = 0.0
        self._one = asyncio.Lock()

    async def text(self, *, anew: bool = False) -> bytes:
        """Return the JSON, made anew if it is too old or `anew` says so."""
        async with self._one:
            if time.perf_counter() < self._due and not anew:
                return self._text
            making = Timed(self._status())
            status = await making
            began = time.thread_time()
            self._text = orjson.dumps(status)
            taken = making.seconds + time.thread_time() - began
            self._due = time.perf_counter() + taken / STATUS_TIME_SHARE
            return self._text


def _status(newest: _Newest) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def status_now(_: web.Request) -> web.Response:
        return web.Response(body=await newest.text(), content_type="application/json")

    return status_now


def _lines(lines: Lines) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def lines_now(request: web.Request) -> web.Response:
        try:
            query = msgspec.convert(dict(request.query), Query)
            found = await lines(query)
        except msgspec.ValidationError:
            known = ", ".join(Query.__struct_fields__)
            return web.Response(status=400, text=f"lines are asked for by these only: {known}\n")
        except Trouble as error:
            headers = {hdrs.RETRY_AFTER: "5"}
            return web.Response(status=503, text=f"{error}\n", headers=headers)
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    return lines_now


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


class _Feed:
    """The newest status, one for each tick, and its listeners.

    There is no queue: a listener is sent the newest status when it has taken the one before.
    """

    def __init__(self, newest: _Newest, interval: float) -> None:
        self._status = newest
        self._interval = interval
        self._one = asyncio.Lock()
        self._message = b""
        self._due = 0.0
        self._streams = Streams()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send the status, now and at every tick, until the listener goes or the app shuts down."""
        if self._streams.full:
            return web.Response(status=503, text=f"{FULL}\n", headers={hdrs.RETRY_AFTER: "5"})
        return await self._streams.stream(request, self._send_statuses)

    async def _send_statuses(self, request: web.Request, response: web.StreamResponse) -> None:
        sent = b""
        while request[STILL]():
            ending = self._streams.closing.is_set()
            message = await self._newest(ending)
            news = message != sent if ending else message is not sent
            if news and not await self._streams.send(request, response, message):
                return
            if ending:
                return
            sent = message
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._due):
                    await self._streams.closing.wait()

    async def _newest(self, ending: bool) -> bytes:
        """Return the message of this tick; the first listener that asks makes it for all."""
        loop = asyncio.get_running_loop()
        async with self._one:
            if loop.time() < self._due:
                return self._message
            text = await self._status.text(anew=ending)
            self._message = b"data: " + text + b"\n\n"
            fan_out = len(self._message) * self._streams.count / BYTES_PER_SECOND_MAX
            pause = min(max(self._interval, fan_out), PAUSE_SECONDS_MAX)
            self._due = loop.time() + pause
            return self._message

    async def close(self, _: web.Application) -> None:
        """End all streams: in order while they wait for a tick, at once while stuck in a write."""
        self._due = 0.0  # the last message has the latest status
        self._streams.close()
