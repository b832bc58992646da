"""The job over a log, in memory: cut into batches, restarted and watched as a test likes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from streams.codec.decode import Decoded, decode
from streams.codec.logfile import LogReader
from streams.contract.policy import Policy
from streams.contract.topics import EXCEPTIONS, MES_EVENTS
from streams.log.record import Outgoing, Record
from tables.line.rules import Rules, Timing, rules_for
from tables.partition.partition import Bounds, Counts, Partition
from tables.store.store import MemoryStore, Store

At = tuple[str, int]
"""An input partition: its topic and its number."""

OUTCOMES = ("accepted", "duplicate", "exception", "tick")

LASTING = Timing(mes_retention_seconds=10**12, machine_retention_seconds=10**12)
"""A ledger that remembers whatever any test says, in whatever year."""


class Taken(NamedTuple):
    """What became of one record, and what it made leave."""

    record: Record
    event: Decoded
    outcome: str
    outputs: list[Outgoing]


@dataclass
class Run:
    """Tasks by their partition, and what left each of them."""

    tasks: dict[At, Partition] = field(default_factory=dict)
    outputs: dict[At, list[Outgoing]] = field(default_factory=dict)

    @property
    def records(self) -> list[Outgoing]:
        """All that left, exceptions aside."""
        return [each for left in self.outputs.values() for each in left if each.topic != EXCEPTIONS]

    @property
    def exceptions(self) -> list[Outgoing]:
        return [each for left in self.outputs.values() for each in left if each.topic == EXCEPTIONS]

    @property
    def counts(self) -> dict[str, int]:
        return {
            name: sum(getattr(task.counts, name) for task in self.tasks.values())
            for name in OUTCOMES
        }


def placed(lines: Iterable[bytes], partitions: int = 1) -> dict[At, list[Record]]:
    """Return the records that the lines of a log stand for, by their partition."""
    reader = LogReader(partitions)
    reader.place(lines)
    return {at: each.records for at, each in reader.take()}


def cut(records: Sequence[Record], rng: Random) -> Iterator[Sequence[Record]]:
    """Yield the records in batches of random sizes."""
    start = 0
    while start < len(records):
        size = rng.choice([1, 2, 3, 10, 50, len(records)])
        yield records[start : start + size]
        start += size


def new_task(
    at: At,
    timing: Timing | None = None,
    policy: Policy | None = None,
    store: Store | None = None,
    bounds: Bounds | None = None,
) -> Partition:
    return Partition(
        *at,
        rules_for(at[0], timing, policy),
        MemoryStore() if store is None else store,
        bounds=bounds,
    )


def run(
    lines: Iterable[bytes],
    *,
    partitions: int = 1,
    batches: Random | None = None,
    timing: Timing | None = None,
    policy: Policy | None = None,
    close: bool = False,
) -> Run:
    """Return what a log leads to; in one batch, or cut by `batches`."""
    done = Run()
    for at, records in placed(lines, partitions).items():
        task = new_task(at, timing, policy)
        left: list[Outgoing] = []
        for batch in cut(records, batches) if batches else [records]:
            left += stepped(task, batch)
        if close:
            left += task.close_all()
        done.tasks[at], done.outputs[at] = task, left
    return done


def stepped(task: Partition, batch: Sequence[Record]) -> list[Outgoing]:
    """Let a task take a batch, and commit it."""
    step = task.step(batch)
    task.commit(step)
    return step.outputs


def watched(task: Partition, records: Iterable[Record]) -> Iterator[Taken]:
    """Yield what becomes of each record, one at a time; each is exactly one thing."""
    for record in records:
        before = _counted(task.counts)
        outputs = stepped(task, [record])
        became = [name for name, count in _counted(task.counts).items() if count != before[name]]
        assert len(became) == 1, f"{record} became {became}"
        yield Taken(record, decode(record.value, record.headers, task.topic), became[0], outputs)


def _counted(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in OUTCOMES}


def value_of(record: Outgoing) -> dict[str, Any]:
    document = json.loads(record.value)
    assert isinstance(document, dict)
    return document


class Bench:
    """One partition of `mes.events.v1` (or another), fed by hand with events of one line."""

    def __init__(
        self, topic: str = MES_EVENTS, timing: Timing | None = None, policy: Policy | None = None
    ) -> None:
        self.rules: Rules = rules_for(topic, timing, policy)
        self.store = MemoryStore()
        self.task = Partition(topic, 0, self.rules, self.store)
        self.sent = 0

    def records(self, *values: bytes, timestamp: int | None = None) -> list[Record]:
        """Return values as the next records, each under the key that its event asks for."""
        found = []
        for value in values:
            event = json.loads(value, parse_int=str)  # it reads no integer of 4,301 digits
            key = f"{event.get('plant')}/{event.get('line')}".encode()
            found.append(Record(self.sent, timestamp, key, value))
            self.sent += 1
        return found

    def send(self, *values: bytes, timestamp: int | None = None) -> list[dict[str, Any]]:
        """Let the partition take these values in one batch; return what leaves, read."""
        outputs = stepped(self.task, self.records(*values, timestamp=timestamp))
        return [value_of(each) for each in outputs]

    def tick(self, seconds: float) -> list[dict[str, Any]]:
        """Raise the watermark of each line seen to `seconds`, as a tick that much later does."""
        idle = self.rules.idle_grace // 1_000_000
        return self.send(event("clock.tick.v1", seconds + idle))

    def close(self) -> list[dict[str, Any]]:
        return [value_of(each) for each in self.task.close_all()]

    def reopen(self) -> None:
        """Start anew from what was committed."""
        self.task = Partition(self.task.topic, 0, self.rules, self.store)


START = 1_795_240_800
"""2026-11-21T06:00:00Z in seconds: the zero of `event`, and a start of windows of any length."""


def stamp(seconds: float) -> str:
    """Return the instant `seconds` after `START` on the wire."""
    from streams.values.instant import text

    return text(round((START + seconds) * 1_000_000))


def event(kind: str, seconds: float, /, id: str = "", **data: Any) -> bytes:
    """Return an event of line DE01/L1, `seconds` after `START`; its id tells type and time."""
    given = {
        "specversion": "1.0",
        "type": kind,
        "source": data.pop("source", "/mes"),
        "id": id or f"{kind}@{seconds}",
        "time": stamp(seconds),
        "plant": data.pop("plant", "DE01"),
        "line": data.pop("line", "L1"),
        "data": data,
    }
    return json.dumps(given).encode()


def consumed(seconds: float, quantity: Any = "1", id: str = "", **data: Any) -> bytes:
    """Return a consumption of item I1 for order O1."""
    members = {"order": "O1", "operation": "0010", "item": "I1", "uom": "kg"} | data
    return event("material.consumed.v1", seconds, id, quantity=quantity, **members)


def confirmed(seconds: float, quantity: Any = "1", id: str = "", **data: Any) -> bytes:
    """Return a confirmation of item I1 of order O1."""
    members = {"order": "O1", "operation": "0010", "item": "I1", "uom": "pc"} | data
    return event("production.confirmed.v1", seconds, id, quantity=quantity, **members)


def reversed_(original: bytes, seconds: float, id: str = "") -> bytes:
    """Return the reversal of an event."""
    told = json.loads(original)
    given = {
        **told,
        "type": "transaction.reversed.v1",
        "id": id or f"reversal of {told['id']}",
        "time": stamp(seconds),
        "data": {
            "reverses": told["id"],
            "original": {name: told[name] for name in ("type", "time", "data")},
        },
    }
    return json.dumps(given).encode()


def started(seconds: float, episode: str = "EP1", id: str = "", **data: Any) -> bytes:
    """Return the start of an unplanned downtime episode of work unit U1."""
    members = {"episode": episode, "work_unit": "U1", "reason": "jam", "planned": False} | data
    return event("downtime.started.v1", seconds, id or f"{episode} started@{seconds}", **members)


def ended(seconds: float, episode: str = "EP1", id: str = "", **data: Any) -> bytes:
    """Return the end of a downtime episode of work unit U1."""
    members = {"episode": episode, "work_unit": "U1"} | data
    return event("downtime.ended.v1", seconds, id or f"{episode} ended@{seconds}", **members)


def classified(seconds: float, id: str = "", **data: Any) -> bytes:
    """Return what is told later of a downtime episode: that it was an unplanned jam."""
    members = {"episode": "EP1", "reason": "jam", "planned": False} | data
    return event("downtime.classified.v1", seconds, id, **members)
