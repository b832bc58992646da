"""Server-sent events: that the books have changed, told to everybody who listens."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from agents.desk.access import PERSON
from agents.desk.errors import DeskError
from agents.desk.pool import Pool
from agents.serve.http_server import Handler
from tables.books.fresh import PulseAsked, pulse
from tables.books.plants import Plants

LOOK_SECONDS: Final = 2.0
"""Between two looks whether the books changed; nobody looks while nobody listens."""

KEEP_ALIVE_SECONDS: Final = 15.0
"""A stream that was silent for so long says that it's there: proxies drop silent connections."""

LISTENERS_MAX: Final = 100
"""Each holds a connection; a reverse proxy can fan out."""

WRITE_SECONDS_MAX: Final = 20.0
"""A listener that takes longer over one message is dropped."""


class Live:
    """What the books were at the last look, by the plants that somebody sees; its listeners."""

    def __init__(self, pool: Pool, look_seconds: float = LOOK_SECONDS) -> None:
        self._pool = pool
        self._look_seconds = look_seconds
        self._one = asyncio.Lock()
        self._seen: dict[Plants, tuple[float, dict[str, Any]]] = {}
        self._listeners = 0
        self._writing: set[asyncio.Transport] = set()
        self._closing = asyncio.Event()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._listeners

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Say that the books changed until the listener goes, or their token does."""
        if self._listeners >= LISTENERS_MAX:
            said = f"{LISTENERS_MAX} listeners are here already: that's the most there can be"
            raise DeskError("unavailable", said)
        response = web.StreamResponse()
        response.content_type, response.charset = "text/event-stream", "utf-8"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the stream back
        self._listeners += 1
        try:
            if isinstance(request.protocol, Handler):
                request.protocol.listen()
            await response.prepare(request)
            if request.method != hdrs.METH_HEAD:
                await self._tell(request, response)
        except ConnectionError:
            pass  # the listener went away
        finally:
            self._listeners -= 1
        return response

    async def _tell(self, request: web.Request, response: web.StreamResponse) -> None:
        mark, silent_since = None, time.monotonic()
        while not self._closing.is_set():
            person = request[PERSON]()
            if person is None:
                return
            message = b""
            with suppress(DeskError):  # the database is away: say nothing of it until it's back
                now = await self._look(person.plants)
                if now["mark"] != mark:
                    mark, message = now["mark"], _message(now)
            if not message and time.monotonic() - silent_since >= KEEP_ALIVE_SECONDS:
                message = b": keep-alive\n\n"
            if message:
                silent_since = time.monotonic()
                if not await self._send(request, response, message):
                    return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._closing.wait()

    async def _look(self, plants: Plants) -> dict[str, Any]:
        """Return what the books are now; the first listener that asks looks for all."""
        async with self._one:
            due, found = self._seen.get(plants, (0.0, {}))
            if time.monotonic() < due:
                return found
            now = time.time_ns() // 1_000
            found = await self._pool.read(lambda one: pulse(one, plants, PulseAsked(), now))
            if len(self._seen) > LISTENERS_MAX:
                self._seen.clear()
            self._seen[plants] = time.monotonic() + self._look_seconds / 2, found
            return found

    async def _send(
        self, request: web.Request, response: web.StreamResponse, message: bytes
    ) -> bool:
        """Write a message; return False if the listener was too slow for it."""
        transport = request.transport
        if transport is None:
            return False
        self._writing.add(transport)
        try:
            async with asyncio.timeout(WRITE_SECONDS_MAX):
                await response.write(message)
        except TimeoutError:
            transport.abort()
            return False
        finally:
            self._writing.discard(transport)
        return True

    async def close(self, _: web.Application) -> None:
        """End all streams: in order while they wait, at once while stuck in a write."""
        self._closing.set()
        for transport in self._writing:
            transport.abort()


def _message(now: dict[str, Any]) -> bytes:
    data = {
        "at": now["at"],
        "books_at": now["books_at"],
        "behind": now["behind"],
        "overview": True,
        "exceptions_open": now["exceptions_open"],
    }
    return b"event: changed\ndata: " + msgspec.json.encode(data) + b"\n\n"
