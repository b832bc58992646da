"""The agent that keeps `reference.v1`: it checks and merges what comes on `erp.master.v1`."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from streams.contract.rejection import Rejection
from streams.contract.topics import ERP_MASTER, EXCEPTIONS, REFERENCE
from streams.log.record import Outgoing, Record
from streams.log.reference import ReferenceLog
from streams.log.writing import Lost
from tables.reference.keeping import Progress, Terms, kept, progress_of, progress_record
from tables.reference.known import Known
from tables.reference.standing import Standing

LOOK_SECONDS: Final = 0.5
"""How often `erp.master.v1` is looked at."""

TOGETHER_BYTES_MAX: Final = 4 << 20
"""Records of one write have so many bytes, about."""

log = logging.getLogger("lineside.reference")


def keep_reference(
    reference: ReferenceLog, terms: Terms, standing: Standing | None = None
) -> Callable[[], Awaitable[None]]:
    """Return the task that keeps it, as long as this process has the office.

    `standing` is told what is known.
    """
    told = standing or Standing()

    async def keep() -> None:
        keeper: Keeper | None = None
        while True:
            try:
                if reference.leads():
                    keeper = keeper or await Keeper.begun(reference, terms)
                    await keeper.round()
                    told.known, told.learnt = keeper.known, await keeper.looked()
                else:
                    keeper = None
                    await reference.rest()
            except Lost as error:
                log.warning("master data wasn't kept: %s", error)
                keeper = None
            await reference.grown(LOOK_SECONDS)

    return keep


class Keeper:
    """What is known, and up to where `erp.master.v1` has been read.

    Both are in `reference.v1`, and are written together: a record that was read leads to what it
    leads to once. An exception may be written again, the same, where the log has no transactions.
    """

    def __init__(self, reference: ReferenceLog, terms: Terms) -> None:
        self.known = Known()
        self.progress = Progress()
        """How far `erp.master.v1` has been read."""
        self.counts: Counter[str] = Counter()
        """Records that were kept, refused, or known already."""
        self._reference = reference
        self._terms = terms
        self._said = Progress()
        """What `reference.v1` says last of progress: from when this keeper began, its own."""
        self._learnt = 0

    @classmethod
    async def begun(cls, reference: ReferenceLog, terms: Terms) -> "Keeper":
        """Take the office, and learn all that is known."""
        keeper = cls(reference, terms)
        await reference.take_office()
        await keeper._learn()
        keeper.progress = keeper._said
        log.debug("master data: %d records are known", len(keeper.known))
        return keeper

    async def round(self) -> None:
        """Take what is new, if there is something."""
        topic_id = await self._reference.identity(ERP_MASTER)
        end = await self._reference.end(ERP_MASTER)
        start = self._start(topic_id, end)
        self.progress = Progress(start, topic_id or self.progress.topic_id)
        if end == start:
            return
        await self._learn()  # holds are written by others
        async for records in self._reference.read(ERP_MASTER, start, end):
            for part in _parted(records):
                await self._take(part)
        self._moved(end)  # the end of a transaction has an offset, too

    def _start(self, topic_id: str, end: int) -> int:
        """Return where `erp.master.v1` is to be read on: from 0 if it isn't what was read before.

        What is in it again is known, and changes nothing.
        """
        before = self.progress
        if end >= before.offset and (
            topic_id == before.topic_id or not (topic_id and before.topic_id)
        ):
            return before.offset
        log.warning(
            "%s was made anew: it ends at %d, and the one before was read up to %d; it is read "
            "from its beginning",
            ERP_MASTER, end, before.offset,
        )  # fmt: skip
        return 0

    def _moved(self, offset: int) -> None:
        self.progress = Progress(offset, self.progress.topic_id)

    async def looked(self) -> int:
        """Learn where in `reference.v1` all lies that is known; return where that ends now."""
        await self._learn()
        return self._learnt

    async def _take(self, records: Sequence[Record]) -> None:
        left: list[Outgoing] = []
        refused: list[Rejection] = []
        for record in records:
            each, read = kept(record, 0, self.known, self._terms)
            if each is None:
                self.counts["known"] += 1
                continue
            self.counts["refused" if each.topic == EXCEPTIONS else "kept"] += 1
            left.append(each)
            if isinstance(read, Rejection):
                refused.append(read)
            else:
                assert each.key is not None  # it was made from what it is of
                self.known.learn(each.key, each.value)
        read_to = Progress(records[-1].offset + 1, self.progress.topic_id)
        await self._reference.keep(
            [each for each in left if each.topic == EXCEPTIONS],
            [*(each for each in left if each.topic == REFERENCE), progress_record(read_to)],
        )
        self.progress = read_to
        if refused:
            log.warning(
                "%d records of %s were refused, the first as %s: %s",
                len(refused), ERP_MASTER, refused[0].code, refused[0].reason,
            )  # fmt: skip

    async def _learn(self) -> None:
        end = await self._reference.end(REFERENCE)
        async for records in self._reference.read(REFERENCE, self._learnt, end):
            for record in records:
                if record.key is not None:
                    self._said = progress_of(record.key, record.value) or self._said
                    self.known.learn(record.key, record.value, record.offset)
        self._learnt = end


def _parted(records: Sequence[Record]) -> list[Sequence[Record]]:
    parts: list[list[Record]] = []
    room = 0
    for record in records:
        size = len(record.value or b"")
        if size > room or not parts:
            parts.append([])
            room = TOGETHER_BYTES_MAX
        parts[-1].append(record)
        room -= size
    return list(parts)
