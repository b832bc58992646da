"""The task of one input partition: it computes ahead, and makes what follows lasting in order."""

import asyncio
import contextlib
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from operator import attrgetter
from time import perf_counter
from typing import Final

from agents.partition.meter import Meter
from agents.partition.opening import Open, Progress, Resumption
from agents.partition.steps import (
    SEAL_BYTES_MAX,
    STEP_RECORDS_MAX,
    Computed,
    changes_bytes,
    fill,
    for_one_write,
    parts,
    records_bytes,
    step_bytes,
)
from streams.log.batches import Batch
from streams.log.cancellation import asked_to_end
from streams.log.record import Outgoing, Record
from streams.log.writing import Fenced, Lost, Writer
from tables.line.rules import Rules
from tables.partition.partition import Bounds, Partition
from tables.store.overlay import Overlay

BATCHES_WAITING_MAX: Final = 2
"""Batches that were fetched and not computed yet; with this many the partition isn't read."""

STEP_BOUNDS: Final = Bounds(output_bytes=4 << 20, rows=2_000, lines=1_000)
"""A step ends at the first of them: bounds what is held, and how long the loop is kept busy."""

STEP_SECONDS_MAX: Final = 0.25
STEP_RECORDS_MIN: Final = 50
"""A step that takes longer halves the size of the next ones, down to `STEP_RECORDS_MIN`: the event
loop does nothing else meanwhile, and a worker that is silent for a session loses its partitions."""

LINE_BYTES: Final = 1_000
"""What a line takes in a write, until one has shown how much it is."""

HELD_BYTES_MAX: Final = 16 << 20
"""Taken or computed and not written yet; past this the partition isn't read."""

REOPEN_SECONDS_MIN: Final = 0.5
REOPEN_SECONDS_MAX: Final = 10.0
"""Pause between two tries to open a partition whose broker is away; doubled each time."""

BUSY_SECONDS_MAX: Final = 0.5
"""Longer pause between two writes while more waits to be computed: lines are encoded once a write.
"""

FENCED_SECONDS: Final = 5.0
"""After it was fenced a worker waits this long: the group will say that the partition has moved."""

FINISH_SECONDS_MAX: Final = 4.0
"""A release waits this long for a write that has begun; then the next owner repeats it."""

log = logging.getLogger("lineside.partition")

Observe = Callable[[Sequence[Outgoing]], None]

Seek = Callable[[int], Awaitable[None]]
"""Sets the consumer to the offset at which the partition goes on."""


