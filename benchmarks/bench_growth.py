"""How lineside's cost grows: with ledger keys, lines, partitions, workers, late events and rows.

    python benchmarks/bench_growth.py [--subjects S,S] [--events N] [--rounds R] [--keys N]

One thing at a time is varied, from the log's 64 lines, 1 % late events and 6 rows, on 4 partitions
of each input topic, by one worker with its default settings, at_least_once:

- keys: one run until the ledgers hold `--keys` entries, cut into windows of as many keys each;
- lines, partitions, workers, late, rows: a run for each value and round, on topics of its own.

After each run the outputs are read and their totals held against the log's. Figures go to
growth.json and growth.md; what the former has of other subjects stays. A run has `--events`, of
some subjects more (`EVENTS_MIN`). A worker commits every 2.8 s, so too few of them give no slope,
but a sentence. With `--trial` some 100,000 do: then the worker's page says how far it is, which
costs the worker CPU.
"""

import argparse
import gc
import json
import statistics
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from bench_recovery import EVENT_SECONDS_MAX, plan_for
from growth_page import SUBJECTS, page
from growth_run import Point, Run, Track, fill, run_once
from measure import RESULTS, Failed, Sample, keep, machine, median_cost
from options import add_stand_options, some_of
from preload import Preloaded
from rig import Rig, run_main, standing
from workload import Plan

VALUES: Final[dict[str, tuple[float, ...]]] = {
    "lines": (64, 1_000, 10_000),
    "partitions": (1, 16, 64),
    "workers": (1, 2),
    "late": (0.0, 0.05, 0.20),
    "rows": (6, 30, 100),
}
"""What is measured of each subject but keys."""

EVENTS_MIN: Final = {"lines": 6_000_000, "partitions": 4_000_000, "workers": 4_000_000}
"""Not of trials. On 10,000 lines, 6 million events are 400 s of event time: the slope spans five
windows of 60 s and one of 300 s. Of 64 partitions the last has its state some seconds after the
first, and two workers share the partitions only some seconds after their start: the slope begins
behind that."""

BLOCK_RECORDS: Final = 8_192
"""A duplicate is so many records later, at most twice: of 64 lines 128 turns, of 10,000 one."""

WINDOWS: Final = 20
"""Of a run with keys: the last one is around --keys, the first around a 20th of them."""

WINDOWS_OF_TRIAL: Final = 8


def main() -> None:
    """Measure, print and keep the figures."""
    options = read_options()
    gc.freeze()  # as preload.py: a log of 10,000 lines is made of many objects
    gc.set_threshold(50_000, 50, 50)
    path = options.results / "growth.json"
    found = json.loads(path.read_text()) if path.exists() else {"subjects": {}}
    with standing(options) as rig:
        for subject in options.subjects:
            measured = of_keys(rig, options) if subject == "keys" else of(subject, rig, options)
            found["subjects"][subject] = {
                "machine": machine(),
                "trial": options.trial,
                "partitions": options.partitions,
                **measured,
            }
            keep(options.results, "growth", found, page(found))


def read_options() -> argparse.Namespace:
    """Return the options, or end as argparse does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_stand_options(parser)
    parser.add_argument("--subjects", type=some_of(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--events", type=int, default=1_000_000, help="of a run; of some more")
    parser.add_argument("--keys", type=int, default=20_000_000, help="of the run with keys")
    parser.add_argument("--trial", action="store_true", help="few events: ask the worker's page")
    options = parser.parse_args()
    if options.trial and options.results == RESULTS:
        parser.error("a trial's figures don't belong beside others: give it --results DIR")
    return options


def points_of(subject: str, options: argparse.Namespace) -> list[Point]:
    """Return what runs for a subject; raises `Failed` if the ledgers would forget some of it."""
    least = 0 if options.trial else EVENTS_MIN.get(subject, 0)
    base = Plan(events=max(options.events, least))
    if base.events / base.lines / base.rate > EVENT_SECONDS_MAX:
        raise Failed(
            f"{subject}: {base.events:,} events are more than {EVENT_SECONDS_MAX // 3_600} h of "
            "event time, and a ledger has to hold them all: give it fewer --events"
        )
    point = Point(value=0, plan=base, partitions=options.partitions)
    change = msgspec.structs.replace
    found = []
    for value in VALUES[subject]:
        match subject:
            case "lines":
                # Nothing is late in the first 360 s, which is most of the longest log.
                turns = max(1, BLOCK_RECORDS // int(value))
                plan = change(base, lines=int(value), turns=turns, late=0.0)
                varied: dict[str, Any] = {"plan": plan}
            case "partitions" | "workers":
                varied = {subject: int(value)}
            case _:
                varied = {"plan": change(base, **{subject: value})}
        found.append(change(point, value=value, **varied))
    return found


def of(subject: str, rig: Rig, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a subject: rounds in turns, each second one in the other order."""
    points = points_of(subject, options)
    runs: dict[Point, list[Run]] = {point: [] for point in points}
    filled: dict[Point, Preloaded] = {}
    on_topics = None
    for number in range(options.rounds):
        for point in points[:: -1 if number % 2 else 1]:
            group = f"bench-{subject}-{point.value:g}-{number}".replace(".", "-")
            if on_topics != (point.plan, point.partitions):
                on_topics = point.plan, point.partitions
                preloaded = fill(rig, point)
            filled[point] = preloaded
            run, _ = run_once(rig, point, group, preloaded, options.trial)
            runs[point].append(run)
            print(
                f"round {number + 1}, {subject} {point.value:g}: {run.cost.cpu_per_event:.2f} us "
                f"of CPU an event, {run.cost.events_per_second:,.0f} events/s, "
                f"{run.cost.peak_mb:.0f} MB, {run.cost.samples} samples",
                flush=True,
            )
    return {
        "rounds": options.rounds,
        "points": [figures(point, runs[point], filled[point]) for point in points],
    }


