"""The agent that copies `reference.v1` into the partitions of `mes.events.v1` that need it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Final

import msgspec

from streams.contract.topics import REFERENCE
from streams.log.record import Record
from streams.log.reference import ReferenceLog
from streams.log.writing import Lost
from tables.reference.spreading import Noted, Spreading
from tables.reference.standing import Standing

LOOK_SECONDS: Final = 0.5
"""How often `reference.v1` is looked at: a record is in its partitions within two seconds."""

NOTE_SECONDS: Final = 1.0
"""How often it is noted how far a long round has come: a new worker copies so much again."""

HELD_RECORDS_MAX: Final = 5_000
"""So many new records are held from learning to copying; of more, all are read again."""

TOGETHER_MAX: Final = 4_000
"""Records of `reference.v1` that are copied at a time."""

UNTAKEN_MAX: Final = 4_000
"""With more copies waiting in all partitions of this process, copying waits: events lie behind."""

UNTAKEN_SECONDS_MAX: Final = 1.0
"""It waits so long at most each time, since all may stand still."""

UNTAKEN_LOOK_SECONDS: Final = 0.02

SAY_SECONDS: Final = 60.0
"""How often the log says that nothing is copied."""

log = logging.getLogger("lineside.reference")

_read_note = msgspec.json.Decoder(Noted).decode


def spread_reference(
    reference: ReferenceLog, standing: Standing | None = None
) -> Callable[[], Awaitable[None]]:
    """Return the task that copies, as long as this process has the office.

    `standing` is told how far it has come.
    """
    told = standing or Standing()

    async def spread() -> None:
        spreader: _Spreader | None = None
        while True:
            try:
                if reference.leads():
                    spreader = spreader or await _Spreader.begun(reference)
                    await spreader.round()
                    told.copied = spreader.copied
                else:
                    spreader = None
                    await reference.rest()
            except Lost as error:
                log.warning("master data wasn't copied: %s", error)
                spreader = None
            await reference.grown(LOOK_SECONDS)

    return spread


class _Spreader:
    """Copies in rounds, each up to where `reference.v1` ended when it began."""

    def __init__(self, reference: ReferenceLog, spreading: Spreading) -> None:
        self._reference = reference
        self._spreading = spreading
        self._stopped = False
        """For good: a topic made anew grows past where the last one was."""
        self._said = float("-inf")
        self._noted = monotonic()
        self.copied: Mapping[int, Noted] = {}
        """How far each partition has come, after each round in which something was new."""

    @classmethod
    async def begun(cls, reference: ReferenceLog) -> "_Spreader":
        notes = {
            number: _read_note(note)
            for number, note in (await reference.noted()).items()
            if number < reference.partitions
        }
        identity = await reference.identity(REFERENCE)
        return cls(reference, Spreading(reference.partitions, notes, identity))

    async def round(self) -> None:
        """Copy what is new, if there is something."""
        spreading = self._spreading
        end = await self._reference.end(REFERENCE)
        self._stopped = self._stopped or spreading.is_another(end)
        if self._stopped:
            self._refuse(end)
            return
        if end == spreading.end:
            return
        first = spreading.end
        fresh = await self._learnt(first, end)
        begin = spreading.begin()
        held = fresh is not None and begin >= first
        count = 0
        async for records, to in _upto(self._from(fresh or [], begin, end, held), end):
            if count and records:
                await self._let_take()
            copies = spreading.copy(records, to)
            if copies:
                await self._reference.copy(copies)
                count += sum(map(len, copies.values()))
                if monotonic() - self._noted > NOTE_SECONDS:
                    await self._note()
        spreading.finish()
        self.copied = spreading.noted()
        if count:
            await self._note()

    async def _learnt(self, first: int, end: int) -> list[Record] | None:
        """Learn what is new; return it, None where it's too much to be held."""
        fresh: list[Record] | None = []
        async for records, to in _upto(self._reference.read(REFERENCE, first, end), end):
            self._spreading.learn(records, to)
            if fresh is not None:
                fresh = [*fresh, *records] if len(fresh) < HELD_RECORDS_MAX else None
        return fresh

    async def _from(
        self, fresh: list[Record], begin: int, end: int, held: bool
    ) -> AsyncIterator[Sequence[Record]]:
        if held:
            yield [record for record in fresh if record.offset >= begin]
            return
        async for records in self._reference.read(REFERENCE, begin, end):
            for at in range(0, len(records), TOGETHER_MAX):
                yield records[at : at + TOGETHER_MAX]

    async def _let_take(self) -> None:
        """Wait for the tasks of this process, which take what is copied."""
        until = monotonic() + UNTAKEN_SECONDS_MAX
        while self._reference.untaken() > UNTAKEN_MAX and monotonic() < until:  # noqa: ASYNC110  # tasks tell nobody
            await asyncio.sleep(UNTAKEN_LOOK_SECONDS)

    async def _note(self) -> None:
        notes = self._spreading.noted()
        await self._reference.note({number: msgspec.json.encode(notes[number]) for number in notes})
        self._noted = monotonic()

    def _refuse(self, end: int) -> None:
        """Say that `reference.v1` isn't what was copied before: its offsets mean something else."""
        now = monotonic()
        if now - self._said >= SAY_SECONDS:
            self._said = now
            log.error(
                "no master data is copied: %s ended at %d, and records up to %d of it were copied; "
                "it was made anew, or has lost records: see docs/add-master-data.md",
                REFERENCE, end, max(self._spreading.seen, self._spreading.end),
            )  # fmt: skip


async def _upto(
    read: AsyncIterator[Sequence[Record]], end: int
) -> AsyncIterator[tuple[Sequence[Record], int]]:
    """Yield records with the offset up to which all were given; the last time that is `end`.

    The end of a transaction has an offset, too, and is no record.
    """
    async for records in read:
        if records:
            yield records, records[-1].offset + 1
    yield [], end
