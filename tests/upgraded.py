"""What has to have left a job that the first version began, and that this version went on with."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from departed import Records, by_line, records_of_replay, sorted_exceptions
from first_version import RUN
from rows import accepted, emitted, still_open, total
from runs import Taken, stepped
from streams.contract.topics import EXCEPTIONS, OUTPUTS
from streams.log.record import TP, Outgoing, Record
from tables.line.conservation import balances
from tables.line.rules import rules_for
from tables.partition.head import read_head
from tables.partition.partition import Partition
from tables.store.store import HEAD, MemoryStore

Inputs = Mapping[TP, list[Record]]

STEP_RECORDS: Final = 1_000
"""Taken at once; what leaves is the same for any number."""

LEFT_MIN: Final = 500
"""If fewer records leave after the handover, nothing is shown."""

REPLAY_SECONDS_MAX: Final = 120
"""For a log that the first version replays in some seconds."""


@dataclass
class Handover:
    """An input partition's state as the first version left it, and as it is now."""

    tp: TP
    before: MemoryStore
    after: MemoryStore

    @property
    def offset(self) -> int:
        """Of the last record that the first version has taken."""
        (head,) = self.before.get_many([HEAD])
        return -1 if head is None else read_head(head, str(self.tp)).offset

    def task(self, store: MemoryStore) -> Partition:
        """Return this version's task for a state."""
        return Partition(*self.tp, rules_for(self.tp[0]), store)


def expected(code: Path, folder: Path, inputs: Inputs, states: Iterable[Handover]) -> Records:
    """Return what has to have left, record by record; exceptions are sorted.

    The first version's own replay says it up to the offset at which a partition changed hands, and
    this version's task from there on, begun with the first version's state.
    """
    after: list[tuple[str, bytes]] = []
    with (folder / "before.ndjson").open("wb") as dump:
        for state in states:
            records, offset = inputs[state.tp], state.offset
            own = [record for record in records if record.offset <= offset]
            rest = records[len(own) :]
            dump.writelines(printed(state.tp, record) + b"\n" for record in own)
            after += [
                (each.topic, each.value)
                for each in _continued(state, rest)
                if each.topic in OUTPUTS  # holds go to reference.v1, which has other writers, too
            ]
    assert len(after) > LEFT_MIN, "this version has been given next to nothing"
    partitions = 1 + max(partition for _, partition in inputs)
    own_environment = {name: text for name, text in os.environ.items() if "LINESIDE" not in name}
    subprocess.run(
        [*RUN, "replay", dump.name, "--out", folder / "before", "--partitions", str(partitions)],
        env=own_environment | {"PYTHONPATH": str(code)},
        check=True,
        capture_output=True,
        timeout=REPLAY_SECONDS_MAX,
    )
    found = records_of_replay(folder / "before")
    for at, values in by_line(after).items():
        found.setdefault(at, []).extend(values)
    return sorted_exceptions(found)


def assert_totals(
    inputs: Inputs, left: Iterable[tuple[str, bytes]], states: Iterable[Handover]
) -> None:
    """Hold what has left, and what is still open, against the inputs' own quantities.

    That is by line, record type and measure, over both versions: rows have gained members.
    """
    outputs = [Outgoing(topic, None, "", "", value) for topic, value in left]
    refused = {
        (told["data"]["topic"], told["data"]["partition"], told["data"]["offset"])
        for told in (_read(each.value) for each in outputs if each.topic == EXCEPTIONS)
    }
    still: Counter[Any] = Counter()
    for state in states:
        task = state.task(state.after)
        for line in task.lines.values():
            assert not any(balance.error for balance in balances(line, task.rules).values())
        still.update(still_open(task))
    wanted = _summed(accepted(_taken(inputs, refused)))
    posted = emitted(each for each in outputs if each.topic != EXCEPTIONS)
    assert _summed(total(posted, still)) == wanted
    assert len(wanted) > 20


def printed(tp: TP, record: Record) -> bytes:
    """Return a record as `kcat -J` prints it: what isn't UTF-8 stays as it is."""
    document = {
        "topic": tp[0],
        "partition": tp[1],
        "offset": record.offset,
        "ts": -1 if record.timestamp is None else record.timestamp // 1_000,
        "headers": [text for name, value in record.headers for text in (name, _text(value))],
        "key": _text(record.key),
        "payload": _text(record.value),
    }
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _continued(state: Handover, records: list[Record]) -> Iterator[Outgoing]:
    task = state.task(state.before)
    for start in range(0, len(records), STEP_RECORDS):
        yield from stepped(task, records[start : start + STEP_RECORDS])


def _taken(inputs: Inputs, refused: set[tuple[str, int, int]]) -> Iterator[Taken]:
    """Yield the events that were accepted: each identity of a line once, exceptions aside."""
    seen = set()
    for tp, records in inputs.items():
        for record in records:
            if (*tp, record.offset) in refused:
                continue
            told = _read(record.value)
            if told["type"] == "clock.tick.v1":
                continue
            identity = tp[0], *(told.get(name) for name in ("plant", "line", "source", "id"))
            if identity not in seen:
                seen.add(identity)
                yield Taken(record, told, "accepted", [])


def _summed(sums: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return sums of rows by plant, line, record type and measure."""
    found: Counter[Any] = Counter()
    for (plant, line, kind, _, measure), sum_ in sums.items():
        found[plant, line, kind, measure] += sum_
    return total(found)


def _read(value: bytes | None) -> Any:
    return msgspec.json.decode(value or b"")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogateescape")
