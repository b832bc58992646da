"""EDGE: what the agent that keeps the desk's books reads through, on the embedded log."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from streams.contract.topics import AUDIT, ERP_MASTER, INPUTS, OUTPUTS, REFERENCE
from streams.embedded.log import PartitionLog
from streams.embedded.transport import Broker
from streams.log.books import BooksLog, Bounds
from streams.log.record import TP, Record

READ_RECORDS_MAX: Final = 500
"""Records that are read at once: how long the loop is kept busy."""

UNREAD_RECORDS_MAX: Final = 2_000_000
"""Of an output's partition: so many are kept for books that can't be written. Some 1 GB."""


class LogBooks:
    """The embedded log: this process is the only one, and every partition is its own."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        topics = (*INPUTS, *OUTPUTS, REFERENCE, ERP_MASTER, AUDIT)
        self._all = frozenset(
            (topic, number) for topic in topics for number in range(broker.partitions_of(topic))
        )
        self._log(AUDIT, 0).needed_from = 0  # for ever: it's the only copy
        self.kept(dict.fromkeys(self._all, 0))

    async def partitions(self) -> frozenset[TP]:
        """Return all partitions."""
        return self._all

    async def own(self) -> frozenset[TP]:
        """Return all partitions."""
        return self._all

    async def processed(self) -> Mapping[TP, int]:
        """Return how far the states of inputs are that are lasting: what came of it was appended.

        It is what the consumer commits: records from there on are still needed.
        """
        found: dict[TP, int] = {}
        for topic in INPUTS:
            for number in range(self._broker.partitions):
                offset = self._log(topic, number).needed_from
                if offset is not None:
                    found[topic, number] = offset
        return found

    async def bounds(self, wanted: Collection[TP]) -> Mapping[TP, Bounds]:
        """Return where partitions begin and end."""
        logs = ((at, self._log(*at)) for at in wanted)
        return {at: Bounds(log.start_offset, log.end_offset) for at, log in logs}

    async def read(
        self, starts: Mapping[TP, int], ends: Mapping[TP, int]
    ) -> AsyncIterator[tuple[TP, Sequence[Record], int]]:
        """Yield records, some at a time, and let others do something in between."""
        for at, start in starts.items():
            offset = start
            while offset < ends[at]:
                count = min(READ_RECORDS_MAX, ends[at] - offset)
                found = self._log(*at).read(offset, count)
                records = [record for record in found if record.offset < ends[at]]
                if not records:
                    break
                offset = records[-1].offset + 1
                yield at, records, offset
                await asyncio.sleep(0)

    def kept(self, positions: Mapping[TP, int]) -> None:
        """Keep what the books lack of outputs; of inputs there are the last 256 MB anyway."""
        for (topic, number), offset in positions.items():
            if topic in OUTPUTS:
                log = self._log(topic, number)
                log.needed_from = max(offset, log.end_offset - UNREAD_RECORDS_MAX)

    async def grown(self, seconds: float) -> None:
        """Wait until the log has grown, at most so long, and let others do something first."""
        await asyncio.sleep(0)
        await self._broker.wait(seconds)

    def _log(self, topic: str, number: int) -> PartitionLog:
        return self._broker.log.partition(topic, number)


if TYPE_CHECKING:
    _log: type[BooksLog] = LogBooks
