"""The agent that writes time: a `clock.tick.v1` to every input partition, now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from time import time
from typing import Final, Protocol

import msgspec

from streams.contract.transactions import SOURCE
from streams.values import instant

ANYWHERE: Final = "*"


class Ticker(Protocol):
    """Puts ticks on the input topics, if that is this process's office."""

    async def tick(self, slot: int, value: bytes) -> None:
        """Write the tick of the instant `slot` (microseconds), unless it was written already."""
        ...


def tick_bytes(at: int) -> bytes:
    """Return a tick for the instant `at`."""
    text = instant.text(at)
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "type": "clock.tick.v1",
            "source": SOURCE,
            "id": f"tick-{text}",
            "time": text,
            "plant": ANYWHERE,
            "line": ANYWHERE,
            "data": {},
        }
    )


def tick_clock(ticker: Ticker, seconds: float) -> Callable[[], Awaitable[None]]:
    """Return the task that ticks at each whole multiple of `seconds` since the epoch.

    Slots are the same in every process, so that one that takes over can't tick a slot again. No
    total depends on when a tick comes.
    """
    interval = round(seconds * instant.SECOND)

    async def tick() -> None:
        while True:
            now = round(time() * 1e6)
            slot = now - now % interval + interval
            await asyncio.sleep((slot - now) / 1e6)
            await ticker.tick(slot, tick_bytes(slot))

    return tick
