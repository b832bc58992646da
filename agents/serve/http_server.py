"""The page's HTTP server: time limits of connections, and what an error answers."""

import asyncio
import logging
import socket
from http import HTTPStatus
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from agents.serve.access import network_of
from agents.serve.connections import ANSWERED, IDLE, LISTENING, Connections, descriptors_max

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "lineside",  # aiohttp would name its version and Python's
}
"""Headers of every response, errors included."""

HEAD_SECONDS_MAX: Final = 15.0
"""A connection whose next request isn't complete by then is closed, idle or slow."""

ANSWER_SECONDS_MAX: Final = 20.0
"""A connection that hasn't taken its answer by then is dropped."""

LINGER_SECONDS: Final = 1.0
"""The rest of a refused request is read for this long, so that the client can read the answer."""

ACCEPTED_AT_ONCE: Final = 32
"""How many connections asyncio's own loop accepts before it reads from those it has: a client that
asks at once mustn't be the oldest before its request is read."""

QUEUE_MAX: Final = 1_024
"""Connections that the kernel keeps until they are accepted. A client that finds no room tries
again after a second, which is a long time for a probe."""

SHUTDOWN_SECONDS_MAX: Final = 2.0

log = logging.getLogger("lineside.page")


class Handler(RequestHandler):
    """A connection; the answer to an error quotes nothing of the request."""

    __slots__ = ("_deadline", "_line", "address", "doing")

    address: str
    doing: int
    _deadline: asyncio.TimerHandle | None
    _line: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection."""
        super().connection_made(transport)
        # No isinstance: uvloop's transports aren't asyncio's, and have the same methods.
        self._line = cast("asyncio.Transport", transport)
        self.address = network_of((transport.get_extra_info("peername") or ("",))[0])
        self._deadline = None
        self._do(IDLE)
        self._connections().add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of a connection."""
        self._end_by(None)
        if self._manager is not None:
            self._connections().remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; as soon as a request is complete, the connection isn't idle."""
        super().data_received(data)
        if self._messages and self.doing == IDLE:
            self._do(ANSWERED)

    async def _handle_request(self, *request: Any) -> tuple[web.StreamResponse, bool]:
        try:
            return await super()._handle_request(*request)
        finally:
            self._do(ANSWERED if self._messages else IDLE)

    def listen(self) -> None:
        """Let the answer take as long as it likes: its writer has limits of its own."""
        self._do(LISTENING)

    def hang_up(self) -> None:
        """Close the connection at once, even if not everything has been sent."""
        self._line.abort()

    def _do(self, what: int) -> None:
        self.doing = what
        if self._manager is None:  # it's closed already
            return
        self._connections().touch(self)
        # aiohttp closes idle ones earlier, but waits for ever for a client that doesn't read.
        seconds = {IDLE: HEAD_SECONDS_MAX + LINGER_SECONDS, ANSWERED: ANSWER_SECONDS_MAX}
        self._end_by(seconds.get(what))

    def _end_by(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self._loop.call_later(seconds, self.hang_up)

    def _connections(self) -> Connections:
        assert isinstance(self._manager, _Server)
        return self._manager.seats

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # aiohttp's, with parts of the request in it
    ) -> web.StreamResponse:
        """Return the answer to a request that aiohttp can't read or a handler failed on."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("a request failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        response = web.Response(
            status=status, text=f"{HTTPStatus(status).phrase}\n", headers=HEADERS
        )
        response.force_close()
        return response

    def log_exception(self, *_: Any, **options: Any) -> None:
        """Log the type of an error only: its text and traceback may quote the request."""
        log.error("a connection failed: %s", type(options.get("exc_info")).__name__)


class _Server(Server):
    """Gives each connection its handler."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seats = Connections(descriptors_max())

    def __call__(self) -> RequestHandler:
        return Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner of an application, on this server."""

    __slots__ = ()

    def __init__(self, app: web.Application) -> None:
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS_MAX,
            keepalive_timeout=HEAD_SECONDS_MAX,
            lingering_time=LINGER_SECONDS,
        )

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=asyncio.get_running_loop(),
            **made._kwargs,
        )


async def listen(runner: Runner, host: str, port: int) -> None:
    """Listen on `host` and `port`, until the runner's `cleanup`. Raises `OSError`."""
    site = web.TCPSite(runner, host, port, backlog=ACCEPTED_AT_ONCE)
    await site.start()
    for listening in getattr(site._server, "sockets", ()):
        with socket.fromfd(listening.fileno(), listening.family, listening.type) as one:
            one.listen(QUEUE_MAX)  # the same socket by another descriptor
