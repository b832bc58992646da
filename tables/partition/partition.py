"""One partition, one task: records in, what becomes of each, and the state that says so."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from streams.codec.decode import Decoded, decode, read_original, slash_problem
from streams.contract.checks import Code
from streams.contract.events import (
    NAMES,
    REVERSIBLE,
    AnyEvent,
    DowntimeEnded,
    DowntimeStarted,
    MachineTelemetry,
    Tick,
    TransactionReversed,
)  # fmt: skip
from streams.contract.rejection import Rejection, exception_data, exception_key, shown
from streams.contract.topics import EXCEPTIONS
from streams.contract.transactions import EXCEPTION, encode
from streams.core import loaded
from streams.log.record import Outgoing, Record
from streams.log.tracing import traceparent
from streams.values.instant import text as instant_text
from tables.line import episodes
from tables.line.ledger import (
    entry_bytes,
    entry_fingerprint,
    entry_reversed,
    entry_time,
    fingerprint,
    identity,
    original_fingerprint,
)  # fmt: skip
from tables.line.line import (
    Line,
    advance,
    close_all,
    close_some,
    crowded,
    fold,
    fold_reversal,
    forget,
    new_line,
)
from tables.line.rules import Rules
from tables.partition import snapshot
from tables.partition.cold import Cold
from tables.partition.head import NEVER, PAGED, shape_of
from tables.store.store import Changes, Store

if loaded("tables.partition.folding"):
    from tables.partition.folding import Folding, count_types
else:
    Folding = None  # type: ignore[assignment,misc]

TRANSACTIONS: Final[frozenset[Any]] = frozenset(NAMES) - {MachineTelemetry}
"""Events that the ledger knows; telemetry carries no transaction."""

JUDGED_FURTHER: Final = frozenset({TransactionReversed, DowntimeStarted, DowntimeEnded})
"""Events that checks 11 to 15 look at."""


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
        plain: bool = False,
        bounds: Bounds | None = None,
        lines_max: int | None = None,
        later: bool = False,
    ) -> None:
        """Take up what the store has; with `lasting` off only the ledger is written to it.

        `later` leaves that to `loading`.

        `plain` leaves the compiled core out: it's what that is held against. With `bounds` a step
        may end before its records do. `lines_max` lines stay in memory, about; None: all of them.
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
        self.format = self.format_stored = PAGED
        """In which the state is written from now on, and in which it was last."""
        self.ticks = 0
        self.floors: list[tuple[int, int]] = []
        """(number of a tick, watermark): to that the tick raised every line seen before it.

        The numbers rise, and the watermarks fall: a tick that is higher replaces those before it.
        """
        self.ledger_grown = 0
        """By so many entries since the state was opened."""
        self.unsealed: dict[bytes, Line] = {}
        """Lines that steps have changed since the last seal, by key."""
        self.shape = shape_of(rules)
        self._plain = plain
        self._folding: Folding | None = None
        if not later:
            deque(self.loading(), maxlen=0)

    def loading(self) -> Iterator[None]:
        """Take up what the store has; a pause for other work is wherever this yields."""
        yield from snapshot.loading(self)
        if Folding is not None and not self._plain:
            self._folding = Folding(self)

    @property
    def full(self) -> bool:
        """Whether as many lines as may be are in memory."""
        return (
            self.lines_max is not None
            and min(self.format, self.format_stored) >= PAGED
            and len(self.lines) >= self.lines_max
        )

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

    def raised(self, watermark: int) -> None:
        """Note that a tick has raised every line seen to a watermark."""
        self.ticks += 1
        while self.floors and self.floors[-1][1] <= watermark:
            self.floors.pop()
        self.floors.append((self.ticks, watermark))

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
        if self._folding is not None:
            self._folding.forget(gone)

    def step(self, records: Sequence[Record]) -> Step:
        """Return what `records` lead to; those that the state has seen are passed over.

        With bounds it may be less: records behind `offset` are for the next step.
        """
        if self._folding is not None:
            return self._step_compiled(self._folding, records, self.offset)
        if records and records[0].offset <= self.offset:
            records = [record for record in records if record.offset > self.offset]
        topic = self.topic
        return self.step_decoded(
            records, [decode(record.value, record.headers, topic) for record in records]
        )

    def _step_compiled(
        self,
        folding: "Folding",
        records: Sequence[Record],
        seen: int,
        known: Sequence[Decoded | None] | None = None,
    ) -> Step:
        """Return what `step_decoded` does, by the compiled shortcut (docs/decisions/0013)."""
        block, decoded, keys, asked = folding.read(records, seen, known)
        reversed = [_reversed_key(e) for _, e in decoded.values() if type(e) is TransactionReversed]
        found = self.store.get_many(asked + reversed)
        of_reversed = zip(reversed, found[len(asked) :], strict=True)
        batch = _Batch(self, {key: value for key, value in of_reversed if value is not None})
        taken = folding.take(batch, block, decoded, keys, found)
        if taken:
            self.offset = block.offset_at(taken - 1)
        return self._stepped(batch)

    def step_decoded(self, records: Sequence[Record], known: Sequence[Decoded | None]) -> Step:
        """Return what `records` lead to, whatever their offsets.

        `known` is what they are, None where they haven't been decoded yet.
        """
        if self._folding is not None:
            return self._step_compiled(self._folding, records, NEVER, known)
        decoded = [
            decode(record.value, record.headers, self.topic) if event is None else event
            for record, event in zip(records, known, strict=True)
        ]
        keys = _ledger_keys(decoded)
        batch = _Batch(self, _look_up(self.store, decoded, keys))
        taken = batch.take(records, decoded, keys)
        if taken:
            self.offset = records[taken - 1].offset
        return self._stepped(batch)

    def _stepped(self, batch: "_Batch") -> Step:
        self._count(batch.out)
        touched = batch.touched
        changes = snapshot.ledger_changes(self, touched.values(), batch.fresh)
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
        if self._folding is not None:
            count_types(self.counts.left, outputs)
            return
        self.counts.left.update([one.type for one in outputs if one.topic != EXCEPTIONS])


