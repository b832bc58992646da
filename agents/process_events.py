"""The agents that turn events into transactions and summaries, one partition batch at a time."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import msgspec
from faust import StreamT
from faust.types import TP
from msgspec.structs import replace

from agents.partition.meter import Meter
from agents.partition.opening import Open, Opened, Progress
from agents.partition.task import HELD_BYTES_MAX, Observe, PartitionTask
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS
from streams.log.batches import Batch
from streams.log.record import Outgoing
from tables.line.rules import Rules
from tables.partition.partition import Partition

LINES_MAX: Final = 20_000
LINES_MIN: Final = 500
"""Lines in the memory of a process, and at least of a partition: some 10 KB each. Other lines are
in the store only, until an event comes for them or a window is due."""

RECENT_RECORDS_MAX: Final = 30
"""The page shows this many of the latest transactions, summaries and exceptions."""

SEEN_BYTES_MAX: Final = 128 << 10
"""Up to this size a record is kept whole: the exception for a value of 64 KiB, with its headers."""

SEEN_ORIGINAL_CHARACTERS_MAX: Final = 8_192
"""A larger exception keeps this much of the original's base64, and no headers. A multiple of 4."""

RECENT_KINDS: Final = ("transactions", "summaries", "exceptions")

JOB_HELD_BYTES_MAX: Final = 4 * HELD_BYTES_MAX
"""Taken by all partitions together, and not lasting yet: past that, only one that holds nothing is
read, so that those that stand still stop no other; past twice that, none."""

OpenPartition = Callable[[TP, Progress], Awaitable[Opened]]
Seek = Callable[[TP, int], Awaitable[None]]


class Job:
    """What this process does: a task for each partition that is its own.

    An error in a partition is a bug or a broken disk: it ends the job (`failed`) rather than the
    partition's order. What wasn't made lasting is processed again after a restart.
    """

    def __init__(self, rules: dict[str, Rules], open_: OpenPartition) -> None:
        self.tasks: dict[TP, PartitionTask] = {}
        self.recent: dict[str, deque[Outgoing]] = {
            name: deque(maxlen=RECENT_RECORDS_MAX) for name in RECENT_KINDS
        }
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.joined = False
        """Whether partitions have been handed out to this process."""
        self.ending = False
        """Whether the process ends: it takes no partitions over any more."""
        self.meter = Meter()
        self.watchers: list[Observe] = []
        """Called with what has left, when all that belongs to it is lasting."""
        self.seek: Seek
        """Set by the app: tells its consumer where a partition goes on."""
        self._rules = rules
        self._open = open_

    @property
    def partitions(self) -> dict[TP, Partition]:
        """The partitions whose states are there, in order."""
        return {
            tp: task.partition
            for tp, task in sorted(self.tasks.items())
            if task.partition is not None
        }

    @property
    def ready(self) -> bool:
        """Whether every partition that is this process's own has its state."""
        return self.joined and all(task.partition is not None for task in self.tasks.values())

    def take_over(self, partitions: Collection[TP]) -> None:
        """Open these partitions, each as soon as its state is there."""
        assert not self.tasks, "partitions are taken over before the last ones are released"
        self.joined = True
        lines_max = max(LINES_MIN, LINES_MAX // max(len(partitions), 1))
        for tp in sorted(partitions):
            self.tasks[tp] = PartitionTask(
                tp.topic,
                tp.partition,
                self._rules[tp.topic],
                self._opener(tp),
                self._seeker(tp),
                self._observe,
                self.fail,
                self.meter,
                lines_max,
            )

    async def release(self) -> dict[TP, int]:
        """Close every partition: finish what is being written, and let go of the states.

        Return how far the states are.
        """
        self.joined = False
        await asyncio.gather(*(task.close() for task in self.tasks.values()))
        offsets = {tp: task.lasting for tp, task in self.tasks.items() if task.has_state}
        self.tasks.clear()
        return offsets

    def hungry(self) -> set[TP]:
        """Return the partitions that take another batch."""
        held = {tp: task.held_bytes for tp, task in self.tasks.items()}
        room = JOB_HELD_BYTES_MAX - sum(held.values())
        return {
            tp
            for tp, task in self.tasks.items()
            if task.hungry and (room > 0 or (not held[tp] and room > -JOB_HELD_BYTES_MAX))
        }

    def offsets(self) -> dict[TP, int]:
        """Return how far the states of open partitions are: all before that offset is lasting.

        One without a state is left out: what somebody has set for its first start stays.
        """
        return {
            tp: task.lasting
            for tp, task in self.tasks.items()
            if task.partition is not None and task.has_state
        }

    async def process(self, batch: Batch) -> None:
        """Hand a batch to its partition's task."""
        task = self.tasks.get(TP(batch.topic, batch.partition))
        if task is not None:
            await task.take(batch)

    def fail(self, error: BaseException) -> None:
        """End the job with an error, the first one if there are more."""
        with contextlib.suppress(asyncio.InvalidStateError):
            self.failed.set_exception(error)

    def _opener(self, tp: TP) -> Open:
        return lambda progress: self._open(tp, progress)

    def _seeker(self, tp: TP) -> Callable[[int], Awaitable[None]]:
        return lambda offset: self.seek(tp, offset)

    def _observe(self, outputs: Sequence[Outgoing]) -> None:
        for kind, records in _latest(outputs).items():
            self.recent[kind].extendleft(map(_seen, reversed(records)))
        for watch in self.watchers:
            watch(outputs)


def process_events(job: Job) -> Callable[[StreamT[Batch]], Awaitable[None]]:
    """Return the agent of an input topic."""

    async def process(batches: StreamT[Batch]) -> None:
        async for batch in batches:
            await job.process(batch)

    return process


def _seen(record: Outgoing) -> Outgoing:
    """Return a record as it's kept for people: of an exception past all measure the beginning.

    Thirty of sixteen megabytes would be kept else, and read each time that somebody looks.
    """
    if len(record.value) <= SEEN_BYTES_MAX:
        return record
    event = msgspec.json.decode(record.value)
    data = event["data"]
    if "value" in data:
        data |= {"value": data["value"][:SEEN_ORIGINAL_CHARACTERS_MAX], "headers": []}
        data["value_cut"] = True
    return replace(record, value=msgspec.json.encode(event))


def _latest(outputs: Sequence[Outgoing]) -> dict[str, list[Outgoing]]:
    """Return the latest records of each kind, newest first, however many of others follow them.

    This looks at each record at most once, which costs less than a hundredth of making it.
    """
    found: dict[str, list[Outgoing]] = {name: [] for name in RECENT_KINDS}
    kept_of = {ERP_TRANSACTIONS: found["transactions"], EXCEPTIONS: found["exceptions"]}
    summaries = found["summaries"]
    missing = len(RECENT_KINDS) * RECENT_RECORDS_MAX
    for record in reversed(outputs):
        kept = kept_of.get(record.topic, summaries)
        if len(kept) < RECENT_RECORDS_MAX:
            kept.append(record)
            missing -= 1
            if not missing:
                break
    return found
