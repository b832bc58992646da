"""The chaos suite's log has in it what its page says: holds, master data, changes, refusals."""

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from chaos_log import LINES, PLANTS, with_holds, write_chaos_log
from chaos_masters import FLYING, ORDERS, Steward, legs
from chaos_table import merged, table
from masters import refusal, take
from runs import run
from streams.kafka.cluster import Cluster
from streams.log.record import Outgoing
from tables.reference.known import Known

EVENTS = 20_000
ROUNDS = 400


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = tmp_path_factory.mktemp("chaos") / "log.ndjson"
    write_chaos_log(path, 1, EVENTS)
    return path.read_bytes().splitlines()


@pytest.fixture
def steward() -> Steward:
    return Steward(Cluster(servers=("nowhere:9092",)), Random("1"), 1)


def told(known: Known, steward: Steward, rounds: int) -> tuple[list[Outgoing], list[str]]:
    """Return what is kept of all that is told at first and then, and why the rest is refused."""
    kept, reasons = [], []
    for said in [list(steward.first()), *islice(steward.changes(), rounds)]:
        for each in said:
            left = take(steward.record(*each), known)
            reason = refusal(left)
            if reason is not None:
                reasons.append(reason)
            elif left is not None:
                kept.append(left)
    return kept, reasons


def test_holds_are_placed_and_released_and_park_events_of_other_lines(log: list[bytes]) -> None:
    holds = [json.loads(line) for line in log if b'/qms"' in line]
    kinds = Counter(each["type"] for each in holds)
    assert 20 < kinds["quality.hold_released.v1"] <= kinds["quality.hold_placed.v1"]
    scopes = {each["data"]["scope"] for each in holds if "scope" in each["data"]}
    assert scopes == {"lot", "order", "item"}
    assert len({(each["plant"], each["line"]) for each in holds}) > PLANTS * LINES / 2
    tasks = run(log).tasks
    assert sum(task.parking.count for task in tasks.values()) > 0


def test_each_hold_is_released_by_a_later_event() -> None:
    event = (
        b'{"type":"production.confirmed.v1","plant":"P","line":"L1","time":"2026-01-06T00:00:00Z",'
        b'"data":{"item":"I","order":"O","lot":"L"}}'
    )
    lines = [json.loads(line) for line in with_holds([event] * 9_000, 400, 1_000)]
    placed = [each for each in lines if each["type"] == "quality.hold_placed.v1"]
    freed = [each["data"]["hold"] for each in lines if each["type"] == "quality.hold_released.v1"]
    assert freed == [each["data"]["hold"] for each in placed][: len(freed)]
    assert len(placed) - 3 <= len(freed) < len(placed)


def test_all_that_is_told_is_kept_but_for_what_is_meant_to_be_refused(steward: Steward) -> None:
    known = Known()
    kept, reasons = told(known, steward, ROUNDS)
    assert len(reasons) == ROUNDS / 8
    assert len(set(reasons)) > 6
    kinds = Counter(json.loads(each.value)["type"].split(".")[1] for each in kept)
    assert kinds.keys() == {
        "plant", "line", "work_unit", "item", "reason", "order", "hold", "hold_release", "rules",
        "timing",
    }  # fmt: skip
    assert kinds["rules"] > 50
    assert kinds["hold"] - 3 <= kinds["hold_release"] <= kinds["hold"] == ROUNDS / 8


def test_rules_change_at_midnights_within_the_log(log: list[bytes], steward: Steward) -> None:
    times = [json.loads(line)["time"] for line in (log[0], log[-1])]
    first, last = (datetime.fromisoformat(time).astimezone(UTC) for time in times)
    midnights = [at for at, _ in legs(1)[1:]]
    assert sum(first < midnight < last for midnight in midnights) >= 1
    assert len(midnights) > 10


def test_rules_change_on_each_day_of_a_longer_log() -> None:
    longer = Steward(Cluster(servers=("nowhere:9092",)), Random("1"), 1, lasts_days=3)
    known = Known()
    kept, reasons = told(known, longer, 8)
    assert len(reasons) == 1
    rules = [json.loads(each.value) for each in kept if b'"reference.rules.v1"' in each.value]
    days = {each["data"]["valid_from"][:10] for each in rules if each["plant"] == FLYING[0]}
    assert days >= {"2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"}
    orders = [each for each in kept if b'"reference.order.v1"' in each.value]
    assert len(orders) >= 3 * ORDERS * PLANTS * LINES


def test_results_of_versions_without_holds_are_kept_beside_new_ones() -> None:
    path = Path(__file__).parents[2] / "benchmarks/results/chaos.json"
    earlier = json.loads(path.read_bytes())["results"]
    new = [{**earlier[0], "case": "parked", "copies": 5_000, "parked": 7}]
    both = merged(earlier, new)
    assert len(both) == len(earlier) + 1
    assert len(table(both).splitlines()) == len(both) + 2
