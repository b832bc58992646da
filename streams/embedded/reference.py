"""EDGE: what the agents of master data read and write through, on the embedded log."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING, Final

from streams.contract.topics import CLOCK, ERP_MASTER, MES_EVENTS, REFERENCE
from streams.embedded.log import Entry, PartitionLog
from streams.embedded.transport import Broker
from streams.log.headers import STRUCTURED
from streams.log.record import Outgoing, Record
from streams.log.reference import Pair, ReferenceLog

READ_RECORDS_MAX: Final = 1_000
"""Records that are read at once: how long the loop is kept busy."""

COPIED: Final = b"copied/"
"""On the clock's topic, the keys of notes on copying begin with this."""


class LogReference:
    """The embedded log: this process is the only one, and nothing shuts it out."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._at(REFERENCE).needed_from = 0  # for ever: it's the only copy
        self._at(ERP_MASTER).needed_from = 0  # until it's known how far it was read

    @property
    def partitions(self) -> int:
        """How many partitions `mes.events.v1` has."""
        return self._broker.partitions

    def leads(self) -> bool:
        """Return that master data is this process's office."""
        return True

    async def rest(self) -> None:
        """Do nothing: there are no connections."""

    async def identity(self, topic: str) -> str:  # noqa: ARG002  # on Kafka it matters
        """Return nothing: topics of the embedded log have no ids."""
        return ""

    async def grown(self, seconds: float) -> None:
        """Wait until the log has grown, at most so long, and let others do something first."""
        await asyncio.sleep(0)
        await self._broker.wait(seconds)

    async def end(self, topic: str) -> int:
        """Return the offset after a topic's last record."""
        return self._at(topic).end_offset

    async def read(self, topic: str, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """Yield records, many at a time; of `erp.master.v1` those before have been dealt with."""
        if topic == ERP_MASTER:
            self._at(topic).needed_from = start
        while start < end:
            records = self._at(topic).read(start, min(READ_RECORDS_MAX, end - start))
            found = [record for record in records if record.offset < end]
            if not found:
                return
            start = found[-1].offset + 1
            yield found
            await asyncio.sleep(0)

    async def take_office(self) -> None:
        """Do nothing: the lock of the data directory has shut out any other."""

    async def keep(self, exceptions: Sequence[Outgoing], records: Sequence[Outgoing]) -> None:
        """Append exceptions, then the records as one frame, which is there whole or not at all."""
        self._broker.send(exceptions)
        self._broker.send(records)

    async def noted(self) -> dict[int, bytes]:
        """Return the last note on each partition."""
        notes: dict[int, bytes] = {}
        async for records in self.read(CLOCK, 0, await self.end(CLOCK)):
            for record in records:
                if record.key is not None and record.key.startswith(COPIED):
                    notes[int(record.key.removeprefix(COPIED))] = record.value or b""
        return notes

    async def note(self, notes: Mapping[int, bytes]) -> None:
        """Append notes."""
        self._append(CLOCK, 0, ((COPIED + b"%d" % number, note) for number, note in notes.items()))

    async def copy(self, copies: Mapping[int, Sequence[Pair]]) -> None:
        """Append copies to partitions of `mes.events.v1`."""
        for number, pairs in copies.items():
            self._append(MES_EVENTS, number, pairs)
            await asyncio.sleep(0)

    def untaken(self) -> int:
        """Return 0: what is appended is read in turn with what appends."""
        return 0

    async def tell(self, records: Sequence[Pair]) -> None:
        """Append notes to `reference.v1`."""
        self._append(REFERENCE, 0, records)

    def _append(self, topic: str, number: int, pairs: Iterable[Pair]) -> None:
        now = round(time() * 1e3) * 1000
        entries: list[Entry] = [(now, key, value, (STRUCTURED,)) for key, value in pairs]
        self._broker.append(topic, number, entries)

    def _at(self, topic: str) -> PartitionLog:
        return self._broker.log.partition(topic, 0)


if TYPE_CHECKING:
    _log: type[ReferenceLog] = LogReference
