"""What a desk consists of: the books, who may ask, what acts, and what watches."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection

from agents.desk.access import Access
from agents.desk.errors import DeskError
from agents.desk.live import Live
from agents.desk.measures import Measures
from agents.desk.pool import Pool
from agents.desk.workers import Workers
from tables.books.asked import AskedError
from tables.line.rules import Rules

if TYPE_CHECKING:
    from agents.desk.acts import Acting
    from agents.keep_books import Progress

STILL_SECONDS_MAX: Final = 300.0
"""Books that are behind and have taken nothing for so long, with the database there, stand still:
`/livez` fails."""

T = TypeVar("T")


class Desk:
    """A desk over books: everything that its routes need."""

    def __init__(
        self,
        *,
        name: str,
        pool: Pool,
        access: Access,
        rules: Rules,
        zones: Mapping[str, str],
        workers: Workers,
        progress: "Progress",
        approval: tuple[str, ...] = (),
        acting: "Acting | None" = None,
    ) -> None:
        self.name = name
        self.pool = pool
        self.access = access
        self.rules = rules
        self.zones = zones
        self.workers = workers
        self.approval = approval
        self.progress = progress
        self.acting = acting
        self.live = Live(pool)
        self.measures = Measures()
        self.ready = False
        """Whether the schema of the books is there, so that they can be asked."""
        self.waits_for = "the database"
        """What a desk that isn't ready waits for."""
        self._still = _Still()

    async def read(self, query: Callable[[Connection], T | None]) -> T:
        """Return what a query finds in the books. Raises `DeskError`; finding None is one, too."""
        if not self.ready:
            raise DeskError(
                "unavailable", f"the desk has just started, and waits: {self.waits_for}"
            )
        try:
            found = await self.pool.read(query)
        except AskedError as error:
            raise DeskError("invalid", str(error), error.member) from None
        if found is None:
            raise DeskError("not_found", "there is no such thing in the books, or it isn't yours")
        return found

    def still_seconds(self, now: float | None = None) -> float:
        """Return for how long the books have stood still though they are behind; 0: they haven't.

        A database or a log that is away doesn't count: no restart of the desk brings it back.
        """
        return self._still.look(self.progress, time.monotonic() if now is None else now)


class _Still:
    """When the books were last seen to take something, or to have nothing to do."""

    def __init__(self) -> None:
        self._changes = -1
        self._since = 0.0

    def look(self, progress: "Progress", now: float) -> float:
        idle = progress.behind in (None, 0) or progress.trouble is not None
        if idle or progress.changes != self._changes:
            self._changes, self._since = progress.changes, now
        return now - self._since


async def cancel(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
