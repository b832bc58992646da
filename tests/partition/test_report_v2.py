"""What a replay reports is what the plain reading of the contract reports of the same log."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from draws import seeds
from oracle_v2 import replay
from oracle_v2.builders import consumed, placed, released, reversed_
from oracle_v2.worlds import World
from replays import replayed
from runs import placed as records_of
from streams.contract.topics import MES_EVENTS
from streams.values import instant
from tables.line.rules import rules_for
from tables.line.units import UNITS_MAX
from tables.partition.partition import Partition
from tables.report import report
from tables.store.store import MemoryStore

ALIKE = (
    "counts", "exceptions", "passed_over", "parked", "waiting_ends", "overlong_episodes",
    "forgotten_open_seconds",
)  # fmt: skip


@given(seeds, st.sampled_from([1, 3]), st.booleans())
@settings(max_examples=40)
def test_a_report_says_what_the_plain_reading_says(seed: int, partitions: int, close: bool) -> None:
    check(encoded(World(seed).log(150)), partitions, close)


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
        *(
            (each, "released, but its placing isn't known")
            for each in told["releases_without_hold"]
        ),
    }
    assert own["conservation"]["error"] == "0"
    assert own["conservation"]["rows"] == rows_of(told)
    assert own["conservation"]["singles"] == told["conservation"]["singles"]
    waiting = sum(each["waiting"] for each in told["conservation"]["singles"])
    assert own["waiting_finals"] == waiting
    return own


@given(seeds, st.booleans())
@settings(max_examples=20)
def test_a_state_that_is_read_again_reports_the_same(seed: int, cold: bool) -> None:
    """Also with lines that lie in the store only; of those no episodes are looked at."""
    records = records_of(encoded(World(seed).log(120)))[MES_EVENTS, 0]
    rules, store = rules_for(MES_EVENTS), MemoryStore()
    whole = Partition(MES_EVENTS, 0, rules, MemoryStore())
    again = Partition(MES_EVENTS, 0, rules, store, lines_max=1 if cold else None)
    for record in records:
        whole.commit(whole.step([record]))
        again.commit(again.step([record]))
        again = Partition(MES_EVENTS, 0, rules, store, lines_max=1 if cold else None)
    right, found = asdict(report([whole])), asdict(report([again]))
    for told in (right, found):
        told["episodes"].sort(key=lambda one: (one["line"], one["episode"]))
    if cold:
        for name in ("waiting_ends", "overlong_episodes", "episodes"):
            del right[name], found[name]
    assert found == right


def test_units_past_the_last_that_is_told_apart_are_one_rest() -> None:
    log = encoded([consumed(f"e{n}", "06:00", uom=f"u{n}") for n in range(UNITS_MAX + 2)])
    rows = [
        row
        for row in replayed(b"\n".join(log) + b"\n").written["conservation"]["rows"]
        if row["type"] == "erp.goods_issue.v1"
    ]
    assert len(rows) == UNITS_MAX + 1
    assert [row["open"] for row in rows if "uom" not in row] == ["2"]
    assert all(row["open"] == "1" and row["error"] == "0" for row in rows if "uom" in row)


def test_since_when_is_the_oldest_that_is_still_parked() -> None:
    hold = placed("h", "06:00", hold="H", value="A")
    older = consumed("older", "05:59", lot="A")
    newer = consumed("newer", "06:01", lot="A")
    back = reversed_("back", "06:02", older)
    log = [hold, newer, older]
    assert check(encoded(log))["parked_since"] == "2026-11-21T05:59:00Z"
    told = check(encoded([*log, back]))
    assert (told["parked"], told["parked_since"]) == (1, "2026-11-21T06:01:00Z")
    free = released("r", "06:03", hold="H")
    told = check(encoded([*log, back, free]))
    assert (told["parked"], told["parked_since"], told["idle_holds"]) == (0, None, 0)


def encoded(log: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(each).encode() for each in log]


def rows_of(told: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows of a report in which there is something."""
    names = ("accepted", "emitted", "open", "parked")
    return [row for row in told["conservation"]["rows"] if any(row[name] != "0" for name in names)]


def instant_of(text: str | None) -> int | None:
    return None if text is None else instant.parse(text)
