"""A partition's task: it writes in order, computes ahead, and after a loss goes on where it was."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import msgspec
import pytest
import uvloop
from hypothesis import example, given
from hypothesis import strategies as st

from agents.partition import task as partition_task
from agents.partition.opening import DeletedError, Opened, Progress, RenewedError
from agents.partition.steps import STEP_BYTES_MAX, STEPS_AHEAD_MAX
from agents.partition.task import BATCHES_WAITING_MAX, HELD_BYTES_MAX, PartitionTask
from draws import rngs, seeds, timings
from logs import printed_log
from runs import LASTING, START, confirmed, new_task, placed, stepped, value_of
from streams.contract.topics import MES_EVENTS
from streams.log.batches import Batch
from streams.log.record import Outgoing, Record
from streams.log.writing import Fenced, Lost, StateChange, StateChanges
from streams.trouble import Trouble
from tables.known.known import Known
from tables.line.line import counted_to
from tables.line.rules import Timing, rules_for
from tables.partition.head import read_head
from tables.partition.snapshot import LINES_AT_ONCE
from tables.partition.stored import EXPIRY, LINE, PAGE_BYTES, WINDOW
from tables.partition.stored_line import read_line
from tables.store.binding import BINDING, binding_change, binding_of, read_binding
from tables.store.store import HEAD, MemoryStore

SECONDS_MAX = 20.0
"""For what takes milliseconds."""

NOTE = b"c"
"""What a writer has the local store note besides."""

OFFSET_BYTES = 8
"""At the end of an expiry's key: of the batch that wrote it."""

TURNS = 50
"""Of the event loop: in so many a task does all that it is going to do."""


@pytest.fixture(autouse=True, scope="module")
def impatient() -> Iterator[None]:
    """A task doesn't rest between two tries."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REOPEN_SECONDS_MIN", "REOPEN_SECONDS_MAX", "FENCED_SECONDS"):
            patch.setattr(partition_task, name, 0.0)
        yield


class Cluster:
    """What outlives a task: what has left, and its state, as a broker's changelog has it."""

    def __init__(self, records: Sequence[Record], timing: Timing = LASTING) -> None:
        self.records = records
        self.rules = rules_for(MES_EVENTS, timing)
        self.left: list[Outgoing] = []
        self.state = MemoryStore()
        self.reached: list[int] = []
        """The offset after each write."""
        self.fate: Callable[[], str] = lambda: "written"
        """What becomes of the next send or write: `written`, `lost`, `unheard`."""
        self.opening: Callable[[], None] = lambda: None
        """Called before a partition opens; it may raise."""
        self.start = self.first = 0
        self.end_of_topic: int | None = None
        self.skip_deleted = self.same_log = False
        self.topic_id = b"the first topic."
        self.openings = 0
        self.together = False
        """Whether outputs and state are written together."""
        self.pause_seconds = 0.0
        self.writer: FakeWriter | None = None
        """The one that isn't closed."""
        self.store: FakeStore | None = None
        """The local store that isn't closed."""
        self.gate = asyncio.Event()
        """No state is written while it's closed."""
        self.outlet = asyncio.Event()
        """Nothing leaves ahead of its state while it's closed."""
        self.gate.set()
        self.outlet.set()

    @property
    def lasting(self) -> int:
        """The offset after what has become of the input for good."""
        (head,) = self.state.get_many([HEAD])
        return self.start if head is None else read_head(head, MES_EVENTS).offset + 1

    @property
    def end(self) -> int:
        return self.records[-1].offset + 1 if self.records else 0

    async def open(self, progress: Progress) -> Opened:
        """Open the partition from its changelog, as a host does."""
        self.openings += 1
        assert self.writer is None, "the writer before it isn't closed"
        assert self.store is None, "the store before it isn't closed"
        await asyncio.sleep(0)
        self.opening()
        self.store = FakeStore(self)
        self.store.write(self.state.scan(b""))
        self.writer = FakeWriter(self)
        binding = read_binding(self.store)
        last = [each for each in self.records if binding and each.offset == binding.offset]
        return Opened(
            self.store,
            self.writer,
            self.start,
            self.first,
            self.end_of_topic,
            self.skip_deleted,
            self.topic_id,
            last[0] if last else None,
            self.same_log,
        )


