"""What has left a job, for hours of it: a chain of digests by line, and sums; nothing singly."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

import orjson

from outcome import UNORDERED, At, Total, add_measures
from streams.contract.topics import OUTPUTS, REFERENCE

RECENT_MAX: Final = 20_000
"""Ids of a line that are remembered: a crash repeats no more than 16,000 records of a partition."""

DIGEST_BYTES: Final = 16

BIG: Final = 1 << (8 * DIGEST_BYTES)


@dataclass
class Line:
    """What has left of a line on one topic."""

    records: int = 0
    chain: bytes = b""
    """Of all records in their order; where they may leave in any (`UNORDERED`), it's a sum."""
    recent: dict[str, bytes] = field(default_factory=dict)
    """The digests of the last ones, by id."""


@dataclass
class Chained:
    """All that has left: two that are equal have the same records in the same order by line."""

    lines: defaultdict[At, Line] = field(default_factory=lambda: defaultdict(Line))
    totals: defaultdict[Total, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Sums of all windowed records."""
    repeated: int = 0
    """Records whose id was there shortly before, with the same content."""

    def add(self, topic: str, value: bytes) -> None:
        """Take a record of an output topic."""
        record = orjson.loads(value)
        line = self.lines[topic, record.get("plant"), record.get("line")]
        digest = hashlib.blake2b(value, digest_size=DIGEST_BYTES).digest()
        if line.recent.get(record["id"]) == digest:
            self.repeated += 1
            return
        line.recent[record["id"]] = digest
        if len(line.recent) > RECENT_MAX:
            del line.recent[next(iter(line.recent))]
        line.records += 1
        if topic in UNORDERED:
            sum_ = int.from_bytes(line.chain) + int.from_bytes(digest)
            line.chain = (sum_ % BIG).to_bytes(DIGEST_BYTES)
        else:
            line.chain = hashlib.blake2b(line.chain + digest, digest_size=DIGEST_BYTES).digest()
        add_measures(self.totals, topic, record)

    @property
    def records(self) -> int:
        return sum(line.records for line in self.lines.values())


def differences(expected: Chained, found: Chained) -> list[str]:
    """Return a sentence on each line, and each total, that isn't as it should be."""
    sentences = []
    for at in sorted(expected.lines.keys() | found.lines.keys(), key=str):
        wanted, there = expected.lines[at], found.lines[at]
        if wanted.records != there.records:
            sentences.append(
                f"{at}: {wanted.records:,} records should be there, {there.records:,} are"
            )
        elif wanted.chain != there.chain:
            sentences.append(
                f"{at}: the {wanted.records:,} records aren't those, or in another order"
            )
    sentences += [
        f"{name}: {found.totals[name]} instead of {expected.totals[name]}"
        for name in sorted(expected.totals.keys() | found.totals.keys(), key=str)
        if expected.totals[name] != found.totals[name]
    ]
    return sentences


def chained_of_files(folder: Path) -> Chained:
    """Return what a replay wrote."""
    found = Chained()
    for topic in (*OUTPUTS, REFERENCE):
        with (folder / f"{topic}.ndjson").open("rb") as file:
            add_all(found, topic, (line.rstrip(b"\n") for line in file))
    return found


def add_all(found: Chained, topic: str, values: Iterable[bytes]) -> None:
    """Take records of an output topic."""
    for value in values:
        found.add(topic, value)
