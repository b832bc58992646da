"""The agent that sends refused events again, once the master data that they lacked has come."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from time import monotonic
from typing import Final

import msgspec

from streams.log.lineage import with_lineage
from streams.log.resending import ResendingLog, Resent
from streams.log.writing import Lost
from tables.reference.standing import Standing
from tables.reference.waiting import WAITING_MAX, Due, Waiting, Watched

LOOK_SECONDS: Final = 0.5
"""How often exceptions and master data are looked at."""

TOGETHER_MAX: Final = 1_000
"""Events of one write."""

SLICE_MAX: Final = 200
"""Exceptions that are read without a pause: about 10 ms of the event loop."""

NOTE_SECONDS: Final = 10.0
"""How often it is noted how far exceptions were read: a new worker reads so much again."""

SAY_SECONDS: Final = 60.0
"""How often the log says that events are given up."""

log = logging.getLogger("lineside.reference")

_read_note = msgspec.json.Decoder(Watched).decode


def resend_events(resending: ResendingLog, standing: Standing) -> Callable[[], Awaitable[None]]:
    """Return the task that does it, as long as this process has the office."""

    async def resend() -> None:
        resender: Resender | None = None
        while True:
            try:
                if resending.leads():
                    resender = resender or await Resender.begun(resending, standing)
                    await resender.round()
                else:
                    resender = None
                    await resending.rest()
            except Lost as error:
                log.warning("refused events weren't sent again: %s", error)
                resender = None
            await resending.grown(LOOK_SECONDS)

    return resend


class Resender:
    """Reads exceptions, and sends their events again when what they lack is in their partitions.

    What it sends is written together with the note that says so: each once, whatever is cut off.
    """

    def __init__(self, resending: ResendingLog, standing: Standing, waiting: Waiting) -> None:
        self.waiting = waiting
        self.count = 0
        """Events that were sent again."""
        self._resending = resending
        self._standing = standing
        self._read: dict[int, int] = {}
        """By partition of exceptions: all before this offset was read by this one."""
        self._looked: object = None
        """What was known, where, and what waited, when it was looked at last."""
        self._noted = monotonic()
        self._said = float("-inf")
        self._forgotten = 0

    @classmethod
    async def begun(cls, resending: ResendingLog, standing: Standing) -> "Resender":
        """Take the office, and go on where the last one was."""
        begun = await resending.begin()
        notes = {number: _read_note(note) for number, note in begun.notes.items()}
        return cls(resending, standing, Waiting(notes, begun.sent))

    async def round(self) -> None:
        """Take up new exceptions, and send what is due."""
        await self._take()
        looked = self._standing.learnt, self._standing.copied, self.waiting.changes
        if looked != self._looked:
            for part in _parted(self.waiting.due(self._standing)):
                self.waiting.go(part)
                await self._send([_resent(due) for due in part])
                self.count += len(part)
                log.debug("%d refused events were sent again", len(part))
            self._looked = looked
        if monotonic() - self._noted > NOTE_SECONDS:
            await self._send([])
        self._say()

    async def _take(self) -> None:
        ends, starts = {}, {}
        for number, (first, end) in (await self._resending.bounds()).items():
            ends[number] = end
            if number not in self._read or end < self._read[number]:
                self._read[number] = self.waiting.begin(number, first, end)
            if self._read[number] < end:
                starts[number] = self._read[number]
        async for number, exceptions in self._resending.read(starts, ends):
            for start in range(0, len(exceptions), SLICE_MAX):
                part = exceptions[start : start + SLICE_MAX]
                self.waiting.take(number, part, part[-1].offset + 1)
                await asyncio.sleep(0)
        for number in starts:  # the end of a transaction has an offset, too
            self.waiting.take(number, [], ends[number])
            self._read[number] = ends[number]

    async def _send(self, events: Sequence[Resent]) -> None:
        notes = {number: msgspec.json.encode(one) for number, one in self.waiting.noted()}
        if events or notes:
            await self._resending.send(events, notes)
        self._noted = monotonic()

    def _say(self) -> None:
        """Say how many are given up: a person has to send them again."""
        forgotten = self.waiting.forgotten
        if forgotten > self._forgotten and monotonic() - self._said >= SAY_SECONDS:
            log.warning(
                "%d events that lack master data won't be sent again by themselves: more than "
                "%d waited, or their exceptions are gone; send them again when it has come",
                forgotten - self._forgotten, WAITING_MAX,
            )  # fmt: skip
            self._said, self._forgotten = monotonic(), forgotten


def _parted(due: Sequence[Due]) -> Iterator[Sequence[Due]]:
    for start in range(0, len(due), TOGETHER_MAX):
        yield due[start : start + TOGETHER_MAX]


def _resent(due: Due) -> Resent:
    waiter = due.waiter
    record = waiter.record
    headers = with_lineage(record.headers, waiter.exception, due.offset)
    return Resent(waiter.place, waiter.partition, record.key, record.value or b"", headers)