class FakeStore(MemoryStore):
    """A local store; only one is open at a time, as only one can have a directory."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster = cluster

    def close(self) -> None:
        assert self.cluster.store is self, "closed twice"
        self.cluster.store = None


class FakeWriter:
    """Writes to the cluster, unless it is fated to fail."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.sends_ahead = not cluster.together
        self.pause_seconds = cluster.pause_seconds
        self.sending = self.writing = False

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        """Let outputs leave."""
        cluster = self.cluster
        assert self.sends_ahead
        assert outputs
        assert not self.sending, "the one before it isn't over"
        self.sending = True
        fate = await self._fate(cluster.outlet)
        self.sending = False
        if fate == "lost":
            raise Lost("nothing has arrived")
        cluster.left += outputs
        if fate == "unheard":
            raise Lost("all has arrived, and nobody knows")

    async def write(
        self, outputs: Sequence[Outgoing], changes: StateChanges
    ) -> Sequence[StateChange]:
        """Write a state, and what leaves with it."""
        cluster = self.cluster
        assert not (self.sends_ahead and outputs)
        assert not self.writing, "the write before it isn't over"
        self.writing = True
        fate = await self._fate(cluster.gate)
        self.writing = False
        if fate == "lost":
            raise Lost("nothing has arrived")
        cluster.left += outputs
        cluster.state.write(changes.items())
        cluster.reached.append(cluster.lasting)
        if fate == "unheard":
            raise Fenced("all has arrived, and nobody knows")
        return [(NOTE, b"%d" % len(cluster.reached))]

    async def _fate(self, gate: asyncio.Event) -> str:
        assert self.cluster.writer is self, "it was closed"
        await asyncio.sleep(0)
        await gate.wait()
        return self.cluster.fate()

    async def close(self) -> None:
        """Let go."""
        assert self.cluster.writer is self, "closed twice"
        self.cluster.writer = None


class Reader:
    """A consumer of one partition, and the task that it feeds."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.position: int | None = None
        """None until the task says from where."""
        self.seeks: list[int] = []
        self.delivered: list[Batch] = []
        self.observed: list[Outgoing] = []
        self.failed: BaseException | None = None
        self.ended = asyncio.Event()
        self.task = PartitionTask(
            MES_EVENTS,
            0,
            cluster.rules,
            cluster.open,
            self.seek,
            self.observe,
            self.fail,
        )

    async def seek(self, offset: int) -> None:
        """Go on at an offset."""
        self.position = offset
        self.seeks.append(offset)

    def observe(self, outputs: Sequence[Outgoing]) -> None:
        """See what has left, when all that belongs to it is lasting."""
        self.observed += outputs
        assert self.task.lasting == self.cluster.lasting

    def fail(self, error: BaseException) -> None:
        """End the job."""
        assert self.failed is None
        self.failed = error
        self.ended.set()

    def batch(self, start: int, size: int) -> Batch | None:
        """Return what a fetch of so many records from an offset on gives."""
        records = [record for record in self.cluster.records if record.offset >= start][:size]
        return Batch(MES_EVENTS, 0, start, records) if records else None

    async def deliver(self, size: int) -> Batch | None:
        """Hand the next records to the task."""
        assert self.position is not None
        batch = self.batch(self.position, size)
        if batch is not None:
            self.position = batch.end
            self.delivered.append(batch)
            await self.task.take(batch)
        return batch

    async def until(self, true: Callable[[], object]) -> None:
        """Let others work until something is true."""
        async with asyncio.timeout(SECONDS_MAX):
            while not true():
                assert self.failed is None, repr(self.failed)
                await asyncio.sleep(0)

    async def feed(self, size: int) -> None:
        """Hand over all there is, in batches of a size, and wait until it's written."""
        async with asyncio.timeout(SECONDS_MAX):
            while self.cluster.lasting < self.cluster.end:
                await asyncio.sleep(0)
                if self.task.hungry:
                    await self.deliver(size)
        await self.until(lambda: self.task.lasting == self.cluster.end)


# Laws.


guarantees = st.tuples(st.just(True), st.just(LASTING) | timings) | st.tuples(
    st.just(False), st.just(LASTING)
)
"""Whether outputs and state are written together, and a timing: ids are unique where it lasts."""


@given(seeds, st.sampled_from([5, 60, 250]), guarantees, rngs)
@example(10996, 250, (False, LASTING), Random(0))  # rows that were dropped leave numbers of pages
def test_whatever_is_lost_on_the_way_what_has_left_and_the_state_are_as_if_nothing_had_been(
    seed: int, size: int, guarantee: tuple[bool, Timing], rng: Random
) -> None:
    """Losses at any write and opening, batches gone astray or come late, partitions moving."""
    atomic, timing = guarantee
    records = placed(printed_log(seed, size)).get((MES_EVENTS, 0), [])
    expected, store = undisturbed(records, timing)
    cluster = Cluster(records, timing)
    cluster.together = atomic
    cluster.pause_seconds = rng.choice([0.0, 0.001])
    mishap = rng.choice([0.0, 0.1, 0.3])
    cluster.fate = lambda: rng.choice(["lost", "unheard"]) if rng.random() < mishap else "written"

    def opening() -> None:
        if rng.random() < mishap:
            raise Lost("the broker is away")

    cluster.opening = opening
    asyncio.run(_disturbed(cluster, rng, mishap))
    left = cluster.left if atomic else without_repeats(cluster.left)
    assert by_line(left) == by_line(expected)
    if timing is LASTING:
        assert content(cluster.state) == content(store)
    if records:
        assert read_binding(cluster.state) == binding_of(records[-1], cluster.topic_id)


