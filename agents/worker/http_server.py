"""The page's HTTP server: how many connections, how long for a request, what an error says."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

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
"""On every response, errors included."""

CONNECTIONS_MAX: Final = 250
"""Each takes a file descriptor, which the states need, too; who comes past that is hung up on."""

HEAD_SECONDS_MAX: Final = 15.0
"""A connection whose next request isn't there in whole by then is closed, idle or slow."""

LINGER_SECONDS: Final = 1.0
"""What comes of a request that was refused is read for so long, so that it can read the answer."""

SHUTDOWN_SECONDS_MAX: Final = 2.0

log = logging.getLogger("lineside.page")


class _Handler(RequestHandler):
    """A connection; errors are answered without a word of what was asked."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or hang up on one past the bound."""
        super().connection_made(transport)
        manager = self._manager
        if manager is not None and len(manager.connections) > CONNECTIONS_MAX:
            assert isinstance(transport, asyncio.Transport)
            transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # aiohttp's, with parts of the request in it
    ) -> web.StreamResponse:
        """Return the answer to what aiohttp can't read, or what a handler failed on."""
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
        """Log what aiohttp says of an error; a traceback of a malformed request has its text."""
        log.error("a connection failed: %s", type(options.get("exc_info")).__name__)


class _Server(Server):
    """Gives each connection its handler."""

    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


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
