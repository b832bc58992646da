"""The fast job says what the slow one says: a replay against `reference.py`, record for record."""

import json
from collections import defaultdict
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import reference
from draws import logs, seeds, timings
from hypothesis import given
from hypothesis import strategies as st
from logs import printed_log, random_log

from agents.worker.replay import replay
from streams.topics import EXCEPTIONS, INPUTS, OUTPUTS
from tables.rules import Timing, rules_for

ZONES = {"DE01": "America/Caracas"}

TIMES = ("time", "window_start", "window_end")
"""Compared as instants: whether a whole second is written with zeros is anybody's choice."""


@pytest.mark.parametrize("seed", range(40))
def test_fixed_logs_give_what_the_reference_gives(seed: int) -> None:
    _compare(random_log(seed, 400), close=seed % 2 == 0)


@pytest.mark.parametrize("seed", range(40))
def test_fixed_logs_as_kcat_prints_them_give_what_the_reference_gives(seed: int) -> None:
    _compare(printed_log(seed, 400, partitions=3), close=seed % 2 == 0)


@given(logs(), timings, st.booleans(), st.sampled_from([1, 1, 4]))
def test_any_log_gives_what_the_reference_gives(
    lines: list[bytes], timing: Timing, close: bool, partitions: int
) -> None:
    _compare(lines, timing, close, partitions)


@given(seeds, timings, st.booleans())
def test_any_log_as_kcat_prints_it_gives_what_the_reference_gives(
    seed: int, timing: Timing, close: bool
) -> None:
    _compare(printed_log(seed, 150, partitions=2), timing, close)


def _compare(
    lines: list[bytes], timing: Timing | None = None, close: bool = False, partitions: int = 1
) -> None:
    timing = timing or Timing()
    expected = reference.replay(lines, partitions, close, _settings(timing))
    with TemporaryDirectory() as folder:
        rules = {
            topic: rules_for(
                topic, timing, zones={plant: ZoneInfo(zone) for plant, zone in ZONES.items()}
            )
            for topic in INPUTS
        }
        report = replay(BytesIO(b"\n".join(lines)), Path(folder), rules, partitions, close)
        left = {
            topic: _read_lines((Path(folder) / f"{topic}.ndjson").read_bytes()) for topic in OUTPUTS
        }
        written = json.loads((Path(folder) / "report.json").read_bytes())
    assert report.counts == expected.counts
    assert report.exceptions == dict(sorted(expected.codes.items()))
    assert report.passed_over == expected.passed_over
    assert report.conservation["error"] == "0"
    assert written == json.loads(msgspec.json.encode(report))
    for topic in OUTPUTS:
        assert _by_line(left[topic], partitions) == _by_line(
            expected.topics.get(topic, []), partitions
        ), topic
    if close:
        assert report.open_windows == 0


def _read_lines(written: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.split(b"\n")[:-1]]


def _settings(timing: Timing) -> dict[str, Any]:
    told = msgspec.structs.asdict(timing)
    del told["ledger_bucket_seconds"]
    told["retention_seconds_mes"] = told.pop("mes_retention_seconds")
    told["retention_seconds_machine"] = told.pop("machine_retention_seconds")
    return {**told, "time_zones": ZONES}


def _by_line(records: Iterable[dict[str, Any]], partitions: int) -> dict[Any, list[Any]]:
    found: defaultdict[Any, list[Any]] = defaultdict(list)
    for record in records:
        found[record.get("plant"), record.get("line")].append(_comparable(record, partitions))
    return dict(found)


def _comparable(record: dict[str, Any], partitions: int) -> dict[str, Any]:
    """Return a record with its times as instants, an exception without its wording.

    Where a key decides on one of several partitions, the reference hashes it in its own way.
    """
    data = dict(record["data"])
    if record["type"] == "exception.raised.v1":
        assert data.pop("reason")
        if partitions > 1:
            del data["partition"], data["offset"]
            record = {**record, "id": None}
    for told in (record := {**record, "data": data}, data):
        for name in TIMES:
            if name in told:
                told[name] = reference.parse_time(told[name])
                assert told[name] is not None
    return record


def test_the_reference_imports_nothing_of_the_project() -> None:
    source = Path(reference.__file__).read_text("utf-8")
    assert not any(f"import {name}" in source for name in ("streams", "tables", "agents"))
    assert not any(f"from {name}" in source for name in ("streams", "tables", "agents"))


def test_the_topics_are_the_references_topics() -> None:
    assert sorted(OUTPUTS) == sorted(reference.TOPICS)
    assert EXCEPTIONS in reference.TOPICS