async def _disturbed(cluster: Cluster, rng: Random, mishap: float) -> None:
    """Feed a task all there is; a mishap with the probability given between any two batches."""
    reader = Reader(cluster)
    async with asyncio.timeout(SECONDS_MAX):
        while reader.task.lasting < cluster.end:
            assert reader.failed is None, repr(reader.failed)
            await asyncio.sleep(0)
            for _ in range(rng.choice([0, 0, 0, 5])):
                await asyncio.sleep(0)
            if rng.random() < mishap / 10:
                await reader.task.close()
                assert (cluster.writer, cluster.store) == (None, None)
                assert reader.task.lasting <= cluster.lasting
                reader = Reader(cluster)
            elif reader.task.hungry and reader.position is not None:
                await _fetch(reader, rng, mishap)
    await reader.task.close()
    assert reader.failed is None


async def _fetch(reader: Reader, rng: Random, mishap: float) -> None:
    assert reader.position is not None
    sizes = [1, 2, 3, 10, 50]
    if rng.random() < mishap and reader.delivered:  # one of an earlier reading comes late
        await reader.task.take(rng.choice(reader.delivered[-5:]))
    if rng.random() < mishap:  # one goes astray, and there are more
        astray = reader.batch(reader.position, rng.choice(sizes))
        if astray is not None and astray.end < reader.cluster.end:
            reader.position = astray.end
    await reader.deliver(rng.choice(sizes))


