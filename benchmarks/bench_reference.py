"""How soon master data is in force: a hold on another line of the plant, and all of a plant's data.

    python benchmarks/bench_reference.py [--holds N] [--records N] [--partitions P] [--only PART]

**holds**: a plant has a line on each partition. Holds of lots are placed on one line; for each it
is measured how long it takes from the time at which the hold was appended to the input topic until
its copy is in the partition of another line: whatever is appended there after it is parked. Then a
confirmation of that lot is sent to the other line, and one of another lot behind it. When that has
left, the hold is released, and it is measured how long it takes from the time at which the release
was appended until the parked confirmation is seen by a reader of committed records. A confirmation
that leaves before its release is a failure.

**copy**: `reference.v1` has a plant, its lines and items, and no partition has any of it. Measured
is the time from when a worker has its partitions until it has noted that all is copied, and until
a confirmation on each partition has left of the last item, which has to be known. All records that
are on each partition then are counted.

Events flow meanwhile, --rate a second, and all of them have to leave.
"""

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from bench_latency import quantiles
from copying import Copied, measure_copying
from factory import fill
from measure import Failed, about, keep, machine, table
from options import GUARANTEES, add_stand_options
from reporting_plant import Plant, watched_plant
from rig import Rig, run_main, standing

HOLD_SECONDS_MAX: Final = 60
APART_SECONDS: Final = 0.37
"""Between two holds: no multiple of how often anything looks."""

BEFORE_HOLDS: Final = 5
"""Holds that don't count: the first ones."""


class Holds(msgspec.Struct):
    """Milliseconds by quantile."""

    guarantee: str
    count: int
    placed_ms: dict[str, float]
    released_ms: dict[str, float]
    flowed: int


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_stand_options(parser, rounds=1)
    parser.set_defaults(partitions=8)
    parser.add_argument("--holds", type=int, default=120)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--rate", type=float, default=100, help="events a second meanwhile")
    parser.add_argument("--only", choices=("holds", "copy"))
    options = parser.parse_args()
    holds, copied = [], []
    with standing(options) as rig:
        if options.only != "copy":
            for guarantee in GUARANTEES:
                holds.append(asyncio.run(measure_holds(rig, guarantee, options)))
                print(holds[-1], flush=True)
        if options.only != "holds":
            copied.append(asyncio.run(measure_copying(rig, options)))
            print(copied[-1], flush=True)
    found = {
        "machine": machine(),
        "partitions": options.partitions,
        "rate": options.rate,
        "holds": msgspec.to_builtins(holds),
        "copied": msgspec.to_builtins(copied),
    }
    keep(options.results, "reference", found, page(found, holds, copied))


# Holds.


async def measure_holds(rig: Rig, guarantee: str, options: argparse.Namespace) -> Holds:
    """Return how long holds take to reach another line, and releases."""
    async with watched_plant(rig, f"bench-holds-{guarantee.replace('_', '-')}") as plant:
        await fill(plant.outputs, plant.lines, len(plant.lines), require=False)
        worker = plant.worker(guarantee)
        try:
            await rig.ready(worker, plant.group)
            flow = asyncio.ensure_future(plant.reporting.flow(options.rate))
            tasks = []
            for number in range(BEFORE_HOLDS + options.holds):
                tasks.append(asyncio.ensure_future(one_hold(plant, number)))
                await asyncio.sleep(APART_SECONDS)
            times = (await asyncio.gather(*tasks))[BEFORE_HOLDS:]
            plant.reporting.ending = True
            await flow
            await plant.settled()
        finally:
            code = worker.end()
    if code:
        raise Failed(f"the worker ended with code {code}:\n{rig.said(plant.group)}")
    return Holds(
        guarantee=guarantee,
        count=len(times),
        placed_ms=quantiles([placed for placed, _ in times]),
        released_ms=quantiles([released for _, released in times]),
        flowed=len(plant.reporting.sent),
    )


async def one_hold(plant: Plant, number: int) -> tuple[float, float]:
    """Place a hold on one line, park an event of another, release it; return milliseconds."""
    reporting, count = plant.reporting, len(plant.lines)
    home, away = number % count, (number + 1 + number // count % (count - 1)) % count
    lot, hold = f"LOT{number}", f"H{number}"
    placed = await reporting.send(
        "quality.hold_placed.v1", plant.lines[home], f"placed-{number}",
        hold=hold, scope="lot", value=lot, reason="suspect",
    )  # fmt: skip
    copied, _ = await plant.copied.wait(f"{away} hold|DE01|{hold}", HOLD_SECONDS_MAX)
    parked = await reporting.confirm(plant.lines[away], f"parked-{number}", lot=lot)
    free = await reporting.confirm(plant.lines[away], f"free-{number}", lot="free")
    await plant.posted.wait(free, HOLD_SECONDS_MAX)
    if parked in plant.posted.seen:
        raise Failed(f"{parked} has left, and hold {hold} was in its partition before")
    released = await reporting.send(
        "quality.hold_released.v1", plant.lines[home], f"released-{number}",
        hold=hold, disposition="use",
    )  # fmt: skip
    _, seen = await plant.posted.wait(parked, HOLD_SECONDS_MAX)
    return copied - placed.timestamp, seen - released.timestamp


def page(found: dict[str, Any], holds: Sequence[Holds], copied: Sequence[Copied]) -> str:
    """Return the figures as Markdown."""
    names = ("p50", "p99", "max")
    head = (
        "guarantee", "holds", *(f"placed {one}" for one in names),
        *(f"released {one}" for one in names), "events meanwhile",
    )  # fmt: skip
    rows = [
        (
            run.guarantee, run.count, *(f"{run.placed_ms[one]:g}" for one in names),
            *(f"{run.released_ms[one]:g}" for one in names), f"{run.flowed:,}",
        )
        for run in holds
    ]  # fmt: skip
    text = (
        f"# Master data\n\n{found['partitions']} partitions, one worker, {found['rate']:g} events "
        "a second meanwhile; broker, worker and the benchmark share the cores.\n\n"
    )
    if holds:
        text += (
            "Milliseconds from a hold's append on one line until all that is appended on another "
            "line is parked (placed), and from the release's append until the parked confirmation "
            f"is seen (released):\n\n{table(head, rows)}\n"
        )
    head = (
        "records", "copies", "of these again", "copied after, s", "in force after, s",
        "worker's CPU, s", "peak, MB", "events meanwhile", *(f"these {one}, ms" for one in names),
    )  # fmt: skip
    rows = [
        (
            f"{run.records:,}", f"{run.copies:,}", f"{run.repeated:,}", f"{run.copied_seconds:g}",
            f"{run.in_force_seconds:g}", f"{run.cpu_seconds:.0f}", f"{run.peak_mb:.0f}",
            f"{run.flowed:,}", *(f"{run.flow_ms[one]:g}" for one in names),
        )
        for run in copied
    ]  # fmt: skip
    if copied:
        text += f"From nothing, to all partitions:\n\n{table(head, rows)}\n"
    return text + about(found)


if __name__ == "__main__":
    run_main(main)
