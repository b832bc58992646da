"""The same job on the same topics, by lineside and by other stream processors, in turns.

    python benchmarks/bench_peers.py [--events N] [--rounds R] [--partitions P] [--contestants A,B]

Contestants: lineside, floor (benchmarks/floor.py: decodes and does nothing), and each folder of
benchmarks/peers that has a `run`. What the job is, and how a peer is run, is in README.md here and
in peers. Each run has a consumer group, a state folder and an output topic of its own. Before a
time counts, all that came out is read and its totals held against the log's, by plant, line, type
and measure, to the last digit: who has lost, doubled or rounded anything gets no figure, but a
sentence that says what differs.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import msgspec
from bench_kafka import run_once
from contestants import PEERS, Contestant, Run, run_peer, set_up
from measure import Failed, about, keep, machine, table
from options import add_stand_options
from rig import Rig, run_main, standing
from totals import Totals, of_workload
from workload import add_plan_options, plan_of

SHOWN = 400
"""Characters of a failure on the page."""


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_plan_options(parser, events=2_000_000)
    add_stand_options(parser)
    there = ["lineside", "floor", *sorted(path.parent.name for path in PEERS.glob("*/run"))]
    parser.add_argument("--contestants", default=",".join(there), help=f"of {', '.join(there)}")
    options = parser.parse_args()
    names = options.contestants.split(",")
    for name in names:
        if name not in there:
            raise Failed(f"there is no contestant {name!r}: there are {', '.join(there)}")
        if name not in ("lineside", "floor"):
            set_up(name)
    contestants = [Contestant(name) for name in names]
    plan = plan_of(options)
    with standing(options) as rig:
        preloaded = rig.fill(plan)
        wanted, digest = of_workload(plan)
        for number in range(options.rounds):
            shift = number % len(contestants)
            for contestant in contestants[shift:] + contestants[:shift]:
                take_turn(rig, contestant, number, preloaded.total, wanted)
    found = {
        "machine": machine(),
        "plan": msgspec.to_builtins(plan),
        "digest": digest,
        "partitions": options.partitions,
        "rounds": options.rounds,
        "records": preloaded.total,
        "preloaded": msgspec.to_builtins(preloaded),
        "contestants": {
            one.name: {
                **msgspec.to_builtins(one),
                "median": msgspec.to_builtins(one.median) if one.runs else None,
            }
            for one in contestants
        },
    }
    keep(options.results, "peers", found, page(found, contestants))


def take_turn(rig: Rig, contestant: Contestant, number: int, total: int, wanted: Totals) -> None:
    """Run a contestant once; a failure is told, and the others go on."""
    group = f"bench-{contestant.name.replace('_', '-')}-{number}"
    try:
        if contestant.name == "lineside":
            run = run_once(rig, group, "at_least_once", total, wanted)
            contestant.runs.append(Run(run.cost, run.broker_cpu_per_event, {}, {}))
        else:
            contestant.runs.append(run_peer(rig, contestant, group, total, wanted))
    except Failed as failed:
        contestant.failures.append(str(failed))
        print(f"round {number + 1}, {contestant.name}: no figure: {failed}", flush=True)
        return
    cost = contestant.runs[-1].cost
    print(
        f"round {number + 1}, {contestant.name}: {cost.cpu_per_event:.2f} us of CPU an event, "
        f"{cost.events_per_second:,.0f} events/s, {cost.peak_mb:.0f} MB",
        flush=True,
    )


def page(found: dict[str, Any], contestants: Sequence[Contestant]) -> str:
    """Return the figures as Markdown, the cheapest first."""
    good = sorted(
        (one for one in contestants if one.runs), key=lambda one: one.median.cpu_per_event
    )
    own = next((one.median.cpu_per_event for one in good if one.name == "lineside"), None)
    rows = [
        (
            one.name,
            f"{cost.cpu_per_event:.2f}",
            "-" if own is None else f"{cost.cpu_per_event / own:.2f}",
            f"{cost.events_per_core:,.0f}",
            f"{cost.events_per_second:,.0f}",
            f"{cost.whole_cpu_per_event:.2f}",
            f"{cost.peak_mb:.0f}",
            len(one.runs),
        )
        for one in good
        for cost in (one.median,)
    ]
    head = (
        "contestant", "CPU us per event", "over lineside's", "events/s per core",
        "events/s, wall clock", "whole run, CPU us per event", "peak MB", "rounds",
    )  # fmt: skip
    failures = "".join(
        f"- {one.name}: {failure.splitlines()[0][:SHOWN]}\n"
        for one in contestants
        for failure in one.failures
    )
    odd = "".join(
        f"- {one.name} counts {run.counts}, and the log has {found['preloaded']['made']}\n"
        for one in good
        for run in one.runs[:1]
        if one.name not in ("lineside", "floor")
        and any(
            run.counts[k] != found["preloaded"]["made"].get(k, 0) for k in ("bad", "duplicates")
        )
    )
    said = "".join(
        f"- {one.name}: {one.said.get('versions')}; settings {one.said.get('settings')}\n"
        for one in good
        if one.said
    )
    return (
        f"# The same job, by others\n\n{found['records']:,} records on {found['partitions']} "
        f"partitions of each input topic; medians. Totals of all were right to the last digit; the "
        f"floor has none.\n\n{table(head, rows)}"
        + (f"\nNo figures:\n\n{failures}" if failures else "")
        + (f"\nCounted differently:\n\n{odd}" if odd else "")
        + (f"\nWhat ran:\n\n{said}" if said else "")
        + f"\n{about(found)}"
    )


if __name__ == "__main__":
    run_main(main)
