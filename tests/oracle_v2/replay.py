"""A whole job over a file: what would leave, had this log come in (sections 8 and 14)?"""

import argparse
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import closing
from .master import Copy
from .partition import Task
from .reading import Record
from .report import report
from .rules import Settings
from .tables import REFERENCE_TYPES, TICK, TOPICS, E, M
from .values import Number, parse_json


@dataclass(frozen=True)
class Result:
    """What left, by topic in the order in which it left, and the report."""

    topics: dict[str, list[dict[str, Any]]]
    report: dict[str, Any]


class Job:
    """All partitions of M and E."""

    def __init__(self, partitions: int, settings: Mapping[str, Any]) -> None:
        self.partitions = partitions
        self.settings = Settings(settings)
        self.topics: dict[str, list[dict[str, Any]]] = {}
        self.counts = {"accepted": 0, "duplicate": 0, "exception": 0, "tick": 0}
        self.codes: Counter[str] = Counter()
        self.passed_over = 0
        self.offsets: Counter[tuple[str, int]] = Counter()  # of bare lines
        self.written: list[tuple[Task, Copy]] = []
        """What was written to R since the last line."""
        self.tasks = {
            (topic, number): Task(topic, self.settings, self)
            for topic in (M, E)
            for number in range(partitions)
        }

    def take(self, record: Record) -> None:
        place = (record.topic, record.partition)
        if place not in self.tasks:
            self.tasks[place] = Task(record.topic, self.settings, self)
        self.tasks[place].take(record)

    def take_line(self, line: bytes) -> None:
        """ "An object with `topic` and `payload` is the latter": a record as `kcat -J` prints it."""
        try:
            document = parse_json(line)
        except ValueError:
            document = None
        if isinstance(document, dict) and "topic" in document and "payload" in document:
            if document["topic"] in (M, E):
                self.take(self._printed(document))
            else:  # "other topics than M and E are passed over and counted apart"
                self.passed_over += 1
        else:
            for record in self._bare(line, document if isinstance(document, dict) else {}):
                self.take(record)
            self._spread()
        self.written.clear()

    def _spread(self) -> None:
        """ "in a bare log it also holds from the next line on, on every partition ... (it counts as
        no record)"."""
        for writer, copy in self.written:
            for task in self.tasks.values():
                if task.topic == M and task is not writer:
                    task.learn(copy)

    def _bare(self, line: bytes, document: Mapping[str, Any]) -> Iterator[Record]:
        """ "routed by its type: `machine.*` to E, all else to M, one whose type can't be read too;
        keyed by its plant and line"; a tick "goes to every partition of both", a reference record "to
        every partition of M". One that can't be read goes to partition 0 of M, without a key."""
        type_, plant, place = (document.get(name) for name in ("type", "plant", "line"))
        key = f"{plant}/{place}" if isinstance(plant, str) and isinstance(place, str) else None
        topic = E if isinstance(type_, str) and type_.startswith("machine.") else M
        partition = zlib.crc32(key.encode()) % self.partitions if key is not None else 0
        targets = [(topic, partition)]
        if type_ == TICK:
            targets = [(each, number) for each in (M, E) for number in range(self.partitions)]
        elif isinstance(type_, str) and type_ in REFERENCE_TYPES:
            targets = [(M, number) for number in range(self.partitions)]
        for target in targets:  # "Bare lines get offsets from 0 per partition."
            yield Record(*target, self._next_offset(target), None, key, line)

    def _next_offset(self, target: tuple[str, int]) -> int:
        self.offsets[target] += 1
        return self.offsets[target] - 1

    def _printed(self, document: Mapping[str, Any]) -> Record:
        """Headers are a flat list [name, value, name, value ...]; a `ts` of -1, or none, is no
        timestamp; a payload that is null is an empty value. What kcat never prints is as absent."""
        partition = _whole(document.get("partition")) or 0
        offset = _whole(document.get("offset"))
        if offset is None:
            offset = self._next_offset((document["topic"], partition))
        milliseconds = _whole(document.get("ts"))
        key, payload, flat = (document.get(name) for name in ("key", "payload", "headers"))
        headers: list[tuple[str, str | None]] = []
        if isinstance(flat, list):
            for name, value in zip(flat[::2], flat[1::2], strict=False):
                if isinstance(name, str):
                    headers.append((name, value if isinstance(value, str) else None))
        return Record(
            document["topic"],
            partition,
            offset,
            milliseconds * 1000 if milliseconds is not None and milliseconds >= 0 else None,
            key if isinstance(key, str) else None,
            payload.encode() if isinstance(payload, str) else b"",
            tuple(headers),
        )


def _whole(value: Any) -> int | None:
    if isinstance(value, Number) and re.fullmatch(r"-?[0-9]{1,18}", value.text):
        return int(value.text)
    return None


def replay(
    lines: Iterable[bytes],
    partitions: int = 1,
    close: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Result:
    """Replay the lines of a file, as one that is open in binary mode gives them."""
    job = Job(partitions, settings or {})
    for line in lines:
        told = line.removesuffix(b"\n")
        if told.strip():  # "Blank lines are skipped."
            job.take_line(told)
    if close:
        for task in job.tasks.values():
            for each in task.lines.values():
                closing.close_everything(each)
    return Result(job.topics, report(job))


def write(result: Result, folder: Path) -> None:
    """ "one `DIR/<topic>.ndjson` per output topic, a record a line ..., and `DIR/report.json`"."""
    folder.mkdir(parents=True, exist_ok=True)
    for topic in TOPICS:
        records = result.topics.get(topic, [])
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / f"{topic}.ndjson").write_text(text, "utf-8", newline="\n")
    text = json.dumps(result.report, ensure_ascii=False, indent=2)
    (folder / "report.json").write_text(text + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Replay a log by the plain reading of contract v2."
    )
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--close", action="store_true")
    parser.add_argument("--settings", type=Path, help="a JSON file of settings, by their names")
    told = parser.parse_args()
    settings = json.loads(told.settings.read_bytes()) if told.settings else {}
    with told.log.open("rb") as lines:
        write(replay(lines, told.partitions, told.close, settings), told.out)
