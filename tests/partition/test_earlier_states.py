"""States that were written before contract v2 go on under it: exactly, and with nothing told twice.

The files of `states` have the log of one partition, what it had made leave, and its state, as the
version before contract v2 wrote it in each of its formats.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from runs import (
    START,
    Bench,
    confirmed,
    consumed,
    ended,
    event,
    reversed_,
    started,
    stepped,
    value_of,
)
from streams.contract.topics import MES_EVENTS
from tables.line.conservation import balances
from tables.partition.head import FORMATS, format_of
from tables.partition.partition import Bounds, Partition
from tables.store.store import HEAD, MemoryStore

STATES = Path(__file__).parent / "states"
MES = ["mes-1", "mes-2", "mes-3"]

FED = {
    "material.consumed.v1": [
        ("erp.goods_issue.v1", "quantity"), ("summary.consumption.v1", "quantity"),
    ],
    "production.confirmed.v1": [
        ("erp.production_confirmation.v1", "quantity"), ("summary.production.v1", "good"),
    ],
    "scrap.declared.v1": [("erp.scrap_posting.v1", "quantity"), ("summary.scrap.v1", "quantity")],
    "labor.booked.v1": [("erp.labor_confirmation.v1", "seconds")],
    "machine.count.v1": [("summary.machine.v1", "good")],
}  # fmt: skip
"""What an event type adds to: record types, and which of their measures."""

Sums = Counter[tuple[str, str]]


@dataclass
class Earlier:
    """A state, and what it came from."""

    bench: Bench
    log: list[bytes]
    left: list[dict[str, Any]]

    def send(self, *values: bytes) -> list[dict[str, Any]]:
        """Let the partition take more; return what leaves."""
        self.log += values
        left, records = [], self.bench.records(*values)
        while self.bench.task.offset < records[-1].offset:  # with bounds a step may end before
            left += [value_of(each) for each in stepped(self.bench.task, records)]
        self.left += left
        return left


def opened(name: str, **settings: Any) -> Earlier:
    told = json.loads((STATES / f"{name}.json").read_bytes())
    bench = Bench(told["topic"])
    bench.store.write(
        [(bytes.fromhex(key), bytes.fromhex(value)) for key, value in told["state"].items()]
    )
    bench.task = Partition(told["topic"], 0, bench.rules, bench.store, **settings)
    bench.sent = len(told["log"])
    return Earlier(bench, [json.dumps(each).encode() for each in told["log"]], told["left"])


def came(log: Iterable[bytes]) -> Sums:
    """Sum what came in up, each identity once, by line and record type; reversals take it away."""
    sums, seen = Sums(), set()
    for value in log:
        told = json.loads(value, parse_float=Decimal, parse_int=Decimal)
        at = told.get("line")
        if told["type"] == "clock.tick.v1" or (at, told["id"]) in seen:
            continue
        seen.add((at, told["id"]))
        of, sign = (told["data"]["original"], -1) if "original" in told["data"] else (told, 1)
        for record, measure in FED.get(of["type"], []):
            member = (
                "seconds" if measure == "seconds" else "good" if "machine" in record else "quantity"
            )
            sums[at, record] += sign * Decimal(of["data"][member])
    return sums


def went(left: Iterable[dict[str, Any]]) -> Sums:
    """Sum what has left up; an `erp.reversal.v1` takes its record away."""
    sums, posted = Sums(), {}
    measures = {record: measure for fed in FED.values() for record, measure in fed}
    for record in left:
        posted[record["id"]] = record
        sign = 1
        if record["type"] == "erp.reversal.v1":
            record, sign = posted[record["data"]["reverses"]], -1
        if record["type"] in measures:
            amount = Decimal(record["data"][measures[record["type"]]])
            sums[record["line"], record["type"]] += sign * amount
    return sums


def assert_exact(earlier: Earlier) -> None:
    """Close all windows, and hold what has left in all against what has come in."""
    task = earlier.bench.task
    for line in task.lines.values():
        assert not any(balance.error for balance in balances(line, task.rules).values())
    earlier.left += earlier.bench.close()
    with localcontext() as context:
        context.prec = 60
        wanted, found = came(earlier.log), went(earlier.left)
        assert {at: sum_ for at, sum_ in found.items() if sum_} == {
            at: sum_ for at, sum_ in wanted.items() if sum_
        }
    keys = [record["id"] for record in earlier.left]
    assert len(keys) == len(set(keys))


def of(left: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record["data"] for record in left if record["type"] == kind]


@pytest.mark.parametrize("name", [*MES, "machine-3"])
def test_a_state_closes_with_the_totals_of_its_log(name: str) -> None:
    assert_exact(opened(name))


@pytest.mark.parametrize("bounds", [None, Bounds(output_bytes=4_000, rows=3, lines=1)])
@pytest.mark.parametrize("name", MES)
def test_a_state_goes_on_with_what_comes_late_and_what_closes(
    name: str, bounds: Bounds | None
) -> None:
    earlier = opened(name, bounds=bounds)
    for value in [
        consumed(1, "32", id="later"),
        consumed(690, "64", id="open still", line="L2"),
        event(
            "labor.booked.v1", 64, id="l3", order="O1", operation="0010", work_unit="U1", seconds=7
        ),
        confirmed(12, "5", id="q", final=True),
        event("clock.tick.v1", 5_000),
        consumed(4_900, "128", id="new", line="L2"),
        consumed(2, "256", id="very late"),
    ]:
        earlier.send(value)
    assert earlier.bench.task.counts.accepted == 28 + 6
    assert_exact(earlier)


@pytest.mark.parametrize("name", MES)
def test_what_a_state_has_seen_is_known_and_can_be_taken_back(name: str) -> None:
    earlier = opened(name)
    first = [json.loads(value) for value in earlier.log]
    counts = earlier.bench.task.counts
    assert (counts.accepted, counts.duplicate, counts.exception, counts.tick) == (28, 1, 1, 1)
    assert earlier.send(consumed(0, "2.5", id="a"), confirmed(10, "4", id="p")) == []
    assert counts.duplicate == 3
    # Its confirmation with `final` left at once, as everything did then: so it is reversed.
    (final,) = [told for told in first if told["id"] == "f"]
    (taken,) = earlier.send(reversed_(json.dumps(final).encode(), 720, id="rf"))
    assert taken["id"] == "rv:pc:DE01/L1:/mes|f"
    (again,) = earlier.send(reversed_(confirmed(10, "4", id="p"), 721, id="rp2"))
    assert again["data"]["code"] == "already_reversed"
    earlier.log.pop()
    earlier.send(reversed_(consumed(0, "2.5", id="a"), 722, id="ra"))
    assert_exact(earlier)


@pytest.mark.parametrize("name", MES)
def test_the_stops_of_a_state_end(name: str) -> None:
    """One is open and was notified, one waits for its start; both come to what they lasted."""
    earlier = opened(name)
    assert earlier.send(event("clock.tick.v1", 1_000)) != []
    left = earlier.send(ended(400, "open"), started(210, "waiting"))
    (taken_back,) = [record for record in left if record["type"] == "erp.reversal.v1"]
    assert taken_back["data"]["episode"] == "open"
    assert taken_back["data"]["reverses"] in {record["id"] for record in earlier.left}
    earlier.left += earlier.bench.close()
    told = of(earlier.left, "summary.downtime.v1")
    assert sum(Decimal(data["seconds"]) for data in told) == (400 - 40) + (200 - 50) + (300 - 210)
    assert sum(Decimal(data["stops"]) for data in told) == 3


@pytest.mark.parametrize("name", [*MES, "machine-3"])
def test_a_state_is_written_in_the_latest_format_and_goes_on_from_there(name: str) -> None:
    steady, restarted = opened(name), opened(name)
    topic = steady.bench.task.topic
    (head,) = steady.bench.store.get_many([HEAD])
    assert format_of(head or b"") == int(name[-1])
    for number in range(4):
        at = 750 + 200 * number
        counted = event("machine.count.v1", at, id=f"n{number}", work_unit="U1", good=1, scrap=0)
        value = consumed(at, id=f"n{number}") if topic == MES_EVENTS else counted
        assert restarted.send(value) == steady.send(value)
        (head,) = restarted.bench.store.get_many([HEAD])
        assert format_of(head or b"") == FORMATS[-1]
        restarted.bench.reopen()
    assert restarted.bench.task.counts == steady.bench.task.counts
    assert_exact(restarted)
    assert_exact(steady)
    assert restarted.left == steady.left


def test_the_states_are_of_the_instants_that_the_tests_use() -> None:
    for name in MES:
        assert opened(name).bench.task.lines[b"DE01/L1"].watermark == (START + 710) * 1_000_000


def test_an_empty_store_is_no_earlier_state() -> None:
    assert Partition(MES_EVENTS, 0, Bench().rules, MemoryStore()).offset == -1
