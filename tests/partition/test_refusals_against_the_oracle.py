"""Records of a log are refused, each by its check, as the independent reading refuses them."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from draws import seeds
from logs import printed_log, random_log
from oracle_v2 import replay
from runs import run, value_of
from streams.contract.topics import EXCEPTIONS

TOLD = ("class", "code", "topic", "partition", "offset", "key", "value")

Refusals = dict[str, list[Any]]

EITHER = pytest.mark.parametrize("logged", [random_log, printed_log])


def lines_of(logged: Callable[[int, int], list[bytes]], seed: int) -> list[bytes]:
    """Return a log without what later checks than those of reading and the ledger look at."""
    lines = logged(seed, 150)
    return [line for line in lines if b"downtime." not in line and b"quality." not in line]


def refusals(records: list[dict[str, Any]]) -> Refusals:
    found: Refusals = {}
    for record in records:
        about = [record["data"][name] for name in TOLD]
        where = record.get("plant"), record.get("line")
        found.setdefault(record["id"], []).append((*where, *about))
    return found


@EITHER
@given(seed=seeds)
@settings(max_examples=15)
def test_what_is_refused_and_why_is_what_the_oracle_says(
    logged: Callable[[int, int], list[bytes]], seed: int
) -> None:
    lines = lines_of(logged, seed)
    done, right = run(lines), replay(lines)
    left = [value_of(output) for each in done.outputs.values() for output in each]
    ours = [record for record in left if record["type"] == "exception.raised.v1"]
    assert refusals(ours) == refusals(right.topics.get(EXCEPTIONS, []))
    counts = right.report["counts"]
    assert {name: done.counts[name] for name in counts} == counts


@EITHER
def test_the_comparison_sees_every_code_of_reading(
    logged: Callable[[int, int], list[bytes]],
) -> None:
    codes: Counter[str] = Counter()
    for seed in range(30):
        codes.update(replay(lines_of(logged, seed)).report["exceptions"])
    assert min(codes[code] for code in ("malformed", "invalid", "unknown_type")) > 10
