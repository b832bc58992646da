"""The fast job says what the slow one says: a replay against `oracle_v2`, record for record."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from draws import logs, seeds, timings, worlds
from logs import printed_log, random_log
from oracle_v2 import replay
from oracle_v2.tables import TOPICS
from replays import by_line, replayed
from streams.contract.topics import EXCEPTIONS, OUTPUTS, REFERENCE
from tables.line.rules import Timing

ZONES = {"DE01": "America/Caracas"}


@pytest.mark.parametrize("seed", range(20))
def test_fixed_logs_give_what_the_oracle_gives(seed: int) -> None:
    _compare(random_log(seed, 400), close=seed % 2 == 0)


@pytest.mark.parametrize("seed", range(20))
def test_fixed_logs_as_kcat_prints_them_give_what_the_oracle_gives(seed: int) -> None:
    _compare(printed_log(seed, 400, partitions=3), close=seed % 2 == 0)


@given(logs(), timings, st.booleans(), st.sampled_from([1, 1, 4]))
def test_any_log_gives_what_the_oracle_gives(
    lines: list[bytes], timing: Timing, close: bool, partitions: int
) -> None:
    _compare(lines, timing, close, partitions)


@given(worlds(), timings, st.booleans(), st.sampled_from([1, 1, 4]))
def test_any_log_with_master_data_gives_what_the_oracle_gives(
    lines: list[bytes], timing: Timing, close: bool, partitions: int
) -> None:
    _compare(lines, timing, close, partitions)


@given(seeds, timings, st.booleans())
def test_any_log_as_kcat_prints_it_gives_what_the_oracle_gives(
    seed: int, timing: Timing, close: bool
) -> None:
    _compare(printed_log(seed, 150, partitions=2), timing, close)


def _compare(
    lines: list[bytes], timing: Timing | None = None, close: bool = False, partitions: int = 1
) -> None:
    timing = timing or Timing()
    expected = replay(lines, partitions, close, _settings(timing))
    left, report, written = replayed(b"\n".join(lines), timing, ZONES, partitions, close)
    assert report.counts == expected.report["counts"]
    assert report.exceptions == expected.report["exceptions"]
    assert report.passed_over == expected.report["passed_over"]
    assert report.conservation["error"] == expected.report["conservation"]["error"] == "0"
    assert written == json.loads(msgspec.json.encode(report))
    for topic in TOPICS:
        told = expected.topics.get(topic, [])
        assert by_line(left[topic], partitions) == by_line(told, partitions), topic
    assert all(each["data"]["reason"] for each in left[EXCEPTIONS])
    if close:
        assert report.open_windows == 0


def _settings(timing: Timing) -> dict[str, Any]:
    told = msgspec.structs.asdict(timing)
    del told["ledger_bucket_seconds"]
    told["retention_seconds_mes"] = told.pop("mes_retention_seconds")
    told["retention_seconds_machine"] = told.pop("machine_retention_seconds")
    return {**told, "time_zones": ZONES}


def test_the_topics_are_the_oracles_topics() -> None:
    assert sorted([*OUTPUTS, REFERENCE]) == sorted(TOPICS)
