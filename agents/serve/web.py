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
from agents.serve.http_server import HEADERS, Handler, Runner, listen
from agents.serve.lines import Query
from agents.serve.probes import readiness
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

LISTENERS_MAX: Final = 100
"""More listeners would take time from the stream of events; a reverse proxy can fan out."""

INTERVAL_SECONDS_MIN: Final = 0.05
PAUSE_SECONDS_MAX: Final = 5.0
"""Listeners get a status at least this often, whatever it costs: after a longer silence the page
says that the connection is lost."""

STATUS_TIME_SHARE: Final = 0.01
"""Making and encoding statuses takes at most this share of the event loop; a request in between
gets the last status. Surveys of lines have a share of their own (turns.py)."""

BYTES_PER_SECOND_MAX: Final = 20_000_000
"""For all listeners together: a status of 500 lines is 0.2 MB."""

SLICE_BYTES: Final = 65_536
"""Written to a listener before its socket must have taken it: bounds the buffer of each."""

WRITE_SECONDS_MAX: Final = 20.0
"""A listener that takes longer over one status is dropped; until then it skips statuses."""


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


async def serve(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Listen on `host` and `port`, 0 for a free one, until the runner's `cleanup`.

    Raises `WebError` if that fails, for instance if the port is in use.
    """
    runner = Runner(app)
    await runner.setup()
    try:
        await listen(runner, host, port)
    except (OSError, OverflowError) as error:
        await runner.cleanup()
        raise WebError(_refusal(error, host, port)) from error
    return runner


def url_of(runner: web.AppRunner) -> str:
    """Return the URL under which a served page can be opened on this machine."""
    host, port = runner.addresses[0][:2]
    if ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _refusal(error: OSError | OverflowError, host: str, port: int) -> str:
    if isinstance(error, OverflowError):
        return f"port {port} is no port: choose one from 1 to 65535, or 0 for a free one"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: choose another with --port, or 0 for a free one"
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
        self._listeners = 0
        self._writing: set[asyncio.Transport] = set()
        self._closing = asyncio.Event()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send the status, now and at every tick, until the listener goes or the app shuts down."""
        if self._listeners >= LISTENERS_MAX:
            reason = f"{LISTENERS_MAX} listeners are here already: that's the most there can be\n"
            return web.Response(status=503, text=reason, headers={hdrs.RETRY_AFTER: "5"})
        response = web.StreamResponse()
        response.content_type, response.charset = "text/event-stream", "utf-8"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the stream back
        self._listeners += 1
        try:
            if isinstance(request.protocol, Handler):
                request.protocol.listen()
            await response.prepare(request)
            if request.method != hdrs.METH_HEAD:
                await self._send_statuses(request, response)
        except ConnectionError:
            pass  # the listener went away
        finally:
            self._listeners -= 1
        return response

    async def _send_statuses(self, request: web.Request, response: web.StreamResponse) -> None:
        sent = b""
        while request[STILL]():
            ending = self._closing.is_set()
            message = await self._newest(ending)
            news = message != sent if ending else message is not sent
            if news and not await self._send(request, response, message):
                return
            if ending:
                return
            sent = message
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._due):
                    await self._closing.wait()

    async def _send(
        self, request: web.Request, response: web.StreamResponse, message: bytes
    ) -> bool:
        """Write a message slice by slice; return False if the listener was too slow for it."""
        transport = request.transport
        if transport is None:
            return False
        self._writing.add(transport)
        try:
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                for start in range(0, len(message), SLICE_BYTES):
                    await response.write(message[start : start + SLICE_BYTES])
        except TimeoutError:
            transport.abort()
            return False
        finally:
            self._writing.discard(transport)
        return True

    async def _newest(self, ending: bool) -> bytes:
        """Return the message of this tick; the first listener that asks makes it for all."""
        loop = asyncio.get_running_loop()
        async with self._one:
            if loop.time() < self._due:
                return self._message
            text = await self._status.text(anew=ending)
            self._message = b"data: " + text + b"\n\n"
            fan_out = len(self._message) * self._listeners / BYTES_PER_SECOND_MAX
            pause = min(max(self._interval, fan_out), PAUSE_SECONDS_MAX)
            self._due = loop.time() + pause
            return self._message

    async def close(self, _: web.Application) -> None:
        """End all streams: in order while they wait for a tick, at once while stuck in a write."""
        self._closing.set()
        self._due = 0.0  # the last message has the latest status
        for transport in self._writing:
            transport.abort()
