"""How many entries the ledger of an open partition has, counted while the partition works."""

import asyncio
from itertools import islice
from time import perf_counter
from typing import Final

from tables.line.ledger import PREFIX
from tables.partition.partition import Partition
from tables.store.rocksdb import StateError

SLICE_ENTRIES: Final = 500
"""Counted in one go: half a millisecond."""

TIME_SHARE_MAX: Final = 0.02
"""Counting takes no more of the event loop than this: a million entries take a minute or two."""


class LedgerCount:
    """The entries found in the store of a partition that was just opened, and its growth since.

    The store is walked once, as it was at the opening. That pins files which RocksDB would
    otherwise drop, until the walk is over or the partition is closed.
    """

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._entries = partition.store.scan(PREFIX.encode())
        self._found = 0
        self._counting: asyncio.Task[None] | None = None
        if not self._count_some():
            self._counting = asyncio.create_task(self._count(), name="count the ledger")

    @property
    def keys(self) -> int | None:
        """How many entries there are, None while they are being counted."""
        return None if self._counting is not None else self._found + self._partition.ledger_grown

    def close(self) -> None:
        """Let go of the store."""
        if self._counting is not None:
            self._counting.cancel()
        self._entries = iter(())

    async def _count(self) -> None:
        over = False
        while not over:
            began = perf_counter()
            try:
                over = self._count_some()
            except StateError:  # the next write of the state raises it, too
                return
            await asyncio.sleep((perf_counter() - began) / TIME_SHARE_MAX)
        self._counting = None

    def _count_some(self) -> bool:
        """Count a slice; return whether it was the last."""
        found = sum(1 for _ in islice(self._entries, SLICE_ENTRIES))
        self._found += found
        return found < SLICE_ENTRIES
