"""One partition, one task: records in, what becomes of each, and the state that says so."""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, field

from streams.codec import Decoded, decode, read_original
from streams.events import (
    NAMES, REVERSIBLE, AnyEvent, DowntimeEnded, DowntimeStarted, MachineState, MachineTelemetry,
    Tick, TransactionReversed,
)  # fmt: skip
from streams.instant import text as instant_text
from streams.record import Outgoing, Record
from streams.rejection import Code, Rejection, exception_data, shown
from streams.topics import EXCEPTIONS
from streams.transactions import EXCEPTION, encode
from tables import episodes, snapshot
from tables.snapshot import LEDGER
from tables.ledger import Entry, fingerprint, identity, original_fingerprint, read_entry
from tables.line import Line, advance, close_all, fold, fold_reversal, forget, new_line
from tables.rules import Rules
from tables.store import Change, Store


class Counts(Struct):
    """What became of the records of a partition; the four add up to its records."""

    accepted: int = 0
    duplicate: int = 0
    exception: int = 0
    tick: int = 0
    codes: Counter[str] = field(default_factory=Counter)


class Step(Struct):
    """What a batch of records leads to: send `outputs` first, then `Partition.commit` it."""

    outputs: list[Outgoing]
    changes: list[Change]


class Partition:
    """The task of one input partition: its lines in memory, its ledger in the store.

    `step` computes, `commit` writes; records at or below `offset` have been seen. After an error
    between the two the object is spoilt: open the store anew.
    """

    def __init__(self, topic: str, number: int, rules: Rules, store: Store) -> None:
        self.topic = topic
        self.number = number
        self.rules = rules
        self.store = store
        self.lines: dict[bytes, Line] = {}
        self.counts = Counts()
        self.offset: int = -1
        snapshot.load(self)

    def decode(self, records: Sequence[Record]) -> list[Decoded]:
        """Return what the values of `records` are."""
        topic = self.topic
        return [decode(record.value, record.headers, topic) for record in records]

    def step(self, records: Sequence[Record], decoded: Sequence[Decoded] | None = None) -> Step:
        """Return what `records` lead to; those that the state has seen are passed over.

        `decoded` is what `decode` gives for them, where the caller has it already.
        """
        if records and records[0].offset <= self.offset:
            fresh = [index for index, record in enumerate(records) if record.offset > self.offset]
            records = [records[index] for index in fresh]
            decoded = None if decoded is None else [decoded[index] for index in fresh]
        return self.step_unchecked(records, decoded or self.decode(records))

    def step_unchecked(self, records: Sequence[Record], decoded: Sequence[Decoded]) -> Step:
        """Return what `records` lead to, whatever their offsets: for logs without an order."""
        keys = [_ledger_key(event) for event in decoded]
        batch = _Batch(self, _look_up(self.store, decoded, keys))
        for record, event, key in zip(records, decoded, keys, strict=True):
            batch.take(record, event, key)
        if records:
            self.offset = records[-1].offset
        changes = snapshot.changes(self, batch.touched.values(), batch.fresh)
        return Step(batch.out, changes)

    def commit(self, step: Step) -> None:
        """Write the state of a step whose outputs have been acknowledged."""
        self.store.write(step.changes)

    def close_all(self) -> list[Outgoing]:
        """Return what leaves when every open window closes now: the end of a replay."""
        out: list[Outgoing] = []
        for line in self.lines.values():
            close_all(line, self.rules, out)
        return out


