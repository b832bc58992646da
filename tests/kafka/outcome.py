"""What has left a job, small enough to hold for millions of events, and how two of them differ."""

import hashlib
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, Protocol

import orjson

from streams.contract.topics import EXCEPTIONS, OUTPUTS, REFERENCE

MEASURES = ("quantity", "seconds", "stops", "good", "scrap", "rework")

DIGITS_MAX = 60
"""Of a sum: a measure has 24, and there are no 10^36 records."""

DIGEST_BYTES = 16

UNORDERED = (EXCEPTIONS, REFERENCE)
"""What is of one line there, or of one plant, comes from several partitions, which aren't in step."""

At = tuple[str, str | None, str | None]
"""A topic, a plant, a line."""

Total = tuple[str, str, str | None]
"""A type, a measure, a unit."""


class Left(Protocol):
    """What has left a job, record by record."""

    def add(self, topic: str, value: bytes) -> None:
        """Take a record of an output topic."""
        ...


@dataclass
class Outcome:
    """What has left, without repeats: by line the digest of each record under its id, in order."""

    lines: defaultdict[At, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    totals: defaultdict[Total, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Sums of all windowed records."""
    repeated: int = 0
    """Records whose id was there already, with the same content."""
    altered: list[str] = field(default_factory=list)
    """Ids that were there already, with other content."""

    def add(self, topic: str, value: bytes) -> None:
        """Take a record of an output topic."""
        record = orjson.loads(value)
        line = self.lines[topic, record.get("plant"), record.get("line")]
        digest = hashlib.blake2b(value, digest_size=DIGEST_BYTES).digest()
        known = line.setdefault(record["id"], digest)
        if known is not digest:
            if known == digest:
                self.repeated += 1
            else:
                self.altered.append(record["id"])
            return
        add_measures(self.totals, topic, record)

    @property
    def records(self) -> int:
        return sum(map(len, self.lines.values()))


def add_measures(
    totals: defaultdict[Total, Decimal], topic: str, record: Mapping[str, Any]
) -> None:
    """Add the measures of a record to sums, if it is of a window."""
    data = record["data"]
    if "revision" in data and topic != REFERENCE:  # an order of the ERP may have one, too
        with localcontext(prec=DIGITS_MAX):
            for measure in MEASURES:
                if measure in data:
                    totals[record["type"], measure, data.get("uom")] += Decimal(str(data[measure]))


@dataclass
class Difference:
    """How what left differs from what should have; all are 0 or empty if it doesn't."""

    lost: int = 0
    extra: int = 0
    altered: int = 0
    """Records whose content isn't what it should be."""
    disordered: int = 0
    """Records that would have to be moved for each line's order to be right."""
    totals_error: str = "0"
    """How much the totals are off, all together."""
    first: str = ""
    """One of the differences, in words."""

    @property
    def none(self) -> bool:
        return self == Difference()


def difference(expected: Outcome, found: Outcome) -> Difference:
    """Return how `found` differs; exceptions and holds may leave in any order."""
    result = Difference(altered=len(found.altered))
    words = [f"{name} is there twice, with different content" for name in found.altered[:1]]
    for at in expected.lines.keys() | found.lines.keys():
        wanted, there = expected.lines.get(at, {}), found.lines.get(at, {})
        lost = wanted.keys() - there.keys()
        extra = there.keys() - wanted.keys()
        altered = [name for name, digest in there.items() if wanted.get(name, digest) != digest]
        result.lost += len(lost)
        result.extra += len(extra)
        result.altered += len(altered)
        words += [f"{name} isn't on {at[0]}" for name in sorted(lost)[:1]]
        words += [f"{name} on {at[0]} is one too many" for name in sorted(extra)[:1]]
        words += [f"{name} on {at[0]} has other content" for name in altered[:1]]
        if at[0] not in UNORDERED:
            place = {name: number for number, name in enumerate(wanted)}
            order = [place[name] for name in there if name in place]
            moved = len(order) - _longest_rising(order)
            result.disordered += moved
            words += [f"{at} isn't in order"] * bool(moved)
    with localcontext(prec=DIGITS_MAX):
        error = sum(
            (
                abs(expected.totals.get(name, Decimal()) - found.totals.get(name, Decimal()))
                for name in expected.totals.keys() | found.totals.keys()
            ),
            Decimal(),
        )
        result.totals_error = format(error.normalize(), "f") if error else "0"
    result.first = words[0] if words else ""
    return result


def _longest_rising(numbers: Iterable[int]) -> int:
    """Return how many of different numbers can stay where they are for the rest to be sorted."""
    ends: list[int] = []
    for number in numbers:
        place = bisect_left(ends, number)
        ends[place : place + 1] = [number]
    return len(ends)


def outcome_of_replay(folder: Path, found: Outcome | None = None) -> Outcome:
    """Return what a replay wrote, added to what was `found`; its conservation error has to be 0."""
    found = Outcome() if found is None else found
    for topic in (*OUTPUTS, REFERENCE):
        with (folder / f"{topic}.ndjson").open("rb") as file:
            for line in file:
                found.add(topic, line.rstrip(b"\n"))
    report = json.loads((folder / "report.json").read_bytes())
    assert report["conservation"]["error"] == "0", report["conservation"]
    return found