class PartitionTask:
    """Opens its partition, takes batches, and closes it: an actor with a state of its own.

    Three loops run: one computes steps on an overlay, one sends their outputs, one writes the state
    of the steps that were sent. Written state is in the store; `lasting` is the offset after it. If
    outputs and state leave in one transaction, there is no loop that sends. A loss (`Lost`) drops
    all that was computed ahead and opens the partition anew from the written state; any other error
    ends the job.
    """

    def __init__(
        self,
        topic: str,
        number: int,
        rules: Rules,
        open_: Open,
        seek: Seek,
        observe: Observe,
        fail: Callable[[BaseException], None],
        meter: Meter | None = None,
        lines_max: int | None = None,
    ) -> None:
        self.name = f"{topic}/{number}"
        self.partition: Partition | None = None
        """None until its state is there."""
        self.progress = Progress()
        self.lasting = 0
        """The next offset: outputs and state of every record before it are acknowledged."""
        self.has_state = False
        """Whether `lasting` comes from a state; before the first one it is where reading began."""
        self._topic, self._number, self._rules = topic, number, rules
        self._open, self._seek, self._observe, self._fail = open_, seek, observe, fail
        self._meter = Meter() if meter is None else meter
        self._lines_max = lines_max
        self._batches: deque[Sequence[Record]] = deque()
        self._held: deque[tuple[int, int]] = deque()
        """(end, bytes) of the batches that were taken and aren't written."""
        self._steps: deque[Computed] = deque()
        self._records_max = STEP_RECORDS_MAX
        self._line_bytes: float = LINE_BYTES
        """Of a line in the last seal."""
        self._sending = False
        self._next = 0
        self._moved = asyncio.Event()
        self._closing = False
        self._reopening: str | None = None
        """Why the partition has to be opened anew; None if it hasn't."""
        self._pause = REOPEN_SECONDS_MIN
        self._resumption = Resumption(self.name)
        self._running = asyncio.create_task(self._run(), name=self.name)

    @property
    def deleted(self) -> int:
        """How many records were deleted before they could be processed, and were left out."""
        return self._resumption.deleted

    @property
    def hungry(self) -> bool:
        """Whether the partition takes another batch."""
        return (
            self.partition is not None
            and not self._closing
            and len(self._batches) < BATCHES_WAITING_MAX
            and self.held_bytes < HELD_BYTES_MAX
        )

    @property
    def held_bytes(self) -> int:
        """Bytes of the batches that were taken and not written, and of the steps made of them."""
        while self._held and self._held[0][0] <= self.lasting:
            self._held.popleft()
        return sum([size for _, size in self._held]) + sum([step.bytes_ for step in self._steps])

    async def take(self, batch: Batch) -> None:
        """Take a batch that begins where the last one ended, or before that.

        An older batch is stale: drop it. A gap means that a batch got lost: seek back to the next
        expected offset.
        """
        if self.partition is None:
            return
        if batch.start <= self._next < batch.end:  # a step passes over what the state has seen
            self._next = batch.end
            self._batches.extend(parts(batch.records))
            self._held.append((batch.end, records_bytes(batch.records)))
            self._moved.set()
        elif batch.start > self._next:
            log.warning("%s: reading again from offset %d", self.name, self._next)
            await self._seek(self._next)

    def reopen(self, why: str) -> None:
        """Drop all that was computed ahead and open the partition anew: its topic has changed."""
        self._reopening = why
        self._moved.set()

    async def close(self) -> None:
        """Finish the write that has begun, drop everything else, and close the store."""
        self._closing = True
        self._moved.set()
        if self.partition is not None:
            await asyncio.wait([self._running], timeout=FINISH_SECONDS_MAX)
        self._running.cancel()
        await asyncio.wait([self._running])

    async def _run(self) -> None:
        while not self._closing:
            try:
                async with contextlib.AsyncExitStack() as stack:
                    await self._work(stack)
            except Fenced as error:
                log.warning("%s: %s", self.name, error)
                await self._rest(FENCED_SECONDS)
            except Lost as error:
                log.warning("%s: %s; trying again in %.1f s", self.name, error, self._pause)
                await self._rest(self._pause)
                self._pause = min(2 * self._pause, REOPEN_SECONDS_MAX)
            except asyncio.CancelledError:
                if asked_to_end():
                    raise
                log.warning("%s: opened anew after a client's task was cancelled", self.name)
                await self._rest(self._pause)
            except Exception as error:
                self._fail(error)
                return

    async def _work(self, stack: contextlib.AsyncExitStack) -> None:
        self.progress = Progress()
        self._reopening = None
        self._meter.opening(self._topic, self._number)
        opened = await self._open(self.progress)
        stack.push_async_callback(opened.writer.close)
        overlay = Overlay(opened.store)
        stack.callback(overlay.close)
        stack.callback(self._forget)
        partition = Partition(
            self._topic, self._number, self._rules, overlay, bounds=STEP_BOUNDS,
            lines_max=self._lines_max, later=True,
        )  # fmt: skip
        for _ in partition.loading():  # of many lines it takes longer than a session
            await asyncio.sleep(0)
        self.has_state = partition.offset >= 0
        partition.offset = self._resumption.offset(partition.offset + 1, opened) - 1
        self.lasting = self._next = partition.offset + 1
        self.partition = partition
        self._meter.opened(partition)
        await self._seek(self._next)
        writer = opened.writer
        self._sending = writer.sends_ahead
        loops = [self._compute(partition, overlay), self._write(partition, writer, overlay)]
        if writer.sends_ahead:
            loops.insert(1, self._send(partition, writer, overlay))
        running = [asyncio.ensure_future(loop) for loop in loops]
        try:
            await _all(running)  # an end: what is being written is finished first
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _forget(self) -> None:
        if self.partition is not None:
            self._meter.closed(self.partition)
        self.partition = None
        self._batches.clear()
        self._held.clear()
        self._steps.clear()

    async def _compute(self, partition: Partition, overlay: Overlay) -> None:
        while not self._closing:
            if self._reopening is not None:
                raise Lost(self._reopening)
            if fill(self._steps, 1) or not (self._batches or partition.unfinished):
                await self._wait()
                continue
            batch, began = self._next_batch(), perf_counter()
            before = partition.counts.records
            step = partition.step(batch)
            taken = bisect_right(batch, partition.offset, key=_offset)
            if taken and batch[taken - 1].offset == partition.offset:
                self._resumption.seen(batch[taken - 1])
            overlay.hold(step.changes)
            count = partition.counts.records - before
            rest = taken < len(batch)
            if rest:  # the step ended at a bound
                self._batches.appendleft(batch)
            seconds = perf_counter() - began
            if batch:
                self._pace(len(batch), seconds)
            self._meter.computed(count, seconds)
            sent = not (self._sending and step.outputs)
            posted = batch if step.outputs and not rest else ()
            self._steps.append(
                Computed(step.outputs, partition.offset, count, posted, sent, step_bytes(step))
            )
            if self._unsealed_bytes(partition) >= SEAL_BYTES_MAX:
                self._seal(partition, overlay)
            self._moved.set()
            await asyncio.sleep(0)  # lets heartbeats, pages and writers run

    def _next_batch(self) -> Sequence[Record]:
        """Return the records to compute next, none if there are none."""
        if not self._batches:
            return ()
        batch = self._batches.popleft()
        if len(batch) > self._records_max:
            batch, *rest = parts(batch, self._records_max)
            self._batches.extendleft(reversed(rest))
        return batch

    def _pace(self, records: int, seconds: float) -> None:
        """Adapt the size of steps to `STEP_SECONDS_MAX`."""
        if seconds > STEP_SECONDS_MAX:
            self._records_max = max(records // 2, STEP_RECORDS_MIN)
        elif seconds < STEP_SECONDS_MAX / 4:
            self._records_max = min(2 * self._records_max, STEP_RECORDS_MAX)

    def _unsealed_bytes(self, partition: Partition) -> float:
        """Return about how much the steps since the last seal will be, sealed."""
        size = self._line_bytes * len(partition.unsealed)
        for step in reversed(self._steps):
            if step.sealed:
                break
            size += step.bytes_
        return size

    def _seal(self, partition: Partition, overlay: Overlay) -> None:
        """Encode the lines that steps have changed since the last seal, once for all of them."""
        last = self._steps[-1]
        if last.sealed:
            return
        lines = len(partition.unsealed)
        with self._meter.stage("seal"):
            changes = partition.sealed()
            self._resumption.bind(changes)
            overlay.add(changes)
        size = changes_bytes(changes)
        if lines:
            self._line_bytes = size / lines
        last.bytes_ += size
        last.sealed = True

    async def _send(self, partition: Partition, writer: Writer, overlay: Overlay) -> None:
        """Send the outputs of all that has been computed, in order, before its state is written."""
        while not self._closing:
            steps = [step for step in self._steps if not step.sent]
            if not steps:
                await self._wait()
                continue
            self._seal(partition, overlay)
            with self._meter.stage("send"):
                await writer.send([record for step in steps for record in step.outputs])
            self._note(steps)
            for step in steps:
                step.sent = True
            self._moved.set()
        self._sending = False
        self._moved.set()

    async def _write(self, partition: Partition, writer: Writer, overlay: Overlay) -> None:
        """Write the state of the steps that were sent; at the end, of all of them."""
        while True:
            sent = self._sent()
            if sent and len(sent) == len(self._steps):
                self._seal(partition, overlay)
            steps = for_one_write(sent)
            if not steps:
                if self._closing and not self._sending:
                    return
                await self._wait()
                continue
            count = len(steps)
            outputs = [record for step in steps for record in step.outputs]
            changes = overlay.merged(count)
            with self._meter.stage("write"):
                noted = await writer.write([] if writer.sends_ahead else outputs, changes)
            self._note(steps)
            with self._meter.stage("settle"):
                overlay.settle(count, changes, noted)
            for _ in range(count):
                self._steps.popleft()
            self.lasting = steps[-1].offset + 1
            self.has_state = True
            self._pause = REOPEN_SECONDS_MIN
            self._moved.set()
            self._observe(outputs)
            if writer.pause_seconds:
                await self._gather(writer.pause_seconds)

    def _note(self, steps: Sequence[Computed]) -> None:
        """Note how old records are, now that their outputs are acknowledged."""
        self._meter.acknowledged([step.posted for step in steps])
        for step in steps:
            step.posted = ()

    def _sent(self) -> list[Computed]:
        """Return the steps whose state may be written: the first ones, up to one not sent yet."""
        return list(takewhile(lambda step: step.sent, self._steps))

    async def _gather(self, seconds: float) -> None:
        """Wait `seconds`, or until half of the steps that may wait are there: fewer writes.

        As long as more waits to be computed, the next write waits for that, too.
        """
        await self._wait_while(seconds, lambda: not fill(self._sent(), 0.5))
        await self._wait_while(
            BUSY_SECONDS_MAX, lambda: bool(self._batches) and not fill(self._sent(), 0.5)
        )

    async def _wait(self) -> None:
        """Wait until a batch or a step has come, or the task has to end."""
        self._moved.clear()
        await self._moved.wait()

    async def _rest(self, seconds: float) -> None:
        await self._wait_while(seconds, lambda: True)

    async def _wait_while(self, seconds: float, more: Callable[[], bool]) -> None:
        """Wait `seconds` at most, until `more` is false or the task has to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._closing and more():
                    await self._wait()


_offset = attrgetter("offset")


async def _all(running: Sequence[asyncio.Future[None]]) -> None:
    """Wait until all have ended; raise the first error, cancellations included."""
    for ended in asyncio.as_completed(running):
        await ended
