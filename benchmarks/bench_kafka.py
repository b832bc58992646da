"""What lineside's whole job costs on Kafka: `lineside worker` on topics that are full already.

    python benchmarks/bench_kafka.py [--events N] [--rounds R] [--partitions P] [--guarantees G,G]

Fills the input topics once, then lets a worker with its default settings, in a process of its own,
process all of it from the start: in turns with either guarantee, each time as a group of its own,
with empty changelogs and an empty folder. After each run its outputs are read and their totals held
against the log's, to the last digit; a run whose totals are wrong has no figures.
"""

import argparse
import asyncio
import statistics
from typing import Any

import msgspec
from aiokafka import TopicPartition
from measure import Cost, Failed, about, keep, machine, median_cost, table
from options import add_guarantees, add_stand_options
from rig import Rig, run_main, standing
from totals import TOPICS, Totals, add_lineside, differences, of_workload
from workload import add_plan_options, plan_of

from streams.contract.topics import INPUTS, OUTPUTS, changelog


class Run(msgspec.Struct):
    """A run of the job; bytes are those on the broker's disk, None where it isn't ours."""

    cost: Cost
    broker_cpu_per_event: float | None
    changelog_bytes_per_event: float | None
    output_bytes_per_event: float | None
    output_records_per_event: float


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_plan_options(parser, events=4_000_000)
    add_stand_options(parser)
    add_guarantees(parser)
    options = parser.parse_args()
    plan = plan_of(options)
    with standing(options) as rig:
        preloaded = rig.fill(plan)
        wanted, digest = of_workload(plan)
        runs: dict[str, list[Run]] = {name: [] for name in options.guarantees}
        for number in range(options.rounds):
            for guarantee in options.guarantees[:: -1 if number % 2 else 1]:
                group = f"bench-{guarantee.replace('_', '-')}-{number}"
                run = run_once(rig, group, guarantee, preloaded.total, wanted)
                runs[guarantee].append(run)
                print(f"round {number + 1}, {guarantee}: {cost_text(run.cost)}", flush=True)
    found: dict[str, Any] = {
        "machine": machine(),
        "plan": msgspec.to_builtins(plan),
        "digest": digest,
        "partitions": options.partitions,
        "records": preloaded.total,
        "preloaded": msgspec.to_builtins(preloaded),
        "guarantees": {
            name: {
                "median": msgspec.to_builtins(median(all_runs)),
                "runs": msgspec.to_builtins(all_runs),
            }
            for name, all_runs in runs.items()
        },
    }
    keep(
        options.results,
        "kafka",
        found,
        page(found, {name: median(each) for name, each in runs.items()}),
    )


def run_once(rig: Rig, group: str, guarantee: str, total: int, wanted: Totals) -> Run:
    """Let a worker process everything; raises `Failed` if its totals are wrong."""
    rig.create_topics(group)
    folder = rig.folder / group
    since = rig.output_ends()
    before, bytes_before = rig.broker_cpu(), rig.log_bytes(OUTPUTS)
    worker = rig.worker(group, folder, guarantee, "--until-drained")
    asyncio.run(rig.follow(worker, group, total))
    after, bytes_after = rig.broker_cpu(), rig.log_bytes(OUTPUTS)
    changelogs = rig.log_bytes([changelog(group, topic) for topic in INPUTS])
    ends = rig.output_ends()
    check(rig, group, since, wanted)
    rig.forget(group, folder)
    return Run(
        cost=worker.cost(total),
        broker_cpu_per_event=per_event(before, after, total, 1e6),
        changelog_bytes_per_event=per_event(0, changelogs, total),
        output_bytes_per_event=per_event(bytes_before, bytes_after, total),
        output_records_per_event=round(sum(ends[tp] - since[tp] for tp in ends) / total, 3),
    )


def check(rig: Rig, group: str, since: dict[TopicPartition, int], wanted: Totals) -> None:
    """Hold what has left since these offsets against the log; raises `Failed` if it's wrong."""
    found = Totals()
    rig.read(
        {tp: offset for tp, offset in since.items() if tp.topic in TOPICS},
        lambda topic, values: add_lineside(found, topic, values),
    )
    wrong = differences(wanted, found)
    if wrong:
        raise Failed(f"{group}: the totals aren't what they have to be: {'; '.join(wrong)}")


def per_event(
    before: float | None, after: float | None, records: int, scale: float = 1
) -> float | None:
    """Return by how much something has grown for each record, None where it isn't known."""
    return None if before is None or after is None else round((after - before) * scale / records, 2)


def median(runs: list[Run]) -> Run:
    """Return the median of each figure."""

    def of(name: str) -> Any:
        figures = [getattr(run, name) for run in runs]
        return None if None in figures else round(statistics.median(figures), 3)

    names = [name for name in Run.__struct_fields__ if name != "cost"]
    return Run(cost=median_cost(run.cost for run in runs), **{name: of(name) for name in names})


def cost_text(cost: Cost) -> str:
    """Return the figures of a run that one wants to see at once."""
    return (
        f"{cost.events_per_second:,.0f} events/s, {cost.cpu_per_event:.1f} us of CPU each, "
        f"{cost.peak_mb:.0f} MB"
    )


def page(found: dict[str, Any], medians: dict[str, Run]) -> str:
    """Return the figures as Markdown."""
    rows = [
        (label, *[figure(run) for run in medians.values()])
        for label, figure in (
            ("events/s, wall clock", lambda run: f"{run.cost.events_per_second:,.0f}"),
            ("events/s per core", lambda run: f"{run.cost.events_per_core:,.0f}"),
            ("us of CPU per event", lambda run: f"{run.cost.cpu_per_event:.2f}"),
            ("the same, whole run", lambda run: f"{run.cost.whole_cpu_per_event:.2f}"),
            ("us of the broker's CPU per event", lambda run: or_dash(run.broker_cpu_per_event)),
            ("peak memory, MB", lambda run: f"{run.cost.peak_mb:.0f}"),
            ("changelog bytes per event", lambda run: or_dash(run.changelog_bytes_per_event)),
            ("output bytes per event", lambda run: or_dash(run.output_bytes_per_event)),
            ("output records per event", lambda run: f"{run.output_records_per_event:.2f}"),
        )
    ]
    rounds = max(len(each["runs"]) for each in found["guarantees"].values())
    return (
        f"# lineside on Kafka\n\n{found['records']:,} records on {found['partitions']} partitions "
        f"of each input topic, one worker; medians of {rounds} rounds.\n\n"
        f"{table(['', *medians], rows)}\n{about(found)}"
    )


def or_dash(figure: float | None) -> str:
    """Return a figure, or a dash where it isn't known."""
    return "-" if figure is None else f"{figure:.1f}"


if __name__ == "__main__":
    run_main(main)
