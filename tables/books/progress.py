"""EDGE: how the books are coming along: what the desk's page and its probes ask."""

import asyncio

from streams.log.record import TP


class Progress:
    """What the agent that fills the books tells the others of its process."""

    def __init__(self) -> None:
        self.changes = 0
        """Grows with each batch that is written."""
        self.behind: int | None = None
        """Records of this desk's partitions that are written, or processed, and not in the books;
        None: it isn't known yet."""
        self.trouble: str | None = None
        """Why the books aren't filled at the moment."""
        self.stopped: dict[TP, str] = {}
        """Partitions that aren't read any more, and why."""
        self.missed = 0
        """Records that were deleted from their topics before the books had them."""
        self.unread = 0
        """Records that couldn't be put into the books: lineside hasn't written them."""
        self.books_at: int | None = None
        """When the books took something last, in microseconds."""
        self.own: frozenset[TP] = frozenset()
        """The partitions that this desk reads."""
        self._grown = asyncio.Event()

    def grow(self, now: int) -> None:
        """Note that the books have changed."""
        self.changes += 1
        self.books_at = now
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def changed(self, seen: int, seconds: float) -> int:
        """Wait until `changes` isn't `seen`, at most so long; return it."""
        try:
            async with asyncio.timeout(seconds):
                while self.changes == seen:
                    await self._grown.wait()
        except TimeoutError:
            pass
        return self.changes
