"""How soon a worker goes on after a restart: with its state on disk, and with a disk that is empty.

    python benchmarks/bench_recovery.py [--keys N] [--rounds R] [--partitions P]

Lets a worker process the workload until its ledgers hold `--keys` entries (one for each event that
was accepted, telemetry aside), and stops it in order. Then, in turns:

- intact: it is started again with its data directory;
- wiped: it is started again with an empty one, and restores all states from their changelogs.

Before each start a confirmation is put on every partition of the MES's topic. Measured are the
seconds from the start of the process until /ready (all partitions have their states), until the
first of these confirmations has left, and until all have: as a consumer of the ERP's topic sees it.
"""

import argparse
import asyncio
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import TopicPartition
from measure import Failed, about, keep, machine, table
from options import add_stand_options
from preload import Preloaded
from rig import Rig, run_main, standing
from workload import Plan
from workload_shapes import line_name

from streams.contract.topics import ERP_TRANSACTIONS, INPUTS, MES_EVENTS, changelog
from streams.log.record import partition_of

KEYS_PER_EVENT = 0.86
"""Of the workload: all but telemetry, duplicates and bad values."""

EVENT_SECONDS_MAX = 20 * 3_600
"""Of event time: the ledger of machine events reaches back for 4 days, and has to hold them all."""

GROUP = "bench-recovery"
GUARANTEE = "at_least_once"
RESTART_SECONDS_MAX = 1_800
POLL_MS = 50


class Restart(msgspec.Struct):
    """Seconds from the start of the process."""

    ready: float
    first: float
    """Until the first confirmation had left."""
    every: float
    """Until one of each partition had."""
    peak_mb: float


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_stand_options(parser)
    parser.add_argument("--keys", type=int, default=1_000_000)
    options = parser.parse_args()
    plan = plan_for(options.keys)
    with standing(options) as rig:
        preloaded = rig.fill(plan)
        filled = fill(rig, preloaded)
        restarts: dict[str, list[Restart]] = {"intact": [], "wiped": []}
        for number in range(options.rounds):
            for how, each in restarts.items():
                each.append(restart(rig, plan, how, number))
                print(f"round {number + 1}, {how}: {each[-1]}", flush=True)
    found = {
        "machine": machine(),
        "plan": msgspec.to_builtins(plan),
        "partitions": options.partitions,
        "keys": preloaded.ledger_keys,
        **filled,
        "restarts": msgspec.to_builtins(restarts),
    }
    keep(options.results, "recovery", found, page(found, restarts))


def plan_for(keys: int) -> Plan:
    """Return a plan that leaves about so many entries in the ledgers."""
    events = round(keys / KEYS_PER_EVENT)
    lines = Plan(events=0).lines
    return Plan(events=events, rate=max(Plan(events=0).rate, events / lines / EVENT_SECONDS_MAX))


def fill(rig: Rig, preloaded: Preloaded) -> dict[str, Any]:
    """Let a worker process everything, and return what its changelogs and its disk have then."""
    rig.create_topics(GROUP)
    folder = rig.folder / GROUP
    worker = rig.worker(GROUP, folder, GUARANTEE, "--until-drained")
    asyncio.run(rig.follow(worker, GROUP, preloaded.total))
    seconds = worker.samples[-1].seconds
    print(f"filled: {preloaded.ledger_keys:,} keys in {seconds:.0f} s", flush=True)
    topics = [changelog(GROUP, topic) for topic in INPUTS]
    return {
        "filling_seconds": seconds,
        "changelog_records": sum(rig.ends(topics).values()),
        "changelog_bytes": rig.log_bytes(topics),
        "state_bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
    }


def restart(rig: Rig, plan: Plan, how: str, number: int) -> Restart:
    """Start the worker once more, and stop it when it has gone on."""
    folder = rig.folder / GROUP
    if how == "wiped":
        shutil.rmtree(folder)
    wanted = asyncio.run(confirm(rig, plan, f"{how}-{number}"))
    since = rig.ends([ERP_TRANSACTIONS])
    worker = rig.worker(GROUP, folder, GUARANTEE)
    try:
        found = asyncio.run(observe(rig, worker, wanted, since))
    finally:
        code = worker.end()
    if code:
        raise Failed(f"the worker ended with code {code}:\n{rig.said(GROUP)}")
    return found


async def confirm(rig: Rig, plan: Plan, name: str) -> set[str]:
    """Put a confirmation on each partition of the MES's topic; return the ids they leave under."""
    places = {}
    for line in range(plan.lines):
        plant, line_ = line_name(line, plan.plants)
        places[partition_of(f"{plant}/{line_}".encode(), rig.partitions)] = plant, line_
    producer = rig.cluster.producer()
    await producer.start()
    try:
        for number, (plant, line_) in places.items():
            value = {
                "specversion": "1.0", "type": "production.confirmed.v1", "source": "/bench",
                "id": name, "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                "plant": plant, "line": line_,
                "data": {
                    "order": "1", "operation": "0010", "item": "P-1", "quantity": 1, "uom": "pcs",
                },
            }  # fmt: skip
            await producer.send_and_wait(
                MES_EVENTS,
                msgspec.json.encode(value),
                f"{plant}/{line_}".encode(),
                partition=number,
            )
    finally:
        await producer.stop()
    return {f"pc:{plant}/{line_}:/bench|{name}" for plant, line_ in places.values()}


async def observe(
    rig: Rig, worker: Any, wanted: set[str], since: Mapping[TopicPartition, int]
) -> Restart:
    """Return when the worker was ready, and when the records with these ids had left."""
    left, times = set(wanted), []
    async with rig.cluster.reader() as reader, asyncio.timeout(RESTART_SECONDS_MAX):
        reader.assign(list(since))
        for tp, end in since.items():
            reader.seek(tp, end)
        waiting = asyncio.ensure_future(rig.ready(worker, GROUP))
        while left:
            if not worker.running:
                raise Failed(f"the worker has ended:\n{rig.said(GROUP)}")
            for records in (await reader.getmany(timeout_ms=POLL_MS)).values():
                gone = {msgspec.json.decode(record.value)["id"] for record in records} & left
                left -= gone
                times += [time.monotonic() - worker.began] * bool(gone)
        ready = await waiting
    return Restart(round(ready, 2), round(times[0], 2), round(times[-1], 2), worker.look(0).mb)


def page(found: dict[str, Any], restarts: dict[str, list[Restart]]) -> str:
    """Return the figures as Markdown."""

    def median(each: Sequence[Restart], name: str) -> str:
        return f"{statistics.median(getattr(one, name) for one in each):.1f}"

    rows = [
        (how, *[median(each, name) for name in ("ready", "first", "every")],
         f"{max(one.peak_mb for one in each):.0f}")
        for how, each in restarts.items()
    ]  # fmt: skip
    head = ("data directory", "ready, s", "first record out, s", "one of each partition, s", "MB")
    size = found["changelog_bytes"]
    return (
        f"# Going on after a restart\n\n{found['keys']:,} ledger keys on {found['partitions']} "
        f"partitions of each input topic; changelogs of {found['changelog_records']:,} records"
        + (f", {size / 1e6:,.0f} MB on the broker's disk" if size is not None else "")
        + f"; {found['state_bytes'] / 1e6:,.0f} MB in the data directory; medians of "
        f"{len(restarts['intact'])} rounds, peak memory of all.\n\n{table(head, rows)}\n"
        f"{about(found)}"
    )


if __name__ == "__main__":
    run_main(main)
