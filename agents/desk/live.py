"""Server-sent events: that the books have changed, told to everybody who listens."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

import msgspec
from aiohttp import web

from agents.desk.access import PERSON
from agents.desk.errors import DeskError
from agents.desk.pool import Pool
from agents.serve.streams import FULL, LISTENERS_MAX, Streams
from tables.books.fresh import PulseAsked, pulse
from tables.books.plants import Plants

LOOK_SECONDS: Final = 2.0
"""Between two looks whether the books changed; nobody looks while nobody listens."""

KEEP_ALIVE_SECONDS: Final = 15.0
"""A stream that was silent for so long says that it's there: proxies drop silent connections."""


class Live:
    """What the books were at the last look, by the plants that somebody sees; its listeners."""

    def __init__(self, pool: Pool, look_seconds: float = LOOK_SECONDS) -> None:
        self._pool = pool
        self._look_seconds = look_seconds
        self._one = asyncio.Lock()
        self._seen: dict[Plants, tuple[float, dict[str, Any]]] = {}
        self._streams = Streams()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._streams.count

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Say that the books changed until the listener goes, or their token does."""
        if self._streams.full:
            raise DeskError("unavailable", FULL)
        return await self._streams.stream(request, self._tell)

    async def _tell(self, request: web.Request, response: web.StreamResponse) -> None:
        mark, silent_since = None, time.monotonic()
        while not self._streams.closing.is_set():
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
                if not await self._streams.send(request, response, message):
                    return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._streams.closing.wait()

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

    async def close(self, _: web.Application) -> None:
        """End all streams: in order while they wait, at once while stuck in a write."""
        self._streams.close()


def _message(now: dict[str, Any]) -> bytes:
    data = {
        "at": now["at"],
        "books_at": now["books_at"],
        "behind": now["behind"],
        "overview": True,
        "exceptions_open": now["exceptions_open"],
    }
    return b"event: changed\ndata: " + msgspec.json.encode(data) + b"\n\n"
