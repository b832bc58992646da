"""The end offsets of a worker's input partitions, asked for on a connection of its own.

The consumer learns them, too, but only by fetching: if it silently stopped, it would see no lag.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from time import monotonic
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.types import TP

from streams.kafka.clients import Access
from streams.log.cancellation import asked_to_end

ASK_PAUSE_SECONDS: Final = 10.0
ASK_SECONDS_MAX: Final = 10.0
"""A question without an answer by then counts as failed."""

ANSWERS_SECONDS: Final = 30.0
"""A broker whose last answer is older than this counts as away."""

log = logging.getLogger("lineside.worker")


class Ends:
    """Asks for the ends of the partitions that `owned` returns, every `ASK_PAUSE_SECONDS`.

    `look` is given the same connection, to ask for more.
    """

    def __init__(
        self,
        clients: Access,
        owned: Callable[[], Collection[TP]],
        look: Callable[[AIOKafkaConsumer], Awaitable[None]],
    ) -> None:
        self.known: dict[TP, int] = {}
        """The offset after the last committed record, as of the last answer."""
        self._clients = clients
        self._owned = owned
        self._look = look
        self._heard = float("-inf")
        self._asking = asyncio.ensure_future(self._ask())

    @property
    def answers(self) -> bool:
        """Whether the broker has answered lately."""
        return monotonic() - self._heard < ANSWERS_SECONDS

    async def close(self) -> None:
        """Ask no more."""
        self._asking.cancel()
        await asyncio.wait([self._asking])

    async def _ask(self) -> None:
        while True:
            try:
                async with self._clients.reader() as reader:
                    while True:
                        wanted = [TopicPartition(*tp) for tp in self._owned()]
                        if wanted:
                            # First look for a topic that was made anew: no broker gives its ends.
                            async with asyncio.timeout(ASK_SECONDS_MAX):
                                await self._look(reader)
                            async with asyncio.timeout(ASK_SECONDS_MAX):
                                ends = await reader.end_offsets(wanted)
                            self.known = {TP(*tp): end for tp, end in ends.items()}
                            self._heard = monotonic()
                        await asyncio.sleep(ASK_PAUSE_SECONDS)
            except asyncio.CancelledError:
                if asked_to_end():
                    raise
            except Exception as error:  # the partitions are processed without these figures
                log.debug("the ends of the inputs aren't known: %r", error)
            await asyncio.sleep(ASK_PAUSE_SECONDS)
