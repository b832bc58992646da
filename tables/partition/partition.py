"""One partition, one task: records in, what becomes of each, and the state that says so."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from msgspec import Struct, field

from streams.codec.decode import Decoded
from streams.contract.reference import Reference
from streams.log.record import Outgoing, Record
from tables.known.copied import Copied
from tables.known.known import Known
from tables.line.line import Line
from tables.line.pieces import close_all
from tables.line.rules import Rules
from tables.partition import freeing, learning, snapshot, stored
from tables.partition.batch import Batch, count_types
from tables.partition.cold import Cold
from tables.partition.head import FORMATS, NEVER, shape_of
from tables.partition.parking import Parking
from tables.store.store import Changes, Store


class Counts(Struct):
    """What became of the records of a partition; the four add up to its records."""

    accepted: int = 0
    duplicate: int = 0
    exception: int = 0
    tick: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    """Exceptions by code."""
    left: Counter[str] = field(default_factory=Counter)
    """What has left, exceptions aside, by type."""

    @property
    def records(self) -> int:
        """How many records they are of."""
        return self.accepted + self.duplicate + self.exception + self.tick


class Step(Struct):
    """What a batch of records leads to: send `outputs` first, then `Partition.commit` it."""

    outputs: list[Outgoing]
    changes: Changes
    """Of the ledger, and of lines that have left memory; see `Partition.sealed` for the others."""


class Bounds(Struct, frozen=True):
    """How much one step may be: past that it ends early, within a record if need be.

    A step passes a bound by what one more record, row or line adds.
    """

    output_bytes: int
    rows: int
    """That leave because one record closes their windows; four times as many of a line change."""
    lines: int
    """That a tick changes."""


class Watch(Protocol):
    """Who wants to know which lines leave memory, and come back."""

    def cooled(self, line: Line) -> None:
        """Take note of a line that is in the store only from now on."""
        ...

    def woken(self, line: Line) -> None:
        """Take note of a line that is in memory again: as it was stored."""
        ...


class Partition:
    """The task of one input partition: its lines in memory, its ledger in the store.

    `step` computes. `sealed` encodes the lines that steps have changed, once for all steps since
    the last seal. What both return is written together; `commit` does that for one step. Records at
    or below `offset` have been seen. After an error in between the object is spoilt: open the store
    anew.
    """

    def __init__(
        self,
        topic: str,
        number: int,
        rules: Rules,
        store: Store,
        lasting: bool = True,
        bounds: Bounds | None = None,
        lines_max: int | None = None,
        later: bool = False,
    ) -> None:
        """Take up what the store has; with `lasting` off only the ledger is written to it.

        `later` leaves that to `loading`.

        With `bounds` a step may end before its records do. `lines_max` lines stay in memory, about;
        None: all of them.
        """
        self.topic = topic
        self.number = number
        self.rules = rules
        self.store = store
        self.lasting = lasting
        self.bounds = bounds
        self.lines_max = lines_max
        self.lines: dict[bytes, Line] = {}
        """Those in memory, by their Kafka key."""
        self.cold = Cold()
        """Those that are in the store only."""
        self.watch: Watch | None = None
        self.counts = Counts()
        self.offset: int = -1
        self.ticks = 0
        self.floors: list[tuple[int, int]] = []
        """(number of a tick, its time): it raised every line seen before it.

        The numbers rise, and the times fall: a tick that is later replaces those before it.
        """
        self.cooled_at = 0
        """How many ticks there had been when a line last left memory."""
        self.begun = FORMATS[-1]
        """The format in which the state began."""
        self.earlier: stored.Earlier = {}
        """The rows that record types had when the state was written, or before."""
        self.retention_before = rules.retention
        self.ledger_grown = 0
        """By so many entries since the state was opened."""
        self.known = Known(_reader(store))
        self.copied = Copied()
        self.parking = Parking(_reader(store), store.scan)
        self.spreading: learning.Spreading | None = None
        """How far a record has come that changes all lines of a plant."""
        self.unsealed: dict[bytes, Line] = {}
        """Lines that steps have changed since the last seal, by key."""
        self.shape = shape_of(rules)
        self._batch = Batch(self)
        if not later:
            deque(self.loading(), maxlen=0)

    def loading(self) -> Iterator[None]:
        """Take up what the store has; a pause for other work is wherever this yields."""
        yield from snapshot.loading(self)

    @property
    def full(self) -> bool:
        """Whether as many lines as may be are in memory."""
        return self.lines_max is not None and len(self.lines) >= self.lines_max

    def line(self, key: bytes) -> Line | None:
        """Return a line, woken if it lies in the store only; None if it hasn't been seen."""
        line = self.lines.get(key)
        if line is not None or not self.cold.count:
            return line
        line = snapshot.recalled(self, key)
        if line is not None:
            self.cold.remove(line, self.rules)
            self.lines[key] = line
            if self.watch is not None:
                self.watch.woken(line)
        return line

    def is_behind(self, time: int) -> bool:
        """Return whether a tick is behind an earlier one: lines that it raises are written."""
        return bool(self.floors) and time < self.floors[-1][1]

    def raised(self, time: int) -> None:
        """Note that a tick of this time has raised every line seen.

        One that is behind the last floor is noted only if lines have left memory since that: all
        others are above it, or were written.
        """
        self.ticks += 1
        if self.is_behind(time) and self.cooled_at < self.floors[-1][0]:
            return
        while self.floors and self.floors[-1][1] <= time:
            self.floors.pop()
        self.floors.append((self.ticks, time))

    def _cool(self, touched: Iterable[bytes], changes: Changes) -> None:
        """Leave the lines to the store that were touched the longest ago, encoded as they are."""
        assert self.lines_max is not None  # `full` has looked
        for key in touched:
            self.lines[key] = self.lines.pop(key)
        room = self.lines_max - self.lines_max // 8
        gone = list(islice(self.lines, len(self.lines) - room))
        unsealed = [self.unsealed.pop(key) for key in gone if key in self.unsealed]
        changes.update(snapshot.line_changes(self, unsealed))
        for key in gone:
            line = self.lines.pop(key)
            self.cold.add(line, snapshot.due(line, self.rules), self.rules)
            if self.watch is not None:
                self.watch.cooled(line)
        self._batch.let_go(gone)
        self.cooled_at = self.ticks

    @property
    def unfinished(self) -> bool:
        """Whether there is something to do without records: what was freed goes on."""
        return bool(self.parking.freeing)

    def step(self, records: Sequence[Record]) -> Step:
        """Return what `records` lead to; those that the state has seen are passed over.

        With bounds it may be less: records behind `offset` are for the next step. Without records
        it goes on with what is `unfinished`.
        """
        return self._taken(records, self.offset, None)

    def step_decoded(self, records: Sequence[Record], known: Sequence[Decoded | None]) -> Step:
        """Return what `records` lead to, whatever their offsets.

        `known` is what they are, None where they haven't been decoded yet.
        """
        return self._taken(records, NEVER, known)

    def learn(self, told: Reference) -> Step:
        """Return what a reference record leads to that isn't among the partition's records.

        The partition has no bounds.
        """
        assert self.bounds is None
        self._batch.begin_step()
        learning.learn(self._batch, told)
        freeing.go_on(self._batch)
        return self._stepped(self._batch)

    def _taken(
        self, records: Sequence[Record], seen: int, known: Sequence[Decoded | None] | None
    ) -> Step:
        batch = self._batch
        own, reversed = batch.read(records, seen, known)
        self.copied.look_up(batch.events, self.store.get_many)
        found = self.store.get_many(own + reversed)
        named = zip(reversed, found[len(own) :], strict=True)
        batch.of_reversed = {key: value for key, value in named if value is not None}
        taken = batch.take(found[: len(own)] if reversed else found)
        if taken:
            self.offset = batch.events.offset_at(taken - 1)
        return self._stepped(batch)

    def _stepped(self, batch: Batch) -> Step:
        self._count(batch.out)
        touched = batch.touched
        changes = snapshot.ledger_changes(self, touched.values(), batch.fresh)
        changes.update(self.known.written())
        changes.update(self.parking.written())
        self.unsealed.update(touched)
        if self.full:
            self._cool(touched, changes)
        return Step(batch.out, changes)

    def sealed(self) -> Changes:
        """Return what makes the state whole again after steps: their lines, and the head, last."""
        lines, self.unsealed = self.unsealed, {}
        return snapshot.sealing_changes(self, lines.values())

    def commit(self, step: Step) -> Changes:
        """Write the state of a step whose outputs have been acknowledged; return its changes."""
        changes = step.changes
        changes.update(self.sealed())
        self.store.write(changes.items())
        return changes

    def close_all(self) -> list[Outgoing]:
        """Return what leaves when every open window closes now: the end of a replay."""
        out: list[Outgoing] = []
        for line in self.lines.values():
            close_all(line, self.rules, out)
        self._count(out)
        return out

    def _count(self, outputs: list[Outgoing]) -> None:
        count_types(self.counts.left, outputs)


def _reader(store: Store) -> Callable[[bytes], bytes | None]:
    """Return what looks up a key in a store.

    It leads to no partition: lines have it, and the collector passes lines over (`cycles.py`), so
    what led back to them would never be freed.
    """

    def read(key: bytes) -> bytes | None:
        (found,) = store.get_many([key])
        return found

    return read
