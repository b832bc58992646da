"""The checks are data: pages, metrics and AsyncAPI read them, and every loop keeps their order."""

import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from agents.partition.meter import Meter
from agents.serve.job_metrics import _add_tally
from oracle_v2 import replay
from runs import START, confirmed, consumed, reversed_, run, started
from streams.contract.asyncapi import document
from streams.contract.checks import CHECKS, CLASSES, Code, remedies
from streams.contract.events import REVERSIBLE
from streams.contract.topics import MES_EVENTS
from tables.line.rules import Timing

PAGE = (Path(__file__).parent.parent.parent / "docs" / "contract.md").read_text("utf-8")
TIMING = Timing(mes_retention_seconds=1_000)
SETTINGS = {"retention_seconds_mes": 1_000}

EXPIRED = consumed(-800, id="expired")
PLAIN = consumed(10, id="plain")
TAKEN_BACK = consumed(20, id="taken back")
SETUP = [
    EXPIRED,
    PLAIN,
    TAKEN_BACK,
    reversed_(TAKEN_BACK, 30, id="reversal"),
    started(40, id="start"),
    confirmed(50, id="other content"),
    reversed_(EXPIRED, 60, id="reversal of what will have expired"),
    confirmed(300, id="last"),  # 1,000 s before it the ledger ends
]
"""What a line has accepted before the record that is judged."""

APART = {
    *combinations((2, 3, 4), 2),  # of one `type`
    (4, 7),  # a tick that is from the future is refused by check 4
    (8, 9),  # what the ledger still has isn't too old
    (9, 10), (9, 12), (9, 13),  # the same content, or other content
    (11, 14),  # in the ledger, or not
    (11, 15), (12, 15), (13, 15), (14, 15),  # of a reversal, or of a downtime
}  # fmt: skip
"""Checks that can't both apply to one record."""

PAIRS = [pair for pair in combinations(range(1, 16), 2) if pair not in APART]


def judged(*checks: int) -> bytes:
    """Return a record, as kcat prints it, to which all these checks apply."""
    document = json.loads(_event_for(set(checks)))
    key, timestamp = f"{document['plant']}/{document['line']}", -1
    if 12 in checks:
        document["data"]["original"]["type"] = "operation.started.v1"
    if 13 in checks:
        document["data"]["original"]["data"]["quantity"] = "77"
    if 11 in checks and 9 not in checks:
        document["data"]["reverses"] = "nobody"
    if 10 in checks:
        document["id"] = "other content"
    if 8 in checks:
        document["time"] = "2026-11-21T04:00:00Z"
    if 7 in checks:
        timestamp = (START - 20_000) * 1_000
    if 6 in checks:
        key = "DE01/L9"
    if 5 in checks:
        document["specversion"] = "2.0"  # no part of what the ledger compares
    for check, kind in ((4, "clock.tick.v1"), (3, "material.eaten.v1"), (2, 5)):
        if check in checks:
            document["type"] = kind
    value = json.dumps(document)
    return printed(value[:-1] if 1 in checks else value, key, timestamp)


def _event_for(checks: set[int]) -> bytes:
    if checks & {11, 12, 13, 14}:
        if 9 in checks:
            return SETUP[6] if 11 in checks else SETUP[3]
        return reversed_(TAKEN_BACK if 14 in checks else PLAIN, 310)
    if 15 in checks:
        return SETUP[4] if 9 in checks else started(310)
    return PLAIN if 9 in checks else consumed(310)


def printed(value: str, key: str, timestamp: int = -1) -> bytes:
    record = {"topic": MES_EVENTS, "partition": 0, "ts": timestamp, "key": key, "payload": value}
    return json.dumps(record).encode()


BEFORE = [printed(value.decode(), "DE01/L1") for value in SETUP]


def by_the_oracle(lines: list[bytes]) -> Counter[str]:
    done = replay(lines, 1, False, SETTINGS).report
    return _outcomes(done["counts"], done["exceptions"])


def by_the_job(lines: list[bytes]) -> Counter[str]:
    done = run(lines, timing=TIMING)
    (task,) = done.tasks.values()
    return _outcomes(done.counts, task.counts.codes)


def _outcomes(counts: Any, codes: Any) -> Counter[str]:
    outcomes = Counter({name: counts[name] for name in ("accepted", "duplicate", "tick")})
    outcomes.update(codes)
    return outcomes


LOOPS = pytest.mark.parametrize("loop", [by_the_job, by_the_oracle])
Loop = Callable[[list[bytes]], Counter[str]]


def outcome(loop: Loop, record: bytes) -> str:
    (found,) = (loop([*BEFORE, record]) - loop(BEFORE)).elements()
    return found


@LOOPS
@pytest.mark.parametrize("number", range(1, 16))
def test_each_check_decides_where_it_is_the_only_one_that_applies(loop: Loop, number: int) -> None:
    assert outcome(loop, judged(number)) == CHECKS[number - 1].outcome


@LOOPS
def test_a_record_that_no_check_applies_to_is_accepted(loop: Loop) -> None:
    assert outcome(loop, judged()) == CHECKS[-1].outcome == "accepted"


@LOOPS
def test_of_two_checks_that_apply_the_first_decides(loop: Loop) -> None:
    for pair in PAIRS:
        assert outcome(loop, judged(*pair)) == CHECKS[pair[0] - 1].outcome, pair
    assert len(PAIRS) == 105 - len(APART)


def test_checks_are_numbered_in_their_order_and_have_every_code() -> None:
    numbers = [*map(str, range(1, 19))]
    numbers.insert(15, "15a")
    assert [check.number for check in CHECKS] == numbers
    assert tuple(CLASSES) == get_args(Code)
    for check in CHECKS:
        assert (check.kind is not None) == (check.outcome in CLASSES)
        assert CLASSES.get(check.outcome) == check.kind
        assert "](" not in check.found + check.remedy  # AsyncAPI is read elsewhere


def test_the_page_says_of_which_class_each_check_is() -> None:
    business = [check.number for check in CHECKS if check.kind == "business"]
    assert business == ["11", "12", "13", "14", "15", "15a", "17"]
    assert "`business` for checks 11 to 15a and 17:" in PAGE


def test_the_page_names_the_types_that_can_be_reversed() -> None:
    sentence = PAGE.partition("can be\ntaken back, once:")[2].partition(".\n\n")[0]
    assert {f"{name}.v1" for name in re.findall("`(.*?)`", sentence)} == REVERSIBLE


def test_asyncapi_says_of_each_code_what_to_do() -> None:
    payload = document("0")["components"]["messages"]["exception.raised.v1"]["payload"]
    members = payload["properties"]["data"]["properties"]
    assert members["code"]["enum"] == list(CLASSES)
    assert set(members["class"]["enum"]) == {*CLASSES.values(), "technical"}
    for code, remedy in remedies().items():
        assert f"- `{code}`: {remedy}" in members["code"]["description"]


def test_the_metrics_have_a_series_for_each_code_with_its_class() -> None:
    series: list[tuple[str, ...]] = []
    families: Any = SimpleNamespace(add=lambda name, _, *labels: series.append((name, *labels)))
    _add_tally(families, Meter())
    labels_found = [labels for name, *labels in series if name == "exceptions_total"]
    assert labels_found == [[kind, code] for code, kind in CLASSES.items()]
