"""A replay through the product, read back, and records made comparable with another's."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from agents.replay.replay import replay
from streams.contract.topics import INPUTS, OUTPUTS, REFERENCE
from tables.line.rules import Timing, rules_for
from tables.report import Report

TIMES = ("time", "window_start", "window_end")
"""Compared as instants: whether a whole second is written with zeros is anybody's choice."""


class Replayed(NamedTuple):
    """What left, by topic; the report, and as it was written."""

    left: dict[str, list[dict[str, Any]]]
    report: Report
    written: dict[str, Any]


def replayed(
    log: bytes,
    timing: Timing | None = None,
    zones: Mapping[str, str] | None = None,
    partitions: int = 1,
    close: bool = False,
) -> Replayed:
    """Return what the job makes of the bytes of a file."""
    known = {plant: ZoneInfo(zone) for plant, zone in (zones or {}).items()}
    rules = {topic: rules_for(topic, timing, zones=known) for topic in INPUTS}
    with TemporaryDirectory() as folder:
        report = replay(BytesIO(log), Path(folder), rules, partitions, close)
        left = {
            topic: read_lines((Path(folder) / f"{topic}.ndjson").read_bytes())
            for topic in (*OUTPUTS, REFERENCE)
        }
        written = json.loads((Path(folder) / "report.json").read_bytes())
    return Replayed(left, report, written)


def read_lines(written: bytes) -> list[dict[str, Any]]:
    """Return the records of a file of them."""
    return [json.loads(line) for line in written.split(b"\n")[:-1]]


def by_line(records: Iterable[dict[str, Any]], partitions: int = 1) -> dict[Any, list[Any]]:
    """Group records of a topic by plant and line, comparable.

    What is for every line of a plant (`*`) is grouped by the line that wrote it: the second part of
    its key. Lines of several partitions have no order among them.
    """
    found: defaultdict[Any, list[Any]] = defaultdict(list)
    for record in records:
        line = record.get("line")
        place = record["id"].split(":")[1] if line == "*" else line
        found[record.get("plant"), place].append(_comparable(record, partitions))
    return dict(found)


def _comparable(record: dict[str, Any], partitions: int) -> dict[str, Any]:
    """Return a record with its times as instants, an exception without its wording.

    Where a key decides on one of several partitions, the oracle hashes it in its own way.
    """
    data = dict(record["data"])
    if record["type"] == "exception.raised.v1":
        data.pop("reason", None)
        if partitions > 1:
            del data["partition"], data["offset"]
            record = {**record, "id": None}
    for told in (record := {**record, "data": data}, data):
        for name in TIMES:
            if name in told:
                told[name] = datetime.fromisoformat(told[name])
    return record