async def turns() -> None:
    """Let the task do all that it is going to do."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


# In order, and ahead.


def confirmations(count: int) -> list[Record]:
    """Return records that each lead to one posting at once."""
    return [Record(n, None, b"DE01/L1", confirmed(n)) for n in range(count)]


@asynccontextmanager
async def reading(cluster: Cluster) -> AsyncIterator[Reader]:
    """Give a reader whose partition is open, and close it."""
    reader = Reader(cluster)
    try:
        await reader.until(lambda: reader.task.hungry)
        yield reader
    finally:
        await reader.task.close()


async def full(reader: Reader) -> list[Batch]:
    """Hand over batches of one record while the task takes any; return them."""
    given = []
    await turns()
    while reader.task.hungry:
        batch = await reader.deliver(1)
        assert batch is not None
        given.append(batch)
        await turns()
    return given


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_what_follows_from_records_leaves_once_and_in_order(size: int) -> None:
    cluster = Cluster(confirmations(40))
    expected, _ = undisturbed(cluster.records)
    async with reading(cluster) as reader:
        await reader.feed(size)
        assert cluster.left == reader.observed == expected
        assert len(expected) == 40
        assert cluster.reached == sorted(set(cluster.reached))
        assert cluster.store is not None
        assert cluster.store.get_many([NOTE]) == [b"%d" % len(cluster.reached)]
        assert content(cluster.store) == content(cluster.state)


@pytest.mark.parametrize("together", [False, True])
async def test_it_computes_ahead_while_a_write_is_under_way_but_not_without_bounds(
    together: bool,
) -> None:
    cluster = Cluster(confirmations(40))
    cluster.together = together
    async with reading(cluster) as reader:
        cluster.gate.clear()
        given = await full(reader)
        assert len(given) == STEPS_AHEAD_MAX + BATCHES_WAITING_MAX
        task = reader.task
        assert task.partition is not None
        assert task.partition.offset + 1 == given[STEPS_AHEAD_MAX - 1].end
        assert task.lasting == 0
        assert reader.observed == []
        expected, _ = undisturbed(cluster.records)
        assert cluster.left == ([] if together else expected[:STEPS_AHEAD_MAX])
        cluster.gate.set()
        await reader.until(lambda: task.hungry)
        await reader.feed(1)
        assert cluster.left == expected


def large(count: int, size: int) -> list[Record]:
    """Return records with values that are refused for their size."""
    return [Record(n, None, b"DE01/L1", bytes(size)) for n in range(count)]


@pytest.mark.parametrize("together", [False, True])
async def test_what_it_holds_is_bounded_in_bytes_too(together: bool) -> None:
    cluster = Cluster(large(60, 1 << 20))
    cluster.together = together
    async with reading(cluster) as reader:
        cluster.gate.clear()
        cluster.outlet.clear()
        given = await full(reader)
        assert HELD_BYTES_MAX <= reader.task.held_bytes < HELD_BYTES_MAX + (3 << 20)
        assert len(given) < 17, "the records alone, without what they lead to"
        cluster.gate.set()
        cluster.outlet.set()
        await reader.feed(1)
        assert reader.task.held_bytes == 0
        assert len(cluster.left) == 60


async def test_a_batch_is_computed_in_steps_that_are_bounded_in_bytes() -> None:
    cluster = Cluster(large(11, 1 << 20))
    async with reading(cluster) as reader:
        cluster.gate.clear()
        cluster.outlet.clear()
        await reader.deliver(11)
        await reader.until(lambda: len(reader.task._steps) > 1)
        assert max(step.records for step in reader.task._steps) == (STEP_BYTES_MAX >> 20) - 1
        cluster.gate.set()
        cluster.outlet.set()
        await reader.feed(1)
        assert [value_of(one)["data"]["offset"] for one in cluster.left] == [*range(11)]


async def test_a_state_waits_for_what_leaves_before_it() -> None:
    cluster = Cluster(confirmations(40))
    async with reading(cluster) as reader:
        cluster.outlet.clear()
        await full(reader)
        assert (cluster.left, cluster.reached) == ([], [])
        cluster.outlet.set()
        await reader.feed(1)
        assert cluster.left == reader.observed == undisturbed(cluster.records)[0]


@pytest.mark.parametrize("together", [False, True])
async def test_what_was_computed_during_a_write_is_written_in_one(together: bool) -> None:
    cluster = Cluster(confirmations(STEPS_AHEAD_MAX + BATCHES_WAITING_MAX))
    cluster.together = together
    async with reading(cluster) as reader:
        cluster.gate.clear()
        await full(reader)
        cluster.gate.set()
        await reader.until(lambda: reader.task.lasting == cluster.end)
        assert cluster.reached[:2] == [1, STEPS_AHEAD_MAX]
        assert cluster.left == undisturbed(cluster.records)[0]


async def test_a_writer_that_pauses_lets_steps_gather_up_to_half_of_what_may_wait() -> None:
    cluster = Cluster(confirmations(STEPS_AHEAD_MAX))
    cluster.pause_seconds = 3_600.0
    half = STEPS_AHEAD_MAX // 2
    async with reading(cluster) as reader:
        for _ in range(half):
            await reader.deliver(1)
            await turns()
        assert cluster.reached == [1]
        assert len(cluster.left) == half
        await reader.deliver(1)
        await turns()
        assert cluster.reached == [1, half + 1]
        await reader.deliver(1)
        await turns()
    assert cluster.reached == [1, half + 1, half + 2]  # the end doesn't wait


def test_a_pause_ends_on_the_loop_that_workers_run_on() -> None:
    """Its timers may come up to a millisecond early, by its own clock."""

    async def feed() -> None:
        cluster = Cluster(confirmations(60))
        cluster.pause_seconds = 0.0015
        async with reading(cluster) as reader:
            for end in range(2, 61, 2):  # the second waits for the pause after the first
                for _ in range(2):
                    await reader.deliver(1)
                    await turns()
                await reader.until(lambda end=end: reader.task.lasting == end)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(feed())


async def test_a_batch_that_was_taken_already_is_passed_over() -> None:
    cluster = Cluster(confirmations(10))
    async with reading(cluster) as reader:
        first = await reader.deliver(3)
        assert first is not None
        await reader.deliver(2)
        for _ in range(3):
            await reader.task.take(first)
        await reader.feed(3)
        assert reader.seeks == [0]
        assert cluster.left == undisturbed(cluster.records)[0]


async def test_a_batch_that_overlaps_what_was_taken_counts_for_the_rest() -> None:
    # One that came late had moved the task, and not the consumer: nobody would read the rest again.
    cluster = Cluster(confirmations(10))
    async with reading(cluster) as reader:
        await reader.deliver(5)
        reader.position = 2
        await reader.deliver(8)
        await reader.until(lambda: reader.task.lasting == cluster.end)
        assert cluster.left == undisturbed(cluster.records)[0]


async def test_a_batch_behind_a_gap_makes_it_read_again_where_the_gap_begins() -> None:
    cluster = Cluster(confirmations(10))
    async with reading(cluster) as reader:
        await reader.deliver(3)
        reader.position = 6
        await reader.deliver(2)
        assert reader.seeks == [0, 3]
        assert reader.position == 3
        await reader.feed(2)
        assert cluster.left == undisturbed(cluster.records)[0]


async def test_offsets_that_no_record_has_are_no_gap() -> None:
    # The ends of transactions: a batch starts where the last one ended, its first record later.
    records = [Record(2 * n + 5, None, b"DE01/L1", confirmed(n)) for n in range(9)]
    cluster = Cluster(records)
    async with reading(cluster) as reader:
        await reader.feed(2)
        assert reader.seeks == [0]
        assert cluster.left == undisturbed(records)[0]


# Losses.


@pytest.mark.parametrize(
    ("together", "where", "fate", "repeated"),
    [
        (True, "gate", "lost", 0),
        (True, "gate", "unheard", 0),
        (False, "gate", "lost", 5),
        (False, "gate", "unheard", 3),
        (False, "outlet", "lost", 0),
        (False, "outlet", "unheard", 2),
    ],
)
async def test_a_loss_throws_away_what_was_computed_and_goes_on_after_what_is_lasting(
    together: bool, where: str, fate: str, repeated: int
) -> None:
    cluster = Cluster(confirmations(20))
    cluster.together = together
    async with reading(cluster) as reader:
        await reader.deliver(3)
        await reader.until(lambda: reader.task.lasting == 3)
        gate: asyncio.Event = getattr(cluster, where)
        gate.clear()
        await reader.deliver(2)
        await turns()
        await reader.deliver(3)
        await turns()
        fates = iter([fate])
        cluster.fate = lambda: next(fates, "written")
        gate.set()
        await reader.until(lambda: cluster.openings == 2 and reader.task.hungry)
        lasting = 5 if (where, fate) == ("gate", "unheard") else 3
        assert cluster.lasting == reader.task.lasting == lasting
        assert reader.seeks == [0, lasting]
        await reader.feed(4)
        expected, store = undisturbed(cluster.records)
        assert cluster.left == [*expected[: lasting + repeated], *expected[lasting:]]
        assert content(cluster.state) == content(store)


async def test_a_broker_that_is_away_when_it_opens_is_tried_again() -> None:
    """Also when it's a client that was cancelled: nobody has asked the task to end."""
    cluster = Cluster(confirmations(3))
    refusals = iter([Lost("away"), Fenced("another's"), asyncio.CancelledError()])

    def opening() -> None:
        for error in refusals:
            raise error

    cluster.opening = opening
    async with reading(cluster) as reader:
        assert cluster.openings == 4
        await reader.feed(1)