class _Batch:
    """What a batch changes, on top of the store: ledger entries seen or made, lines touched."""

    def __init__(self, partition: Partition, entries: dict[bytes, bytes]) -> None:
        self.partition = partition
        self.rules = partition.rules
        self.lines = partition.lines
        self.counts = partition.counts
        self.entries = entries
        """What the store has of the ledger, for the keys of this batch."""
        self.fresh: Changes = {}
        """What the batch adds to the ledger."""
        self.touched: dict[bytes, Line] = {}
        self.out: list[Outgoing] = []
        self.changed = 0
        """Pages of rows of one line that this step has changed, where stops have been learnt."""
        self._counted = self._output_bytes = 0

    def full(self) -> bool:
        """Whether the step has reached one of its bounds."""
        bounds = self.partition.bounds
        if bounds is None:
            return False
        if len(self.out) > self._counted:
            more = self.out[self._counted :]  # islice would walk past all that is counted already
            self._output_bytes += sum([len(record.value) for record in more])
            self._counted = len(self.out)
        return (
            self._output_bytes >= bounds.output_bytes
            or len(self.touched) >= bounds.lines
            or self.changed >= 4 * bounds.rows
        )

    def take(
        self, records: Sequence[Record], decoded: Sequence[Decoded], keys: Sequence[bytes | None]
    ) -> int:
        """Let the first check that applies decide what becomes of each record.

        Return how many were taken: all, or those before a bound. The first of the others may have
        begun: some of what leaves because of it has left, and nothing else of it is seen.

        This is the hot loop: an event that passes costs no call but those that it needs. Whatever
        doesn't pass, or is rare, goes to a method.
        """
        rules, lines, entries, out = self.rules, self.lines, self.entries, self.out
        future_max, retention = rules.future_max, rules.retention
        fresh, touched = self.fresh, self.touched
        bounds = self.partition.bounds
        accepted = taken = 0
        event: Any  # checked by class, below
        for record, event, key in zip(records, decoded, keys, strict=True):
            if taken and bounds is not None and self.full():
                break
            if key is None and event.__class__ is not MachineTelemetry:
                if not self._take_other(record, event):
                    break
                taken += 1
                continue
            taken += 1
            line = lines.get(record.key)  # type: ignore[arg-type]  # no line has the key None
            if line is None or line.line != event.line or line.plant != event.plant:
                if self._misplaced(record, event):
                    continue
                line = self.partition.line(record.key)  # type: ignore[arg-type]  # it is its line's
            at = event.time
            if record.timestamp is not None and at - record.timestamp > future_max:
                self._reject(record, event, "from_the_future", _future(at, record.timestamp))
                continue
            if key is not None:
                oldest = NEVER if line is None else line.watermark - retention
                if at < oldest:
                    self._reject(record, event, "too_old", _too_old(at, oldest))
                    continue
                print_ = fingerprint(event)
                entry = fresh.get(key) or entries.get(key)
                if entry is not None and entry_time(entry) >= oldest:
                    self._take_known(record, event, entry_fingerprint(entry) == print_)
                    continue
                if event.__class__ in JUDGED_FURTHER and not self._passes(
                    record, event, line, oldest
                ):
                    continue
            if line is None:
                line = new_line(event.plant, event.line, at, rules)
                lines[line.key] = line
            elif at > line.watermark:
                if at < line.due:
                    line.watermark = at
                elif bounds is not None and crowded(line, at, rules, bounds.rows):
                    self.begin(line, at)
                    taken -= 1
                    break
                else:
                    advance(line, at, rules, out)
            accepted += 1
            line.accepted_events += 1
            touched[line.key] = line
            if key is not None:
                if entry is not None and key not in fresh:  # it had expired
                    self.partition.ledger_grown -= 1
                self._enter(line, key, at, entry_bytes(at, print_))
                begin = len(out)
                if event.__class__ is TransactionReversed:
                    self._take_back(event, line)
                else:
                    fold(line, event, rules, out)
                    if event.__class__ in JUDGED_FURTHER:
                        self.changed = max(self.changed, len(line.changed_pages))
                if len(out) > begin:
                    out[begin:] = traced(out[begin:], record)
        self.counts.accepted += accepted
        return taken

    def begin(self, line: Line, watermark: int) -> None:
        """Close some of the windows that a watermark closes, before what raises it is taken."""
        bounds = self.partition.bounds
        assert bounds is not None  # somebody has looked
        self.partition.format = max(self.partition.format, PAGED)  # it knows what has left
        close_some(line, watermark, self.rules, self.out, bounds.rows)
        self.touched[line.key] = line

    def _enter(self, line: Line, key: bytes, at: int, entry: bytes) -> None:
        self.fresh[key] = entry
        line.expiring.setdefault(at // self.rules.bucket, []).append(key)

    def _known(self, key: bytes) -> bytes | None:
        return self.fresh.get(key) or self.entries.get(key)

    def _take_other(self, record: Record, event: Rejection | Tick) -> bool:
        if isinstance(event, Rejection):
            self._refuse(record, event)
            return True
        return self._tick(record, event)

    def _take_known(self, record: Record, event: AnyEvent, same: bool) -> None:
        if same:
            self.counts.duplicate += 1
            self.lines[record.key].duplicate_events += 1  # type: ignore[index]  # it has a line
        else:
            given = f"id {shown(event.id)} of {shown(event.source)}"
            self._reject(record, event, "key_conflict", f"{given} was accepted with other content")

    def _misplaced(self, record: Record, event: AnyEvent) -> bool:
        """Refuse an event whose plant or line is none, or whose key is another's (checks 5, 6)."""
        problem = slash_problem(event.plant, event.line)
        if problem is not None:
            self._refuse(record, problem)
            return True
        wanted = f"{event.plant}/{event.line}"
        if record.key == wanted.encode():
            return False
        given = None if record.key is None else record.key.decode("utf-8", "backslashreplace")
        reason = f"key is {shown(given)}, not {shown(wanted)}"
        self._reject(record, event, "key_mismatch", reason)
        return True

    def _passes(self, record: Record, event: AnyEvent, line: Line | None, oldest: int) -> bool:
        """Apply checks 11 to 15; refuse what doesn't pass."""
        if isinstance(event, TransactionReversed):
            return self._reversal_passes(record, event, line, oldest)
        assert isinstance(event, DowntimeStarted | DowntimeEnded)  # JUDGED_FURTHER has no other
        if line is None:
            return True
        name = event.data.episode
        known = line.episodes.get(name)
        limit = self.rules.episode_limit
        if known is not None and episodes.last_known(known, limit) < oldest:
            forget(line, name, self.rules)
            self.touched[line.key] = line
            known = None
        reason = episodes.conflict(known, event.time, event.data)
        if reason is not None:
            self._reject(record, event, "episode_conflict", reason)
        return reason is None

    def _reversal_passes(
        self, record: Record, event: TransactionReversed, line: Line | None, oldest: int
    ) -> bool:
        reverses = event.data.reverses
        entry = self._known(_reversed_key(event))
        if entry is None or line is None or entry_time(entry) < oldest:
            reason = f"data.reverses is {shown(reverses)}: no such event in the ledger"
            self._reject(record, event, "unknown_reversal", reason)
            return False
        kind = event.data.original.get("type")
        if kind.__class__ is not str or kind not in REVERSIBLE:
            reason = f"data.original.type is {shown(kind)}: it can't be reversed"
            self._reject(record, event, "not_reversible", reason)
            return False
        original = read_original(event.data.original)
        if isinstance(original, str):
            self._reject(record, event, "reversal_mismatch", f"data.{original}")
            return False
        if original_fingerprint(original) != entry_fingerprint(entry):
            reason = f"data.original isn't what was accepted as {shown(reverses)}"
            self._reject(record, event, "reversal_mismatch", reason)
            return False
        if entry_reversed(entry):
            reason = f"data.reverses is {shown(reverses)}: it was reversed already"
            self._reject(record, event, "already_reversed", reason)
            return False
        return True

    def _take_back(self, event: TransactionReversed, line: Line) -> None:
        """Mark the original of an accepted reversal, and fold it back."""
        key = _reversed_key(event)
        entry = self._known(key)
        assert entry is not None  # _reversal_passes has found it
        at = entry_time(entry)
        self.partition.ledger_grown -= key not in self.fresh  # it's there, and stays one
        self._enter(line, key, at, entry_bytes(at, entry_fingerprint(entry), reversed=True))
        original = read_original(event.data.original)
        assert not isinstance(original, str)  # _reversal_passes has read it
        fold_reversal(line, event, original, self.rules, self.out)

    def _tick(self, record: Record, tick: Tick) -> bool:
        """Raise the watermark of each line seen; a silent line closes, too.

        Return whether all were; where a bound came before, the tick is to be taken once more.
        """
        if record.timestamp is not None and tick.time - record.timestamp > self.rules.future_max:
            reason = _future(tick.time, record.timestamp)
            self._refuse(record, Rejection("from_the_future", reason))
            return True
        watermark = tick.time - self.rules.idle_grace
        partition = self.partition
        bounds = partition.bounds
        paged = partition.format >= PAGED
        for line in chain(list(self.lines.values()), self._due(watermark)):
            if watermark <= line.watermark:
                continue
            if paged and watermark < line.due and watermark < line.sweep_due:
                line.watermark = watermark  # the head tells of it
                continue
            if bounds is not None:
                if self.full():
                    return False
                if crowded(line, watermark, self.rules, bounds.rows):
                    self.begin(line, watermark)
                    return False
            advance(line, watermark, self.rules, self.out)
            if (
                not paged
                or line.changed_pages
                or line.changed_episodes
                or watermark >= line.sweep_due
            ):
                self.touched[line.key] = line
        partition.raised(watermark)
        self.counts.tick += 1
        return True

    def _due(self, watermark: int) -> Iterator[Line]:
        """Yield the lines that are in the store only, and due."""
        for key in self.partition.cold.due(watermark):
            line = self.partition.line(key)
            assert line is not None  # what is cold is in the store
            yield line

    def _reject(self, record: Record, event: AnyEvent, code: Code, reason: str) -> None:
        self._refuse(record, Rejection(code, reason, event.plant, event.line))

    def _refuse(self, record: Record, rejection: Rejection) -> None:
        self.counts.exception += 1
        self.counts.codes[rejection.code] += 1
        line = self.lines.get(_told_of(record, rejection))
        if line is not None:
            line.refused_events += 1
        topic, number = self.partition.topic, self.partition.number
        id = f"{topic}/{number}/{record.offset}"
        time = None if record.timestamp is None else instant_text(record.timestamp)
        data = exception_data(rejection, topic, number, record)
        value = encode(EXCEPTION, id, time, rejection.plant, rejection.line, data)
        self.out.append(Outgoing(EXCEPTIONS, exception_key(record), id, rejection.code, value))


def traced(outputs: list[Outgoing], record: Record) -> list[Outgoing]:
    """Return what a record makes leave at once, each with the trace that the record is of."""
    trace = traceparent(record.value, record.headers)
    return outputs if trace is None else [replace(one, trace=trace) for one in outputs]


def _ledger_keys(decoded: Sequence[Any]) -> list[bytes | None]:
    """Return the ledger's key of each event that carries a transaction, None for all else."""
    return [
        identity(event.plant, event.line, event.source, event.id)
        if event.__class__ in TRANSACTIONS
        else None
        for event in decoded
    ]


def _told_of(record: Record, rejection: Rejection) -> bytes:
    """Return the key of the line that a refused record is of, as far as that can be read."""
    if rejection.plant is None or rejection.line is None:
        return record.key or b""
    return f"{rejection.plant}/{rejection.line}".encode("utf-8", "replace")


def _reversed_key(event: TransactionReversed) -> bytes:
    return identity(event.plant, event.line, event.source, event.data.reverses)


def _look_up(
    store: Store, decoded: Sequence[Decoded], own: Sequence[bytes | None]
) -> dict[bytes, bytes]:
    """Return the ledger's entries for the events of a batch, and for what they reverse."""
    keys = [key for key in own if key is not None]
    keys += [_reversed_key(event) for event in decoded if isinstance(event, TransactionReversed)]
    return {
        key: stored
        for key, stored in zip(keys, store.get_many(keys), strict=True)
        if stored is not None
    }


def _future(at: int, timestamp: int) -> str:
    return (
        f"time is {instant_text(at)}, too far past the record's timestamp {instant_text(timestamp)}"
    )


def _too_old(at: int, oldest: int) -> str:
    return (
        f"time is {instant_text(at)}, and the ledger reaches back to {instant_text(oldest)}: "
        "it can't be proven new"
    )
