"""The agent that fills the desk's books from the topics, each record once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, time
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from streams.contract.policy import Policy
from streams.contract.topics import ERP_MASTER, EXCEPTIONS, REFERENCE
from streams.log.books import BooksLog
from streams.log.record import TP, Record
from streams.log.writing import Lost
from streams.trouble import Trouble
from tables.books.following import Following
from tables.books.gathering import Gathering, halves
from tables.books.opening import BooksError, migrate, trouble, writing
from tables.books.plan import JUDGED, Plan, behind, plan
from tables.books.positions import Known, note, noted, positions
from tables.books.progress import Progress as Progress
from tables.books.retention import keep_for
from tables.books.rows_outputs import measures_of
from tables.books.writing import Batch, write
from tables.reference.keeping import progress_of

LOOK_SECONDS: Final = 0.5
"""How often the topics are looked at where nothing says that they grew."""

RETRY_SECONDS: Final = 1.0
RETRY_SECONDS_MAX: Final = 30.0
"""A database or a cluster that is away is asked again after the first, then twice as late."""

SAY_SECONDS: Final = 60.0
"""How often the log says the same."""

SETTLE_SECONDS: Final = 4.0
"""The job says how far it is so long after a transaction has left, at most: it commits its offsets
every 2.8 s."""

FORGET_SECONDS: Final = 3_600.0
"""How often what is old is deleted: a while at a time, until nothing is."""

FORGET_SECONDS_MAX: Final = 1.0

TOO_MUCH: Final = "54"
"""SQL states of what goes beyond a limit of PostgreSQL begin with it."""

log = logging.getLogger("lineside.books")

T = TypeVar("T")


def keep_books(
    source: BooksLog,
    engine: Engine,
    progress: Progress,
    policy: Policy,
    books_days: int = 400,
    settle_seconds: float = SETTLE_SECONDS,
) -> Callable[[], Awaitable[None]]:
    """Return the task that does it; it ends by being cancelled, after what it is writing.

    `policy` says what of a summary is a measure; records stay in the books for `books_days`.
    Transactions are read `settle_seconds` later than what they are of (tables/books/following.py).
    """

    async def keep() -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="books") as thread:
            following = Following(settle_seconds)
            await Keeper(source, engine, progress, policy, books_days, thread, following).run()

    return keep


class Keeper:
    """Reads the partitions of a desk in rounds.

    A round first asks how far the job is, then where exceptions end. When the books have those,
    they have what became of all input records before the first: either an exception, or none.
    """

    def __init__(
        self,
        source: BooksLog,
        engine: Engine,
        progress: Progress,
        policy: Policy,
        days: int,
        thread: ThreadPoolExecutor,
        following: Following,
    ) -> None:
        self._source = source
        self._engine = engine
        self._progress = progress
        self._measures = measures_of(policy)
        self._days = days
        self._thread = thread
        self._following = following
        self._begun = False
        self._positions: dict[TP, int] = {}
        self._noted: dict[TP, Known] = {}
        self._masters: int | None = None
        """How far the job has read `erp.master.v1`, as far as the books know."""
        self._forget_at = float("-inf")
        self._said: dict[str, float] = {}

    async def run(self) -> None:
        """Fill the books for ever."""
        pause = RETRY_SECONDS
        while True:
            try:
                more = await self.round()
            except (Lost, Trouble, DBAPIError) as error:
                told = trouble(self._engine, error) if isinstance(error, DBAPIError) else error
                self._progress.trouble = str(told)
                self._say("trouble", f"the books aren't filled at the moment: {told}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)
                continue
            if self._progress.trouble is not None:
                log.info("the books are filled again")
            self._progress.trouble, pause = None, RETRY_SECONDS
            await self._source.grown(0.0 if more else LOOK_SECONDS)

    async def round(self) -> bool:
        """Read on in all partitions; return whether there is more to be read at once."""
        if not self._begun:
            await self._begin()
        own = self._progress.own = await self._source.own()
        refusals = {at for at in await self._source.partitions() if at[0] == EXCEPTIONS}
        processed = dict(await self._source.processed())
        if self._masters is not None:
            processed[ERP_MASTER, 0] = self._masters
        bounds = await self._source.bounds(own | refusals)
        self._positions = await self._in_thread(self._look)
        ends = {at: each.end for at, each in bounds.items()}
        followed = self._following.ends(monotonic(), ends, processed, self._positions)
        made = plan(own, processed, bounds, self._positions, followed)
        await self._tell(made)
        await self._read(made, made.of(refusals=True, judged=False))
        if not refusals <= own:  # other desks read the rest of them
            self._positions = await self._in_thread(self._look)
        ready = all(self._positions.get(at, 0) >= end for at, end in made.needs.items())
        await self._read(made, made.of(refusals=False, judged=ready))
        self._source.kept(self._positions)
        if monotonic() > self._forget_at:
            await self._forget()
        before, self._progress.behind = self._progress.behind, behind(made, self._positions)
        return ready and 0 < self._progress.behind != before

    async def _begin(self) -> None:
        await self._in_thread(lambda: migrate(self._engine))
        await self._forget()
        self._masters = await self._in_thread(self._known_masters)
        self._begun = True

    async def _tell(self, made: Plan) -> None:
        """Note how far the job is, and say what can't be read."""
        new = {at: one for at, one in made.known.items() if self._noted.get(at) != one}
        if new:
            await self._in_thread(lambda: self._note(new))
            self._noted |= new
        self._progress.behind = behind(made, self._positions)
        self._progress.stopped = made.stopped
        for at, why in made.stopped.items():
            self._say(f"{at}", why)

    async def _read(self, made: Plan, ends: Mapping[TP, int]) -> None:
        """Read partitions, and write them batch by batch."""
        lost: set[TP] = set()
        for at, end in ends.items():
            if made.starts[at] == end > self._positions.get(at, 0):  # its records are gone
                await self._write(made, at, [], end, lost)
        wanted = {at: end for at, end in ends.items() if made.starts[at] < end}
        gathering = Gathering()
        starts = {at: made.starts[at] for at in wanted}
        async for at, records, next_offset in self._source.read(starts, wanted):
            for full, waiting in gathering.add(at, records, next_offset):
                await self._write(made, full, waiting.records, waiting.next_offset, lost)
        for at, waiting in gathering.rest():
            await self._write(made, at, waiting.records, waiting.next_offset, lost)

    async def _write(
        self, made: Plan, at: TP, records: Sequence[Record], next_offset: int, lost: set[TP]
    ) -> None:
        """Write a batch; one with a record that the database can't hold is written in halves.

        A partition that another desk has moved on is `lost` for this round.
        """
        if at in lost:
            return
        needs = made.needs if at[0] in JUDGED else {}
        batch = Batch(at, self._positions.get(at), records, next_offset, needs)
        try:
            written = await self._in_thread(
                lambda: write(self._engine, batch, self._measures, _now())
            )
        except Exception as error:
            if not _by_content(error):
                raise
            if len(records) > 1:
                for part, end in halves(records, next_offset):
                    await self._write(made, at, part, end, lost)
                return
            log.error(
                "record %d of %s can't be put into the books: %r", records[0].offset, at, error
            )
            self._progress.unread += 1
            await self._write(made, at, [], next_offset, lost)
            return
        if written is None:
            lost.add(at)
            return
        self._positions[at] = next_offset
        self._count(made, at, written.unread)
        if at[0] == REFERENCE:
            await self._learn(records)

    def _count(self, made: Plan, at: TP, unread: int) -> None:
        missed = made.missed.pop(at, 0)
        if missed:
            self._progress.missed += missed
            log.warning("%d records of %s were deleted before the books had them", missed, at)
        if unread:
            self._progress.unread += unread
            self._say(f"unread {at}", f"{unread} records of {at} aren't lineside's: passed over")
        self._progress.grow(_now())

    async def _learn(self, records: Sequence[Record]) -> None:
        """Note how far the job has read `erp.master.v1`: in the books, since it's said once."""
        told = [progress_of(one.key or b"", one.value) for one in records]
        offsets = [one.offset for one in told if one is not None]
        if offsets:
            self._masters = offset = offsets[-1]
            at = ERP_MASTER, 0
            end = max(offset, self._noted[at].end if at in self._noted else 0)
            await self._in_thread(lambda: self._note({at: Known(offset, end)}))

    async def _forget(self) -> None:
        """Delete what is old, for a while."""
        until = monotonic() + FORGET_SECONDS_MAX
        await self._in_thread(
            lambda: keep_for(self._engine, self._days, _now(), lambda: monotonic() < until)
        )
        done = monotonic() < until
        self._forget_at = monotonic() + (FORGET_SECONDS if done else LOOK_SECONDS)

    def _look(self) -> dict[TP, int]:
        with self._engine.connect() as connection:
            return positions(connection)

    def _note(self, known: Mapping[TP, Known]) -> None:
        with writing(self._engine) as connection:
            note(connection, known, _now())

    def _known_masters(self) -> int | None:
        with self._engine.connect() as connection:
            return noted(connection, (ERP_MASTER, 0))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Let the thread do something; who is cancelled meanwhile waits until it's done."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    def _say(self, what: str, sentence: str) -> None:
        """Say something, but not the same again and again."""
        now = monotonic()
        if now - self._said.get(what, float("-inf")) >= SAY_SECONDS:
            self._said[what] = now
            log.warning("%s", sentence)


def _by_content(error: Exception) -> bool:
    """Return whether it is a record that can't be written, and not the database that can't."""
    if isinstance(error, DataError | IntegrityError):
        return True
    if isinstance(error, DBAPIError):
        return str(getattr(error.orig, "sqlstate", "") or "").startswith(TOO_MUCH)
    return not isinstance(error, BooksError | OSError)


def _now() -> int:
    return round(time() * 1e6)