async def test_a_loss_after_good_work_is_the_first_one_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition_task, "REOPEN_SECONDS_MIN", 0.001)
    monkeypatch.setattr(partition_task, "REOPEN_SECONDS_MAX", 0.1)
    pauses = []

    async def rest(task: PartitionTask, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(PartitionTask, "_rest", rest)
    cluster = Cluster(confirmations(6))
    async with reading(cluster) as reader:
        for fates in (["lost", "lost", "lost"], ["lost"]):
            left = iter(fates)
            cluster.fate = lambda left=left: next(left, "written")
            end = reader.task.lasting + 3
            while reader.task.lasting < end:
                await asyncio.sleep(0)
                if reader.task.hungry and reader.position is not None and reader.position < end:
                    await reader.deliver(1)
    assert pauses == [0.001, 0.002, 0.004, 0.001]


async def test_one_that_was_fenced_waits_for_the_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_task, "FENCED_SECONDS", 3_600.0)
    cluster = Cluster(confirmations(3))
    cluster.together = True
    async with reading(cluster) as reader:
        cluster.fate = lambda: "unheard"
        await reader.deliver(1)
        await reader.until(lambda: reader.task.partition is None)
        await turns()
        assert cluster.openings == 1
        assert not reader.task.hungry
        async with asyncio.timeout(SECONDS_MAX):
            await reader.task.close()


# The end.


async def test_a_close_drops_what_hasnt_left() -> None:
    cluster = Cluster(confirmations(20))
    async with reading(cluster) as reader:
        cluster.outlet.clear()
        for _ in range(3):
            await reader.deliver(1)
            await turns()
        closing = asyncio.ensure_future(reader.task.close())
        await turns()
        assert not closing.done()
        cluster.outlet.set()
        await closing
        assert (cluster.lasting, reader.task.lasting) == (1, 1)
        assert cluster.left == undisturbed(cluster.records)[0][:1]