class _Batch:
    """What a batch changes, on top of the store: ledger entries seen or made, lines touched."""

    def __init__(self, partition: Partition, entries: dict[bytes, Entry]) -> None:
        self.partition = partition
        self.rules = partition.rules
        self.lines = partition.lines
        self.counts = partition.counts
        self.entries = entries
        self.fresh: dict[bytes, tuple[Line, Entry]] = {}
        self.touched: dict[bytes, Line] = {}
        self.out: list[Outgoing] = []

    def take(self, record: Record, event: Decoded, ledger_key: bytes | None) -> None:
        """Let the first check that applies decide what becomes of the record."""
        if event.__class__ is Rejection:
            self._refuse(record, event)
            return
        if event.__class__ is Tick:
            self._tick(record, event)
            return
        key = record.key
        line = self.lines.get(key) if key is not None else None
        if line is None or line.plant != event.plant or line.line != event.line:
            wanted = f"{event.plant}/{event.line}"
            if key is None or key != wanted.encode():
                given = None if key is None else key.decode("utf-8", "backslashreplace")
                self._reject(
                    record, event, "key_mismatch", f"key is {shown(given)}, not {shown(wanted)}"
                )
                return
        at = event.time
        if record.timestamp is not None and at - record.timestamp > self.rules.future_max:
            self._reject(record, event, "from_the_future", _future(at, record.timestamp))
            return
        if ledger_key is None:
            self._accept(line, event)  # telemetry
            return
        self._judge(record, event, line, ledger_key)

    def _judge(self, record: Record, event: AnyEvent, line: Line | None, key: bytes) -> None:
        """Apply checks 8 to 15 and fold what passes: events that carry a transaction."""
        at = event.time
        oldest = None if line is None else line.watermark - self.rules.retention
        if oldest is not None and at < oldest:
            reason = f"time is {instant_text(at)}, and the ledger reaches back to {instant_text(oldest)}"
            self._reject(record, event, "too_old", f"{reason}: it can't be proven new")
            return
        print_ = fingerprint(event)
        entry = self.entries.get(key)
        if entry is not None and (oldest is None or entry.time >= oldest):
            if entry.fingerprint == print_:
                self.counts.duplicate += 1
            else:
                reason = f"id {shown(event.id)} of {shown(event.source)} was accepted with other content"
                self._reject(record, event, "key_conflict", reason)
            return
        if event.__class__ is TransactionReversed:
            self._judge_reversal(record, event, line, key, print_, oldest)
            return
        if event.__class__ is DowntimeStarted or event.__class__ is DowntimeEnded:
            if line is not None:
                self._forget_if_old(line, event.data.episode, oldest)
                known = line.episodes.get(event.data.episode)
                reason = episodes.conflict(known, at, event.data)
                if reason is not None:
                    self._reject(record, event, "episode_conflict", reason)
                    return
        line = self._accept(line, event)
        self._enter(line, key, Entry(at, print_))
        fold(line, event, self.rules, self.out)
        if event.__class__ is MachineState:
            line.state = event.data.state

    def _judge_reversal(
        self, record: Record, event: TransactionReversed, line: Line | None, key: bytes,
        print_: bytes, oldest: int | None,
    ) -> None:  # fmt: skip
        reverses = event.data.reverses
        original_key = identity(f"{event.plant}/{event.line}", event.source, reverses)
        entry = self.entries.get(original_key)
        if entry is None or line is None or (oldest is not None and entry.time < oldest):
            self._reject(
                record, event, "unknown_reversal",
                f"data.reverses is {shown(reverses)}: no such event of {shown(event.source)} "
                "in the ledger",
            )  # fmt: skip
            return
        kind = event.data.original.get("type")
        if kind.__class__ is not str or kind not in REVERSIBLE:
            reason = f"data.original.type is {shown(kind)}: it can't be reversed"
            self._reject(record, event, "not_reversible", reason)
            return
        original = read_original(event.data.original)
        if isinstance(original, str):
            self._reject(record, event, "reversal_mismatch", f"data.{original}")
            return
        if original_fingerprint(original) != entry.fingerprint:
            reason = f"data.original isn't what was accepted as {shown(reverses)}"
            self._reject(record, event, "reversal_mismatch", reason)
            return
        if entry.reversed:
            reason = f"data.reverses is {shown(reverses)}: it was reversed already"
            self._reject(record, event, "already_reversed", reason)
            return
        line = self._accept(line, event)
        self._enter(line, key, Entry(event.time, print_))
        self._enter(line, original_key, Entry(entry.time, entry.fingerprint, True))
        fold_reversal(line, event, reverses, original, self.rules, self.out)

    def _accept(self, line: Line | None, event: AnyEvent) -> Line:
        """Count the event, make its line seen, and raise the watermark."""
        self.counts.accepted += 1
        if line is None:
            line = new_line(event.plant, event.line, event.time, self.rules)
            self.lines[line.key] = line
        elif event.time > line.watermark:
            advance(line, event.time, self.rules, self.out)
        line.accepted_events += 1
        self.touched[line.key] = line
        return line

    def _enter(self, line: Line, key: bytes, entry: Entry) -> None:
        self.entries[key] = entry
        self.fresh[key] = (line, entry)

    def _forget_if_old(self, line: Line, name: str, oldest: int | None) -> None:
        episode = line.episodes.get(name)
        if episode is None or oldest is None:
            return
        if episodes.last_known(episode, self.rules.episode_limit) < oldest:
            forget(line, name, self.rules)
            self.touched[line.key] = line

    def _tick(self, record: Record, tick: Tick) -> None:
        """Raise the watermark of each line seen; a silent line closes, too."""
        if record.timestamp is not None and tick.time - record.timestamp > self.rules.future_max:
            reason = _future(tick.time, record.timestamp)
            self._refuse(record, Rejection("from_the_future", reason))
            return
        self.counts.tick += 1
        watermark = tick.time - self.rules.idle_grace
        for line in self.lines.values():
            if watermark > line.watermark:
                advance(line, watermark, self.rules, self.out)
                self.touched[line.key] = line

    def _reject(self, record: Record, event: AnyEvent, code: Code, reason: str) -> None:
        self._refuse(record, Rejection(code, reason, event.plant, event.line))

    def _refuse(self, record: Record, rejection: Rejection) -> None:
        self.counts.exception += 1
        self.counts.codes[rejection.code] += 1
        topic, number = self.partition.topic, self.partition.number
        id = f"{topic}/{number}/{record.offset}"
        time = None if record.timestamp is None else instant_text(record.timestamp)
        data = exception_data(rejection, topic, number, record)
        value = encode(EXCEPTION, id, time, rejection.plant, rejection.line, data)
        self.out.append(Outgoing(EXCEPTIONS, record.key, id, rejection.code, value))


def _ledger_key(event: Decoded) -> bytes | None:
    """Return the ledger's key of an event that carries a transaction, None for all else."""
    if event.__class__ in NAMES and event.__class__ is not MachineTelemetry:
        return identity(f"{event.plant}/{event.line}", event.source, event.id)
    return None


def _look_up(
    store: Store, decoded: Sequence[Decoded], own: Sequence[bytes | None]
) -> dict[bytes, Entry]:
    """Return the ledger's entries for the events of a batch, and for what they reverse."""
    keys = [key for key in own if key is not None]
    keys += [
        identity(f"{event.plant}/{event.line}", event.source, event.data.reverses)
        for event in decoded
        if event.__class__ is TransactionReversed
    ]
    found = store.get_many([LEDGER + key for key in keys])
    return {
        key: read_entry(stored)
        for key, stored in zip(keys, found, strict=True)
        if stored is not None
    }


def _future(at: int, timestamp: int) -> str:
    return (
        f"time is {instant_text(at)}, too far past the record's timestamp {instant_text(timestamp)}"
    )

