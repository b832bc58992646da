"""Where the microseconds of an event go: a worker on Kafka with a clock around each stage.

    python benchmarks/bench_profile.py [--events N] [--rounds R]

Fills the input topics, then runs in turns the floor, `lineside worker` as it is, and the same with
clocks (profiled_worker.py). The table has the stages of the profiled worker from its first record
on, the rest of its main thread by whose code it is in, its other threads, and beside them what the
worker costs without clocks, and the floor. Medians of the rounds.
"""

import argparse
import asyncio
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import msgspec
from contestants import Contestant, run_peer
from measure import Failed, about, keep, machine, median_cost, table
from options import add_stand_options
from rig import Rig, run_main, standing, without_lineside
from totals import of_workload
from workload import add_plan_options, plan_of

PROFILED = Path(__file__).parent / "profiled_worker.py"


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_plan_options(parser, events=1_000_000)
    add_stand_options(parser)
    options = parser.parse_args()
    plan = plan_of(options)
    with standing(options) as rig:
        total = rig.fill(plan).total
        wanted, _ = of_workload(plan)
        floor = Contestant("floor")
        profiles, costs = [], []
        for number in range(options.rounds):
            floor.runs.append(run_peer(rig, floor, f"floor-{number}", total, wanted))
            costs.append(plain(rig, f"plain-{number}", total))
            profiles.append(profiled(rig, f"profiled-{number}", total))
            print(f"round {number + 1}: {costs[-1].cpu_per_event:.2f} us an event", flush=True)
    cost, under = median_cost(costs), floor.median
    stages = split(profiles)
    found: dict[str, Any] = {
        "machine": machine(),
        "plan": msgspec.to_builtins(plan),
        "records": total,
        "stages_us_per_event": stages,
        "worker": msgspec.to_builtins(cost),
        "floor": msgspec.to_builtins(under),
        "profiles": profiles,
    }
    whole = stages["the whole process, with clocks"]
    rows = [(name, f"{us:.2f}", f"{us / whole:.0%}") for name, us in stages.items()]
    rows.append(("the worker without clocks", f"{cost.cpu_per_event:.2f}", ""))
    rows.append(("the floor: fetch and decode alone", f"{under.cpu_per_event:.2f}", ""))
    page = (
        "# Where an event's time goes\n\n"
        f"{total:,} records, at_least_once, CPU microseconds per event, medians of "
        f"{options.rounds} rounds; each stage without the stages inside it.\n\n"
        + table(("stage", "us per event", "share"), rows)
        + f"\n{about(found)}"
    )
    keep(options.results, "profile", found, page)


def plain(rig: Rig, group: str, total: int) -> Any:
    """Return what the worker costs as it is."""
    rig.create_topics(group)
    folder = rig.folder / group
    worker = rig.worker(group, folder, "at_least_once", "--until-drained")
    asyncio.run(rig.follow(worker, group, total))
    rig.forget(group, folder)
    return worker.cost(total)


def profiled(rig: Rig, group: str, total: int) -> dict[str, Any]:
    """Return what the clocks of a profiled worker say."""
    rig.create_topics(group)
    folder, out = rig.folder / group, rig.folder / f"{group}.json"
    settings = {
        "LINESIDE_BROKER": rig.broker.url,
        "LINESIDE_GROUP": group,
        "LINESIDE_DATA_DIR": str(folder),
        "LINESIDE_PORT": "0",
        "LINESIDE_TICK_SECONDS": "0",
        "BENCH_PROFILE": str(out),
    }
    with (rig.folder / f"{group}.log").open("wb") as log:
        worker = rig.run(
            [sys.executable, PROFILED, "worker", "--until-drained"],
            env=without_lineside() | settings,
            stdout=log,
            stderr=log,
        )
    asyncio.run(rig.follow(worker, group, total))
    worker.wait(60)
    if not out.exists():
        raise Failed(f"the profiled worker left nothing:\n{rig.said(group)}")
    profile: dict[str, Any] = json.loads(out.read_text())
    rig.forget(group, folder)
    return profile


def split(profiles: list[dict[str, Any]]) -> dict[str, float]:
    """Return the microseconds of an event by stage, medians, the rest and the sum behind them."""
    each = [split_one(profile) for profile in profiles]
    names = list(dict.fromkeys(name for one in each for name in one))
    return {name: round(statistics.median(one.get(name, 0) for one in each), 3) for name in names}


def split_one(profile: dict[str, Any]) -> dict[str, float]:
    """Return one profile by stage, in microseconds an event."""
    us = 1e6 / profile["records"]
    stages = {name: seconds * us for name, seconds in profile["stages"].items()}
    rest = profile["main_thread"] * us - sum(stages.values())
    samples = sum(profile["rest_samples"].values()) or 1
    for package, count in sorted(profile["rest_samples"].items(), key=lambda one: -one[1]):
        stages[f"the rest of the main thread, in {package}"] = rest * count / samples
    stages["other threads: RocksDB's flushes and merges"] = (
        profile["process"] - profile["main_thread"]
    ) * us
    stages["the whole process, with clocks"] = profile["process"] * us
    return stages


if __name__ == "__main__":
    run_main(main)
