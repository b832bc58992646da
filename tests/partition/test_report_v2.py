"""What a replay reports is what the plain reading of the contract reports of the same log."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draws import seeds
from oracle_v2 import replay
from oracle_v2.worlds import World
from replays import replayed
from streams.values import instant

ALIKE = (
    "counts", "exceptions", "passed_over", "parked", "waiting_ends", "overlong_episodes",
    "forgotten_open_seconds",
)  # fmt: skip


@given(seeds, st.sampled_from([1, 3]), st.booleans())
@settings(max_examples=40)
def test_a_report_says_what_the_plain_reading_says(seed: int, partitions: int, close: bool) -> None:
    check([json.dumps(each).encode() for each in World(seed).log(150)], partitions, close)


def check(log: list[bytes], partitions: int = 1, close: bool = False) -> dict[str, Any]:
    """Compare the report on a log with that of the plain reading; return it."""
    own = replayed(b"\n".join(log) + b"\n", partitions=partitions, close=close).written
    told = replay(log, partitions, close).report
    assert {name: own[name] for name in ALIKE} == {name: told[name] for name in ALIKE}
    assert instant_of(own["parked_since"]) == instant_of(told["parked_since"])
    assert own["idle_holds"] == len(told["idle_holds"])
    assert own["releases_without_hold"] == len(told["releases_without_hold"])
    named = {(f"{each['plant']}/{each['hold']}", each["problem"]) for each in own["holds"]}
    assert named == {
        *((each, "has touched nothing") for each in told["idle_holds"]),
        *((each, "released, but its placing isn't known") for each in told["releases_without_hold"]),
    }
    assert own["conservation"]["error"] == "0"
    assert own["conservation"]["rows"] == rows_of(told)
    assert own["conservation"]["singles"] == told["conservation"]["singles"]
    waiting = sum(each["waiting"] for each in told["conservation"]["singles"])
    assert own["waiting_finals"] == waiting
    return own


def rows_of(told: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows of a report in which there is something."""
    names = ("accepted", "emitted", "open", "parked")
    return [
        row for row in told["conservation"]["rows"] if any(row[name] != "0" for name in names)
    ]


def instant_of(text: str | None) -> int | None:
    return None if text is None else instant.parse(text)
