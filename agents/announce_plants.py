"""The agent that tells which plants have lines in the partitions that this process owns."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from faust.types import TP

from streams.contract.topics import MES_EVENTS
from streams.log.reference import Pair, ReferenceLog
from streams.log.writing import Lost
from tables.partition.partition import Partition
from tables.reference.spreading import seen_record

LOOK_SECONDS: Final = 1.0

log = logging.getLogger("lineside.reference")


def announce_plants(
    reference: ReferenceLog, partitions: Callable[[], Mapping[TP, Partition]]
) -> Callable[[], Awaitable[None]]:
    """Return the task that looks at the lines of this process's partitions, again and again.

    A plant is told once for each opening of a partition's state. That it was told before does no
    harm: what counts is that it was told.
    """

    async def announce() -> None:
        seen = Seen()
        while True:
            try:
                fresh = seen.look(partitions())
                if fresh:
                    await reference.tell(fresh)
            except Lost as error:
                log.warning("plants weren't told: %s", error)
                seen = Seen()
            await asyncio.sleep(LOOK_SECONDS)

    return announce


class Seen:
    """Which lines of each partition in memory have been looked at."""

    def __init__(self) -> None:
        self._lines: dict[int, tuple[Partition, set[bytes], set[str]]] = {}
        """By partition: its state, the keys of its lines, and their plants."""

    def look(self, partitions: Mapping[TP, Partition]) -> list[Pair]:
        """Return the records that tell of plants that weren't seen before."""
        fresh: list[Pair] = []
        own = {tp.partition: each for tp, each in partitions.items() if tp.topic == MES_EVENTS}
        self._lines = {
            number: self._lines[number] if self._is_of(number, each) else (each, set(), set())
            for number, each in own.items()
        }
        for number, (partition, keys, plants) in list(self._lines.items()):
            new = partition.lines.keys() - keys
            named = {key.decode().partition("/")[0] for key in new}
            fresh += [seen_record(plant, number) for plant in sorted(named - plants)]
            self._lines[number] = partition, set(partition.lines), plants | named
        return fresh

    def _is_of(self, number: int, partition: Partition) -> bool:
        return number in self._lines and self._lines[number][0] is partition
