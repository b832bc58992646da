"""Records that the partition refuses: checks 5 and 6, 11 to 15, and the exceptions that leave."""

from typing import Any, Protocol

from streams.codec.decode import place_refusal, read_original
from streams.contract.checks import Code
from streams.contract.events import REVERSIBLE, AnyEvent, TransactionReversed
from streams.contract.rejection import Rejection, exception_data, exception_key, shown
from streams.contract.topics import EXCEPTIONS
from streams.contract.transactions import EXCEPTION, encode
from streams.log.record import Outgoing, Record
from streams.values.instant import text as instant_text
from tables.line import episodes, ledger
from tables.line.line import Line
from tables.line.memory import forget_before
from tables.line.rules import Rules


class Judged(Protocol):
    """What is asked of `tables.partition.batch.Batch`."""

    @property
    def partition(self) -> Any:
        """The partition, its topic and number."""
        ...

    @property
    def rules(self) -> Rules:
        """What it follows."""
        ...

    @property
    def lines(self) -> dict[bytes, Line]:
        """Its lines in memory."""
        ...

    @property
    def counts(self) -> Any:
        """What became of its records."""
        ...

    @property
    def events(self) -> Any:
        """The records of the batch: `streams.codec.scanning.Events`."""
        ...

    @property
    def out(self) -> list[Outgoing]:
        """What leaves."""
        ...

    def touch(self, line: Line) -> None:
        """Note that a line changes."""
        ...

    def known_entry(self, key: bytes) -> bytes | None:
        """Return what the ledger has of an event that a reversal names."""
        ...


def is_misplaced(batch: Judged, number: int) -> bool:
    """Refuse an event whose plant or line is none, or whose key is another's (checks 5, 6)."""
    event = batch.events.decoded_at(number)
    problem = place_refusal(event.plant, event.line)
    if problem is not None:
        refuse(batch, number, problem)
        return True
    wanted = f"{event.plant}/{event.line}"
    key = batch.events.record_at(number).key
    if key == wanted.encode():
        return False
    given = None if key is None else key.decode("utf-8", "backslashreplace")
    reject(batch, number, "key_mismatch", f"key is {shown(given)}, not {shown(wanted)}")
    return True


def stop_passes(batch: Judged, number: int, line: Line | None, oldest: int) -> bool:
    """Apply check 15; refuse what doesn't pass."""
    if line is None:
        return True
    event = batch.events.decoded_at(number)
    if forget_before(line, event, oldest, batch.rules):
        batch.touch(line)
    reason = episodes.conflict(line.episodes.get(event.data.episode), event)
    if reason is not None:
        reject(batch, number, "episode_conflict", reason)
    return reason is None


def reversal_passes(batch: Judged, number: int, line: Line | None, oldest: int) -> bool:
    """Apply checks 11 to 14; refuse what doesn't pass."""
    event = batch.events.decoded_at(number)
    reverses = event.data.reverses
    entry = batch.known_entry(reversed_key(event))
    if entry is None or line is None or not ledger.counts(entry, oldest):
        reason = f"data.reverses is {shown(reverses)}: no such event in the ledger"
        reject(batch, number, "unknown_reversal", reason)
        return False
    kind = event.data.original.get("type")
    if kind.__class__ is not str or kind not in REVERSIBLE:
        reason = f"data.original.type is {shown(kind)}: it can't be reversed"
        reject(batch, number, "not_reversible", reason)
        return False
    original = read_original(event.data.original)
    if isinstance(original, str):
        reject(batch, number, "reversal_mismatch", f"data.{original}")
        return False
    if ledger.original_fingerprint(original) != ledger.entry_fingerprint(entry):
        reason = f"data.original isn't what was accepted as {shown(reverses)}"
        reject(batch, number, "reversal_mismatch", reason)
        return False
    if ledger.entry_flags(entry) & ledger.REVERSED:
        reason = f"data.reverses is {shown(reverses)}: it was reversed already"
        reject(batch, number, "already_reversed", reason)
        return False
    return True


def reject(batch: Judged, number: int, code: Code, reason: str) -> None:
    """Refuse an event."""
    event = batch.events.decoded_at(number)
    refuse(batch, number, Rejection(code, reason, event.plant, event.line))


def refuse(batch: Judged, number: int, rejection: Rejection) -> None:
    """Send the exception of a record that is refused, and count it."""
    batch.counts.exception += 1
    batch.counts.codes[rejection.code] += 1
    record = batch.events.record_at(number)
    line = batch.lines.get(_told_of(record, rejection))
    if line is not None:
        line.refused_events += 1
    topic, partition = batch.partition.topic, batch.partition.number
    id = f"{topic}/{partition}/{record.offset}"
    time = None if record.timestamp is None else instant_text(record.timestamp)
    data = exception_data(rejection, topic, partition, record)
    value = encode(EXCEPTION, id, time, rejection.plant, rejection.line, data)
    batch.out.append(Outgoing(EXCEPTIONS, exception_key(record), id, rejection.code, value))


def _told_of(record: Record, rejection: Rejection) -> bytes:
    """Return the key of the line that a refused record is of, as far as that can be read."""
    if rejection.plant is None or rejection.line is None:
        return record.key or b""
    return f"{rejection.plant}/{rejection.line}".encode("utf-8", "replace")


def reversed_key(event: TransactionReversed) -> bytes:
    """Return the ledger key of the event that a reversal names."""
    return ledger.identity(event.plant, event.line, event.source, event.data.reverses)


def future(at: int, timestamp: int) -> str:
    """Return what is said of a time that lies too far ahead."""
    return (
        f"time is {instant_text(at)}, too far past the record's timestamp {instant_text(timestamp)}"
    )


def too_old(at: int, oldest: int) -> str:
    """Return what is said of a time that the ledger doesn't reach back to."""
    return (
        f"time is {instant_text(at)}, and the ledger reaches back to {instant_text(oldest)}: "
        "it can't be proven new"
    )


def conflict(event: AnyEvent) -> str:
    """Return what is said of an event whose identity is another's."""
    return f"id {shown(event.id)} of {shown(event.source)} was accepted with other content"
