"""The agent that writes time: a `clock.tick.v1` to every input partition, now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from time import time
from typing import Final

import msgspec

from streams import instant
from streams.embedded import Broker
from streams.topics import INPUTS
from streams.transactions import SOURCE

ANYWHERE: Final = "*"


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


def tick_clock(broker: Broker, seconds: float) -> Callable[[], Awaitable[None]]:
    """Return the task that ticks every `seconds`; no total depends on when it does."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(seconds)
            now = round(time() * 1e3) * 1000
            value = tick_bytes(now)
            for topic in INPUTS:
                for number in range(broker.partitions):
                    broker.append(topic, number, [(now, None, value, ())])

    return tick
