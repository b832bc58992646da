"""EDGE: what the desk writes through, on the embedded log: one process, one log, one plan."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from streams.contract.acts import act_of
from streams.contract.topics import AUDIT
from streams.embedded.log import Entry, LogError, PartitionLog
from streams.embedded.transport import Broker
from streams.log.desk import Again, DeskLog, Sending
from streams.log.headers import STRUCTURED
from streams.log.lineage import resent_by
from streams.log.record import TP, Record, partition_of
from streams.log.writing import Lost
from streams.trouble import Trouble

READ_RECORDS_MAX: Final = 1_000
"""Records that are read at once: how long the loop is kept busy."""

PLANS: Final = "lineside.desk"
"""A log of its own, with one partition: where events are about to be written."""


Place = tuple[str, int, int]
"""(topic, partition, offset)"""


class CutOffError(Trouble, Lost):
    """A part was written, and the rest couldn't be: it's written as soon as it can."""


class _Event(Struct, frozen=True):
    """What is sent again with an act, by the act's id."""

    id: str
    again: Again


class _Plan(Struct):
    """Where the events of acts are about to be written: by act, topic, partition and offset."""

    places: dict[str, Place]


_encode = msgspec.json.Encoder().encode
_read_plan = msgspec.json.Decoder(_Plan).decode


class LogDesk:
    """The embedded log: this process is the only one, and nothing shuts it out.

    Events are written first, then the acts. Before that it's noted where the events will lie. A
    frame is there whole or not at all, so that after a crash the log says which were written.
    """

    alone = True

    def __init__(self, broker: Broker, sender: str) -> None:
        """Take the log, and a name that no desk before has had."""
        self._broker = broker
        self._sender = sender
        self._plans = broker.log.partition(PLANS, 0)

    @property
    def sender(self) -> str:
        """The name under which this desk writes."""
        return self._sender

    async def send(self, sendings: Sequence[Sending]) -> None:
        """Append what is about to be written, then events, then acts; nothing comes between.

        Raises `LogError` if nothing of it was written, and `CutOffError` if a part was.
        """
        placed = self._placed(sendings)
        if placed:
            self._plans.append([(None, None, _encode(_Plan(self._places(placed))), ())])
        frames = [(*at, [_entry_of(one.again) for one in those]) for at, those in placed.items()]
        frames.append((AUDIT, 0, [_entry_of_act(one) for one in sendings]))
        for written, (topic, number, entries) in enumerate(frames):
            try:
                self._broker.append(topic, number, entries)
            except LogError as error:
                if written:
                    raise CutOffError(str(error)) from error
                raise

    async def complete(self, sender: str, sendings: Sequence[Sending], start: int) -> None:
        """Write of these acts and events what isn't there. Raises `CutOffError`."""
        del sender  # the lock of the data directory has shut it out
        noted = await self._acts_from(start, {one.id for one in sendings})
        places = await self._planned({one.id for one in sendings} - noted)
        left = []
        for one in sendings:
            if one.id not in noted:
                there = one.id in places and self._is_written(one.id, places[one.id])
                again = None if there else one.again
                left.append(Sending(one.id, one.subject, one.act, again))
        try:
            await self.send(left)
        except LogError as error:
            raise CutOffError(str(error)) from error

    async def close(self) -> None:
        """Do nothing: the log is its process's."""

    def _placed(self, sendings: Sequence[Sending]) -> Mapping[TP, list[_Event]]:
        placed: defaultdict[TP, list[_Event]] = defaultdict(list)
        for one in sendings:
            if one.again is not None:
                again, number = one.again, one.again.partition
                count = self._broker.partitions_of(again.topic)
                if number is None or number >= count:
                    number = partition_of(again.key, count)
                placed[again.topic, number].append(_Event(one.id, again))
        return placed

    def _places(self, placed: Mapping[TP, list[_Event]]) -> dict[str, Place]:
        places: dict[str, Place] = {}
        for (topic, number), those in placed.items():
            end = self._broker.log.partition(topic, number).end_offset
            for offset, one in enumerate(those, end):
                places[one.id] = topic, number, offset
        return places

    async def _acts_from(self, start: int, wanted: Collection[str]) -> set[str]:
        found = set()
        async for records in self._read(self._broker.log.partition(AUDIT, 0), start):
            acts = map(act_of, (record.value for record in records))
            found |= {act.id for act in acts if act is not None and act.id in wanted}
        return found

    async def _planned(self, wanted: Collection[str]) -> dict[str, Place]:
        """Return where acts' events were to be written last."""
        found: dict[str, Place] = {}
        if wanted:
            async for records in self._read(self._plans, 0):
                for record in records:
                    places = _read_plan(record.value or b"").places
                    found |= {id: place for id, place in places.items() if id in wanted}
        return found

    def _is_written(self, id: str, place: Place) -> bool:
        """Return whether an act's event lies where it was to be written."""
        topic, number, offset = place
        log = self._broker.log.partition(topic, number)
        if log.start_offset > offset:
            return True  # so much has come since
        found = log.read(offset, 1)
        return bool(found) and resent_by(found[0].headers) == id

    async def _read(self, log: PartitionLog, start: int) -> AsyncIterator[Sequence[Record]]:
        at = start
        while records := log.read(at, READ_RECORDS_MAX):
            at = records[-1].offset + 1
            yield records
            await asyncio.sleep(0)


def _entry_of(again: Again) -> Entry:
    return _now(), again.key, again.value, again.headers


def _entry_of_act(sending: Sending) -> Entry:
    return _now(), sending.subject.encode(), sending.act, (STRUCTURED,)


def _now() -> int:
    return round(time() * 1e3) * 1000


if TYPE_CHECKING:
    _log: type[DeskLog] = LogDesk