@pytest.mark.parametrize("together", [True, False])
async def test_a_close_writes_what_has_been_computed(together: bool) -> None:
    """What has left ahead of its state would leave again, if its state weren't written."""
    cluster = Cluster(confirmations(20))
    cluster.together = together
    async with reading(cluster) as reader:
        cluster.gate.clear()
        for _ in range(3):
            await reader.deliver(1)
            await turns()
        assert reader.task.hungry
        closing = asyncio.ensure_future(reader.task.close())
        await turns()
        assert not closing.done()
        assert not reader.task.hungry
        cluster.gate.set()
        await closing
        assert (cluster.lasting, reader.task.lasting) == (3, 3)
        assert cluster.left == undisturbed(cluster.records)[0][:3]
        assert (cluster.writer, cluster.store) == (None, None)
        assert reader.failed is None


async def test_a_close_doesnt_wait_for_ever_for_what_is_being_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition_task, "FINISH_SECONDS_MAX", 0.01)
    cluster = Cluster(confirmations(40))
    async with reading(cluster) as reader:
        cluster.gate.clear()
        await full(reader)
        async with asyncio.timeout(SECONDS_MAX):
            await reader.task.close()
        assert (cluster.lasting, reader.task.lasting) == (0, 0)
        assert (cluster.writer, cluster.store) == (None, None)
        assert reader.failed is None


async def test_whoever_has_something_to_do_gets_to_it_while_many_lines_are_read() -> None:
    """A worker that is silent for a session has lost its partitions, and so has the next."""
    lines = 10 * LINES_AT_ONCE
    cluster = Cluster(
        [
            Record(n, None, b"DE01/L%d" % n, confirmed(n).replace(b'"L1"', b'"L%d"' % n))
            for n in range(lines)
        ]
    )
    cluster.rules = rules_for(MES_EVENTS, LASTING)
    reader = Reader(cluster)
    await reader.feed(lines)
    await reader.task.close()
    reader, turns = Reader(cluster), 0
    while reader.task.partition is None:
        turns += 1
        await asyncio.sleep(0)
    assert turns > lines // LINES_AT_ONCE
    assert len(reader.task.partition.lines) == lines
    await reader.task.close()


async def test_a_close_while_it_opens_doesnt_wait() -> None:
    cluster = Cluster(confirmations(3))
    opening = asyncio.Event()

    async def never(progress: Progress) -> Opened:
        opening.set()
        progress.left = 5
        await asyncio.Event().wait()
        raise AssertionError

    cluster.open = never  # type: ignore[method-assign]
    reader = Reader(cluster)
    await opening.wait()
    assert reader.task.partition is None
    assert reader.task.progress.left == 5
    assert not reader.task.hungry
    async with asyncio.timeout(partition_task.FINISH_SECONDS_MAX / 2):
        await reader.task.close()
    assert reader.failed is None


async def test_batches_for_one_that_isnt_open_are_passed_over() -> None:
    cluster = Cluster(confirmations(3))
    reader = Reader(cluster)
    batch = reader.batch(0, 2)
    assert batch is not None
    await reader.task.take(batch)
    await reader.until(lambda: reader.task.hungry)
    await turns()
    assert cluster.lasting == 0
    await reader.task.close()
    await reader.task.take(batch)
    await turns()
    assert cluster.lasting == 0


# What ends the job.


class Bug(Exception):
    """Nobody expected it."""


@pytest.mark.parametrize("error", [Trouble("the broker refuses a record"), Bug()])
async def test_an_error_that_is_no_loss_ends_the_job(error: Exception) -> None:
    cluster = Cluster(confirmations(3))

    def fate() -> str:
        raise error

    async with reading(cluster) as reader:
        cluster.fate = fate
        await reader.deliver(1)
        await reader.ended.wait()
        await turns()
        assert reader.failed is error
        assert cluster.openings == 1
        assert reader.task.partition is None
        assert (cluster.writer, cluster.store) == (None, None)
        assert cluster.lasting == 0


async def test_an_error_while_it_computes_ends_the_job_though_a_write_is_under_way() -> None:
    cluster = Cluster(confirmations(3))
    async with reading(cluster) as reader:
        cluster.gate.clear()
        await reader.deliver(1)
        await turns()
        assert reader.task.partition is not None
        reader.task.partition.lines.clear()
        reader.task.partition.step = None  # type: ignore[method-assign,assignment]
        await reader.deliver(1)
        await reader.ended.wait()
        assert isinstance(reader.failed, TypeError)
        assert (cluster.writer, cluster.store) == (None, None)


async def test_what_keeps_it_from_opening_ends_the_job() -> None:
    cluster = Cluster(confirmations(3))
    error = Trouble("the state can't be read")

    def opening() -> None:
        raise error

    cluster.opening = opening
    reader = Reader(cluster)
    await turns()
    assert (reader.failed, cluster.openings) == (error, 1)
    await reader.task.close()


