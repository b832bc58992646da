"""The agents that turn events into transactions and summaries, one partition batch at a time."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import time
from typing import Final

from faust import StreamT
from faust.types import TP

from streams.batches import Batch
from streams.record import Outgoing
from streams.topics import ERP_TRANSACTIONS, EXCEPTIONS
from tables.partition import Partition
from tables.rocksdb import RocksStore
from tables.rules import Rules

RECENT_RECORDS_MAX: Final = 30
"""So many of the latest transactions, summaries and exceptions are kept for people to look at."""

Deliver = Callable[[Sequence[Outgoing], int], Awaitable[None]]
"""Sends records with a timestamp (microseconds), and returns when they are acknowledged."""


class Job:
    """What this process does: its partitions, their rules, and what has left them lately.

    An error in a partition is a bug or a broken disk: it ends the job (`failed`) rather than the
    partition's order. What wasn't committed is processed again after a restart.
    """

    def __init__(self, rules: dict[str, Rules], folder: Path) -> None:
        self.partitions: dict[TP, Partition] = {}
        self.recent: dict[str, deque[Outgoing]] = {
            name: deque(maxlen=RECENT_RECORDS_MAX)
            for name in ("transactions", "summaries", "exceptions")
        }
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rules = rules
        self._folder = folder

    def open(self, tp: TP) -> Partition:
        """Return a partition with the state that it has on disk."""
        if tp not in self.partitions:
            rules = self._rules[tp.topic]
            store = RocksStore(self._folder / f"{tp.topic}-{tp.partition}")
            try:
                self.partitions[tp] = Partition(tp.topic, tp.partition, rules, store)
            except BaseException:
                store.close()
                raise
        return self.partitions[tp]

    def resume_offset(self, tp: TP) -> int:
        """Return the offset at which a partition goes on: after the last one in its state."""
        return self.open(tp).offset + 1

    async def process(self, batch: Batch, deliver: Deliver) -> None:
        """Process a batch: outputs first, and when they are acknowledged the state with the offset.

        A crash between the two repeats outputs with the same ids and content, and nothing else.
        """
        partition = self.open(TP(batch.topic, batch.partition))
        step = partition.step(batch.records)
        await deliver(step.outputs, round(time() * 1e3) * 1000)
        partition.commit(step)
        for record in step.outputs[-4 * RECENT_RECORDS_MAX :]:
            self.recent[_shelf(record.topic)].appendleft(record)

    def fail(self, error: BaseException) -> None:
        """End the job with an error, the first one if there are more."""
        with contextlib.suppress(asyncio.InvalidStateError):
            self.failed.set_exception(error)

    def close(self) -> None:
        """Close every partition's state."""
        while self.partitions:
            _, partition = self.partitions.popitem()
            partition.store.close()


def process_events(job: Job, deliver: Deliver) -> Callable[[StreamT[Batch]], Awaitable[None]]:
    """Return the agent of an input topic."""

    async def process(batches: StreamT[Batch]) -> None:
        async for batch in batches:
            try:
                await job.process(batch, deliver)
            except Exception as error:
                # Faust would acknowledge the batch and go on: stop here instead, for good.
                job.fail(error)
                await asyncio.Event().wait()

    return process


def _shelf(topic: str) -> str:
    if topic == ERP_TRANSACTIONS:
        return "transactions"
    return "exceptions" if topic == EXCEPTIONS else "summaries"