def figures(point: Point, runs: list[Run], filled: Preloaded) -> dict[str, Any]:
    """Return the medians of a point, with all that they come from."""
    minutes = point.plan.events / point.plan.lines / point.plan.rate / 60
    return {
        **msgspec.to_builtins(point),
        "preloaded": msgspec.to_builtins(filled),
        "records": filled.total,
        "keys": filled.ledger_keys,
        "partitions_filled": max(
            sum(count > 0 for count in counts) for counts in filled.partitions.values()
        ),
        "late_share": filled.made.get("late", 0) / filled.total,
        "rows_per_line_and_minute": round(
            statistics.median(run.rows for run in runs) / point.plan.lines / minutes, 1
        ),
        "median": msgspec.to_builtins(median_cost(run.cost for run in runs)),
        "runs": msgspec.to_builtins(runs),
    }


def of_keys(rig: Rig, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one long run, by keys in its ledgers."""
    count = WINDOWS_OF_TRIAL if options.trial else WINDOWS
    plan = plan_for(round(options.keys * (1 + 0.75 / count)))  # the last window is around --keys
    point = Point(value=options.keys, plan=plan, partitions=options.partitions)
    filled = fill(rig, point)
    run, track = run_once(rig, point, "bench-keys", filled, options.trial)
    return {
        "plan": msgspec.to_builtins(plan),
        "records": filled.total,
        "keys": filled.ledger_keys,
        "run": msgspec.to_builtins(run),
        "windows": windows(track, filled.ledger_keys / filled.total, options.keys, count),
    }


def windows(track: Track, keys_per_record: float, keys: int, count: int) -> list[dict[str, float]]:
    """Return cost and memory around each part of the keys; raises `Failed` on too few samples."""
    width = keys / count
    found = []
    for number in range(1, count + 1):
        low, high = ((number + side) * width / keys_per_record for side in (-0.5, 0.5))
        inside = sum(low <= one.records <= high for one in track.samples)
        if inside < 2:
            raise Failed(f"{inside} samples in a window of {width:,.0f} keys: give it more --keys")
        first, last = (between(track.samples, records) for records in (low, high))
        resident = [mb for seconds, mb in track.resident if first[0] <= seconds <= last[0]]
        found.append(
            {
                "keys": round(number * width),
                "cpu_per_event": round((last[1] - first[1]) / (high - low) * 1e6, 3),
                "wall_per_event": round((last[0] - first[0]) / (high - low) * 1e6, 3),
                "resident_mb": round(max(resident), 1),
                "samples": inside,
            }
        )
    return found


def between(samples: Sequence[Sample], records: float) -> tuple[float, float]:
    """Return (seconds, CPU seconds) when so many records were consumed, on a straight line."""
    after = next(n for n, one in enumerate(samples) if one.records >= records)
    if after == 0:
        return samples[0].seconds, samples[0].cpu
    one, two = samples[after - 1], samples[after]
    part = (records - one.records) / (two.records - one.records)
    return one.seconds + part * (two.seconds - one.seconds), one.cpu + part * (two.cpu - one.cpu)


if __name__ == "__main__":
    run_main(main)
