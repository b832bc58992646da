"""Streams of Server-Sent Events: who listens, and what becomes of one that is too slow."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import hdrs, web

from agents.serve.http_server import Handler

LISTENERS_MAX: Final = 100
"""More listeners would take time from the stream of events; a reverse proxy can fan out."""

SLICE_BYTES: Final = 65_536
"""Written to a listener before its socket must have taken it: bounds the buffer of each."""

WRITE_SECONDS_MAX: Final = 20.0
"""A listener that takes longer over one message is dropped; until then it skips messages."""

FULL: Final = f"{LISTENERS_MAX} listeners are here already: that's the most there can be"

Tell = Callable[[web.Request, web.StreamResponse], Awaitable[None]]
"""Sends a listener messages, until it goes or may hear no more."""


class Streams:
    """The listeners of one kind of stream."""

    def __init__(self) -> None:
        self.count = 0
        """How many listen."""
        self.closing = asyncio.Event()
        """Set once the streams have to end."""
        self._writing: set[asyncio.Transport] = set()

    @property
    def full(self) -> bool:
        """Whether one more would be too many."""
        return self.count >= LISTENERS_MAX

    async def stream(self, request: web.Request, tell: Tell) -> web.StreamResponse:
        """Let `tell` send messages until it returns or the listener goes."""
        response = web.StreamResponse()
        response.content_type, response.charset = "text/event-stream", "utf-8"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the stream back
        self.count += 1
        try:
            if isinstance(request.protocol, Handler):
                request.protocol.listen()
            await response.prepare(request)
            if request.method != hdrs.METH_HEAD:
                await tell(request, response)
        except ConnectionError:
            pass  # the listener went away
        finally:
            self.count -= 1
        return response

    async def send(
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

    def close(self) -> None:
        """End all streams: in order while they wait, at once while stuck in a write."""
        self.closing.set()
        for transport in self._writing:
            transport.abort()
