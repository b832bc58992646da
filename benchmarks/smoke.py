"""The benchmarks' machinery in two minutes: right totals, and no figures.

    python benchmarks/smoke.py [--events N] [--contestants NAME,...]

Fills topics, lets `lineside worker` process them with either guarantee, then each contestant named
(the floor, unless said otherwise), and holds the totals of all against the log. Runs so short have
no slope, so nothing is said of time. For CI.
"""

import argparse
import asyncio

from bench_kafka import check
from bench_parked import run as run_parked
from contestants import Contestant, consume, set_up
from contestants import check as check_peer
from options import GUARANTEES, add_stand_options
from rig import run_main, standing
from totals import of_workload
from workload import add_plan_options, plan_of


def main() -> None:
    """Run, and print what was right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_plan_options(parser, events=60_000)
    add_stand_options(parser)
    parser.add_argument("--contestants", default="floor")
    options = parser.parse_args()
    plan = plan_of(options)
    names = [name for name in options.contestants.split(",") if name]
    for name in names:
        if name != "floor":
            set_up(name)
    run_parked(parked=5_000, lots=10, events=2_000)
    print("5,000 parked events went on, in order")
    with standing(options) as rig:
        total = rig.fill(plan).total
        wanted, _ = of_workload(plan)
        for guarantee in GUARANTEES:
            group = f"smoke-{guarantee.replace('_', '-')}"
            rig.create_topics(group)
            since = rig.output_ends()
            worker = rig.worker(group, rig.folder / group, guarantee, "--until-drained")
            asyncio.run(rig.follow(worker, group, total))
            check(rig, group, since, wanted)
            print(f"lineside, {guarantee}: {total:,} records, totals right", flush=True)
        for name in names:
            out = f"bench.{name}.out" if name != "floor" else None
            if out is not None:
                rig.create_topic(out)
            consume(rig, Contestant(name), f"smoke-{name}", out, total)
            if out is not None:
                check_peer(rig, out, wanted)
            print(f"{name}: {total:,} records{', totals right' if out else ''}", flush=True)


if __name__ == "__main__":
    run_main(main)
