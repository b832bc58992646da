"""EDGE: what the agent that sends refused events again reads and writes through, embedded."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from streams.contract.topics import EXCEPTIONS, MES_EVENTS
from streams.embedded.log import Entry, PartitionLog
from streams.embedded.transport import Broker
from streams.log.lineage import RESENT_FROM, Header
from streams.log.record import Record
from streams.log.resending import Begun, ResendingLog, Resent

READ_RECORDS_MAX: Final = 1_000
"""Records that are read at once: how long the loop is kept busy."""

NOTES: Final = "lineside.resent"
"""A log of its own, with one partition, whose last records count."""


class _Plan(Struct):
    """The events that are about to be written, by partition: a frame for each, from `start` on."""

    partition: int
    start: int
    first: str
    """Which exception the first event of the frame is from, by its header."""
    exceptions: list[tuple[int, int]]


class _Note(Struct, omit_defaults=True):
    """What was noted last, by partition of exceptions, or what is about to be written."""

    notes: dict[int, str] | None = None
    plans: list[_Plan] | None = None


_read_note = msgspec.json.Decoder(_Note).decode


class LogResending:
    """The embedded log: this process is the only one, and nothing shuts it out.

    Before events are written, it's noted where they will lie. A frame is there whole or not at all,
    so that after a crash the log says which were written.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._own = broker.log.partition(NOTES, 0)
        self._notes: dict[int, str] = {}

    def leads(self) -> bool:
        """Return that this is this process's office."""
        return True

    async def rest(self) -> None:
        """Do nothing: there are no connections."""

    async def grown(self, seconds: float) -> None:
        """Wait until the log has grown, at most so long, and let others do something first."""
        await asyncio.sleep(0)
        await self._broker.wait(seconds)

    async def begin(self) -> Begun:
        """Return what the last process has noted, and what it has written after that."""
        plans: list[_Plan] = []
        offset = self._own.end_offset
        while offset > self._own.start_offset:
            offset -= 1
            note = _read_note(self._own.read(offset, 1)[0].value or b"")
            if note.notes is not None:
                self._notes = note.notes
                break
            plans += note.plans or []
        sent = [place for plan in plans if self._is_written(plan) for place in plan.exceptions]
        notes = {number: text.encode() for number, text in self._notes.items()}
        return Begun(notes, frozenset(sent))

    def _is_written(self, plan: _Plan) -> bool:
        """Return whether a frame is there: what lies where it begins is what it begins with."""
        log = self._broker.log.partition(MES_EVENTS, plan.partition)
        if log.start_offset > plan.start:
            return True  # so much has come since
        found = log.read(plan.start, 1)
        return bool(found) and _origin(found[0].headers) == plan.first

    async def bounds(self) -> Mapping[int, tuple[int, int]]:
        """Return the first and the next offset of each partition of exceptions."""
        logs = map(self._exceptions, range(self._broker.partitions))
        return {number: (log.start_offset, log.end_offset) for number, log in enumerate(logs)}

    async def read(
        self, starts: Mapping[int, int], ends: Mapping[int, int]
    ) -> AsyncIterator[tuple[int, Sequence[Record]]]:
        """Yield exceptions, many at a time."""
        for number, start in starts.items():
            at = start
            while at < ends[number]:
                records = self._exceptions(number).read(at, READ_RECORDS_MAX)
                found = [record for record in records if record.offset < ends[number]]
                if not found:
                    break
                at = found[-1].offset + 1
                yield number, found
                await asyncio.sleep(0)

    async def send(self, events: Sequence[Resent], notes: Mapping[int, bytes]) -> None:
        """Append what is about to be written, then events, then notes; nothing comes between."""
        placed: defaultdict[int, list[Resent]] = defaultdict(list)
        for event in events:
            placed[event.partition].append(event)
        if placed:
            self._note(_Note(plans=[self._plan(*each) for each in placed.items()]))
        now = round(time() * 1e3) * 1000
        for number, those in placed.items():
            entries: list[Entry] = [(now, one.key, one.value, one.headers) for one in those]
            self._broker.append(MES_EVENTS, number, entries)
        self._notes |= {number: note.decode() for number, note in notes.items()}
        self._note(_Note(notes=self._notes))

    def _plan(self, number: int, events: Sequence[Resent]) -> _Plan:
        start = self._broker.log.partition(MES_EVENTS, number).end_offset
        first = _origin(events[0].headers)
        return _Plan(number, start, first, [event.exception for event in events])

    def _note(self, note: _Note) -> None:
        self._own.append([(None, None, msgspec.json.encode(note), ())])

    def _exceptions(self, number: int) -> PartitionLog:
        return self._broker.log.partition(EXCEPTIONS, number)


def _origin(headers: Sequence[Header]) -> str:
    return (dict(headers).get(RESENT_FROM) or b"").decode()


if TYPE_CHECKING:
    _log: type[ResendingLog] = LogResending
