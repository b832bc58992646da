"""What has left a job, by line: read from a replay's files, and made comparable with another's."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from streams.contract.topics import EXCEPTIONS, OUTPUTS

Records = dict[tuple[str, str | None, str | None], list[bytes]]
"""Output values by (topic, plant, line), in the order in which they left."""


def records_of_replay(folder: Path) -> Records:
    """Return what a replay wrote; the first version's wrote to fewer topics."""
    return by_line(
        [
            (topic, value)
            for topic in OUTPUTS
            if (file := folder / f"{topic}.ndjson").exists()
            for value in file.read_bytes().splitlines()
        ]
    )


def by_line(values: Iterable[tuple[str, bytes]]) -> Records:
    """Return values by topic, plant and line."""
    found: Records = defaultdict(list)
    for topic, value in values:
        event = json.loads(value)
        found[topic, event.get("plant"), event.get("line")].append(value)
    return dict(found)


def sorted_exceptions(records: Records) -> Records:
    """Return the records with exceptions sorted: they come from two topics without an order."""
    return {at: sorted(values) if at[0] == EXCEPTIONS else values for at, values in records.items()}


def without_repeats(records: Records) -> tuple[Records, int]:
    """Return the records without those that repeat an earlier id, and how many there were.

    A repeated id must have equal content.
    """
    first: Records = {}
    repeated = 0
    for at, values in records.items():
        seen: dict[str, bytes] = {}
        for value in values:
            known = seen.setdefault(json.loads(value)["id"], value)
            assert known == value, "a repeated id has other content"
            repeated += known is not value
        first[at] = list(seen.values())
    return first, repeated