# Where it begins.


async def test_an_empty_state_starts_where_it_is_told_to() -> None:
    cluster = Cluster(confirmations(10))
    cluster.start = cluster.first = 4
    async with reading(cluster) as reader:
        assert (reader.seeks, reader.task.lasting) == ([4], 4)
        await reader.feed(3)
        assert cluster.left == undisturbed(cluster.records[4:])[0]


async def test_records_that_were_deleted_before_they_were_processed_end_the_job() -> None:
    cluster = Cluster(confirmations(10))
    async with reading(cluster) as reader:
        await reader.deliver(3)
        await reader.until(lambda: reader.task.lasting == 3)
    cluster.first = 3
    async with reading(cluster):  # none is missing
        pass
    cluster.first = 7
    reader = Reader(cluster)
    await turns()
    assert isinstance(reader.failed, DeletedError)
    told = str(reader.failed)
    assert "records 3 to 6 of mes.events.v1/0 were deleted" in told
    assert "LINESIDE_SKIP_DELETED=true" in told
    assert "retention.ms" in told
    assert (cluster.writer, cluster.store) == (None, None)
    assert reader.seeks == []
    await reader.task.close()
    cluster.skip_deleted = True
    async with reading(cluster) as reader:
        assert (reader.seeks, reader.task.lasting) == ([7], 7)
        await reader.feed(2)
    expected, _ = undisturbed([*cluster.records[:3], *cluster.records[7:]])
    assert cluster.left == expected


async def test_a_state_that_is_ahead_of_its_topic_ends_the_job() -> None:
    cluster = Cluster(confirmations(10))
    async with reading(cluster) as reader:
        await reader.feed(10)
    cluster.end_of_topic = 10
    async with reading(cluster):
        pass
    cluster.end_of_topic = 9
    reader = Reader(cluster)
    await turns()
    assert isinstance(reader.failed, RenewedError)
    assert "goes on at offset 10, and the topic ends at 9" in str(reader.failed)
    await reader.task.close()


# Another log.


def others(count: int) -> list[Record]:
    """Return the records of a topic made anew: none is as before."""
    return [
        Record(n, one.timestamp, one.key, one.value.replace(b"PART", b"ITEM"))
        if one.value is not None and b"PART" in one.value
        else Record(n, one.timestamp, one.key, (one.value or b"") + b" ")
        for n, one in enumerate(confirmations(count))
    ]


async def refused(cluster: Cluster) -> str:
    """Return with what a task refuses to go on."""
    reader = Reader(cluster)
    await turns()
    assert isinstance(reader.failed, RenewedError), reader.failed
    assert reader.seeks == []
    await reader.task.close()
    return str(reader.failed)


async def seen(count: int) -> Cluster:
    """Return a cluster whose state has seen so many records."""
    cluster = Cluster(confirmations(count))
    async with reading(cluster) as reader:
        await reader.feed(3)
    return cluster


async def test_a_topic_of_another_id_ends_the_job() -> None:
    cluster = await seen(10)
    cluster.records, cluster.topic_id = others(30), b"the second topic"
    told = await refused(cluster)
    assert "the topic of mes.events.v1/0 isn't the one that its state is of" in told
    assert "LINESIDE_GROUP" in told
    assert "LINESIDE_SAME_LOG=true" in told
    cluster.same_log = True  # it isn't
    assert "isn't the one that its state is of" in await refused(cluster)


@pytest.mark.parametrize("topic_id", [b"", b"the first topic."])
async def test_a_topic_with_another_record_where_the_state_was_ends_the_job(
    topic_id: bytes,
) -> None:
    """Refilled after a truncation; or the broker tells no ids."""
    cluster = await seen(10)
    cluster.topic_id = topic_id
    cluster.records = others(30)
    assert "has seen another record at offset 9" in await refused(cluster)


async def test_a_copy_of_a_topic_goes_on_where_that_is_said() -> None:
    cluster = await seen(10)
    cluster.records = [
        msgspec.structs.replace(one, timestamp=(START + 60) * 1_000_000)
        for one in confirmations(30)
    ]
    cluster.topic_id = b"the second topic"
    assert "LINESIDE_SAME_LOG=true" in await refused(cluster)
    cluster.same_log = True
    async with reading(cluster) as reader:
        assert reader.seeks == [10]
        await reader.feed(7)
    cluster.same_log = False  # it's bound anew
    async with reading(cluster):
        told = undisturbed(cluster.records)[0]
        assert [each.id for each in cluster.left] == [each.id for each in told]


