"""What it costs to look up what events name: with master data, and with all of it required.

    python benchmarks/bench_known.py [--events N] [--items N] [--orders N] [--rounds N]

One partition of `mes.events.v1` in one process, its state in memory: no Kafka. The same log is
taken three times in each round, in turns: with nothing known; with 50,000 items, 5,000 orders and
all else that the events name; and with that, and each plant requiring everything. Records are as
many in all three. Prints the medians of user and system CPU time per event.
"""

import argparse
import gc
import time
from collections import defaultdict
from collections.abc import Iterator
from statistics import median
from typing import Any

import msgspec
from workload import Workload, add_plan_options, plan_of

from streams.contract.reference_values import REQUIRABLE
from streams.contract.topics import MES_EVENTS
from streams.contract.transactions import encode
from streams.log.record import Record
from tables.line.rules import rules_for
from tables.partition.partition import Partition
from tables.store.store import MemoryStore

STEP = 4_000
WAYS = "nothing known", "known", "everything required"

Pair = tuple[bytes, bytes]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_plan_options(parser, events=400_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--orders", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    events = [
        (key, value)
        for topic, key, value in Workload(plan_of(options)).records()
        if topic == MES_EVENTS
    ]
    known = [*master_data(events, options.items, options.orders)]
    required = [
        _reference("plant", plant, require=[*REQUIRABLE])
        for plant in sorted({key.partition(b"/")[0].decode() for key, _ in events})
    ]
    befores = dict(zip(WAYS, ([], known, [*known, *required]), strict=True))
    print(f"{len(events):,} events; {len(known):,} reference records", flush=True)
    gc.freeze()
    gc.disable()
    costs: defaultdict[str, list[float]] = defaultdict(list)
    outcomes = {}
    for number in range(options.rounds):
        for way in WAYS[number % 3 :] + WAYS[: number % 3]:
            micros, outcomes[way] = measured(befores[way], events)
            costs[way].append(micros)
    assert len({*outcomes.values()}) == 1, outcomes  # nothing is refused for what is unknown
    least = median(costs[WAYS[0]])
    for way in WAYS:
        each = median(costs[way])
        print(f"{way:20} {each:6.2f} us an event, {each / least:.2f} times")


def measured(before: list[Pair], events: list[Pair]) -> tuple[float, tuple[int, ...]]:
    """Take the log after what is known; return the cost of an event, and outcomes of events."""
    partition = Partition(MES_EVENTS, 0, rules_for(MES_EVENTS), MemoryStore())
    offset = 0
    for pairs in (before, events):
        records = [Record(offset + n, None, *pair) for n, pair in enumerate(pairs)]
        offset += len(records)
        began = time.process_time()
        for number in range(0, len(records), STEP):
            partition.commit(partition.step(records[number : number + STEP]))
        seconds = time.process_time() - began
    counts = partition.counts
    return seconds / len(events) * 1e6, (counts.accepted, counts.duplicate, counts.exception)


def master_data(events: list[Pair], items: int, orders: int) -> Iterator[Pair]:
    """Yield what there is to know of a log's events, and others up to so many items and orders."""
    units: defaultdict[str, set[str]] = defaultdict(set)
    named: set[tuple[str, ...]] = set()
    for _, value in events:
        try:
            event = msgspec.json.decode(value)
            plant, line, data = event["plant"], event["line"], event["data"]
        except (msgspec.DecodeError, KeyError):
            continue  # a bad one
        named.add(("line", plant, line))
        if "item" in data:
            units[data["item"]].add(data.get("uom", "pcs"))
        for kind, *where in (("work_unit", line), ("reason",), ("order",)):
            if kind in data:
                named.add((kind, plant, *where, data[kind]))
    for kind, plant, *id in sorted(named):
        names = ("line", "work_unit") if kind == "work_unit" else (kind,)
        more = {"status": "released"} if kind == "order" else {}
        yield _reference(kind, plant, **dict(zip(names, id, strict=True)), **more)
    for item, uoms in sorted(units.items()):
        base, *others = sorted(uoms)
        conversions = dict.fromkeys(others, "2.5") or None
        yield _reference("item", "*", item=item, base_uom=base, conversions=conversions)
    for number in range(items - len(units)):
        yield _reference("item", "*", item=f"MORE-{number}", base_uom="kg")
    for number in range(orders - sum(kind == "order" for kind, *_ in named)):
        yield _reference("order", "PL01", order=f"MORE-{number}", status="released")


def _reference(kind: str, plant: str, **data: Any) -> Pair:
    value = encode(
        f"reference.{kind}.v1", f"{kind} {data}", "2026-01-01T00:00:00Z", plant, "*", data
    )
    return f"{plant}/*".encode(), value


if __name__ == "__main__":
    main()