async def test_a_copy_that_no_longer_has_the_last_record_is_refused_whatever_is_said() -> None:
    cluster = await seen(10)
    cluster.records, cluster.topic_id, cluster.first = confirmations(30)[10:], b"another topic", 10
    cluster.same_log = True
    assert "isn't the one that its state is of" in await refused(cluster)


async def test_a_last_record_that_retention_has_removed_is_no_other_log() -> None:
    cluster = await seen(10)
    cluster.records, cluster.first = confirmations(30)[10:], 10
    async with reading(cluster) as reader:
        assert reader.seeks == [10]


async def test_a_state_without_a_binding_goes_on_and_is_bound_from_then_on() -> None:
    cluster = await seen(10)
    cluster.state.write([(BINDING, None)])
    cluster.records = confirmations(30)
    async with reading(cluster) as reader:
        assert reader.seeks == [10]
        await reader.feed(1)
    cluster.records = others(40)
    assert "has seen another record at offset 29" in await refused(cluster)


async def test_a_binding_that_an_older_lineside_left_behind_says_the_id_only() -> None:
    cluster = await seen(10)
    stale = binding_of(others(6)[5], cluster.topic_id)
    cluster.state.write([binding_change(stale)])
    async with reading(cluster) as reader:
        assert reader.seeks == [10]
    cluster.topic_id = b"the second topic"
    assert "isn't the one that its state is of" in await refused(cluster)


async def test_a_broker_that_tells_no_ids_lets_the_one_that_was_known_stay() -> None:
    cluster = await seen(10)
    cluster.topic_id = b""
    cluster.records = confirmations(12)
    async with reading(cluster) as reader:
        await reader.feed(1)
    assert read_binding(cluster.state) == binding_of(cluster.records[-1], b"the first topic.")


async def test_what_was_deleted_and_gone_on_without_is_counted_for_good() -> None:
    cluster = await seen(3)
    cluster.records, cluster.first, cluster.skip_deleted = confirmations(10), 7, True
    async with reading(cluster) as reader:
        assert reader.task.deleted == 4
    async with reading(cluster) as reader:  # nothing was processed meanwhile
        assert reader.task.deleted == 4
        await reader.feed(1)
    async with reading(cluster) as reader:
        assert reader.task.deleted == 4
    cluster.records, cluster.first = confirmations(20), 12
    async with reading(cluster) as reader:
        assert reader.task.deleted == 6


def undisturbed(
    records: Sequence[Record], timing: Timing = LASTING
) -> tuple[list[Outgoing], MemoryStore]:
    """Return what leaves, and the state after it, where nothing comes in between."""
    store = MemoryStore()
    task = new_task((MES_EVENTS, 0), timing, store=store)
    return stepped(task, records) if records else [], store


def without_repeats(left: Iterable[Outgoing]) -> list[Outgoing]:
    """Return what left less what repeats an earlier id, which must have the same content."""
    first: dict[tuple[str, str], Outgoing] = {}
    for record in left:
        assert first.setdefault((record.topic, record.id), record) == record
    return list(first.values())


def by_line(left: Iterable[Outgoing]) -> dict[tuple[str, bytes | None], list[Outgoing]]:
    """Return what left by topic and line; between lines there is no order."""
    found: defaultdict[tuple[str, bytes | None], list[Outgoing]] = defaultdict(list)
    for record in left:
        found[record.topic, record.key].append(record)
    return dict(found)


def content(store: MemoryStore) -> dict[bytes, object]:
    """Return what a state amounts to, however its batches were cut: that parts the expiries, and
    decides which ticks a line was written after, and on which page a row lies. What binds it to a
    log isn't of it.
    """
    found: dict[bytes, object] = {}
    windows: defaultdict[bytes, list[object]] = defaultdict(list)
    rules = rules_for(MES_EVENTS)
    known = Known(store.get_many)
    (head,) = store.get_many([HEAD])
    floors = read_head(head, MES_EVENTS).floors if head is not None else []
    expiries: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for key, value in store.scan(b""):
        if key.startswith(EXPIRY):
            expiries[key[:-OFFSET_BYTES]].update(msgspec.msgpack.decode(value))
        elif key.startswith(LINE):
            line = read_line(value, rules, floors, known)
            line.closed_to = counted_to(line)  # how far, not how it came to it
            told = [
                (each.begin, each.valid_from, each.zone, each.cadences) for each in line.boundaries
            ]
            found[key] = line, line.parked, told
        elif key.startswith(WINDOW):
            windows[key[:-PAGE_BYTES]] += msgspec.msgpack.decode(value)
        elif key not in (NOTE, BINDING):
            found[key] = msgspec.msgpack.decode(value) if key == HEAD else value
    return found | expiries | {key: sorted(rows, key=repr) for key, rows in windows.items()}
