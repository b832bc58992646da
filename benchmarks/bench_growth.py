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
import asyncio
import contextlib
import functools
import gc
import json
import re
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from bench_recovery import EVENT_SECONDS_MAX, plan_for
from measure import (
    RESULTS,
    Cost,
    Failed,
    Sample,
    Watched,
    about,
    cost,
    keep,
    machine,
    median_cost,
    table,
)
from preload import Preloaded
from stand import (
    POLL_SECONDS,
    STILL_SECONDS_MAX,
    Stand,
    add_stand_options,
    run_main,
    standing,
    tell,
)
from totals import TOPICS, Totals, add_lineside, differences, of_workload
from workload import Plan

from streams.topics import INPUTS, MES_EVENTS, SUMMARY_CONSUMPTION
from tables.rules import Timing

GUARANTEE: Final = "at_least_once"

VALUES: Final[dict[str, tuple[float, ...]]] = {
    "lines": (64, 1_000, 10_000),
    "partitions": (1, 16, 64),
    "workers": (1, 2),
    "late": (0.0, 0.05, 0.20),
    "rows": (6, 30, 100),
}
"""What is measured of each subject but keys."""

SUBJECTS: Final = ("keys", *VALUES)

TOLD: Final = {
    "keys": "One run, by how many keys the ledgers hold: those of all events that were accepted, "
    "telemetry aside. The log is denser than others, so that all are within a day of event time.",
    "lines": "As many events of more lines, so of less event time. None is late.",
    "partitions": "Of each input topic.",
    "workers": "Of one group, on one machine; CPU and memory are those of all.",
    "late": "The share of events that come after their windows' end and grace. More than in the "
    "mix of all events are consumption, machine counts and scrap, which have windows.",
    "rows": "Components that a line uses at the same time. How many rows a window has depends on "
    "the events, too: a line reports some 18 consumptions a minute.",
}
"""What a reader has to know of each subject."""

NOUNS: Final = {
    "lines": "lines",
    "partitions": "partitions",
    "workers": "workers",
    "late": "late events",
    "rows": "rows",
}

EXTRA: Final[dict[str, tuple[str, Callable[[dict[str, Any]], str]]]] = {
    "lines": ("keys in the ledgers", lambda one: f"{one['keys']:,}"),
    "partitions": ("of them with lines", lambda one: f"{one['partitions_filled']}"),
    "workers": (
        "of the CPU, the idlest",
        lambda one: f"{statistics.median(run['worker_share_least'] for run in one['runs']):.0%}",
    ),
    "late": ("late in the log", lambda one: f"{one['late_share']:.2%}"),
    "rows": (
        "rows of a line and minute, measured",
        lambda one: f"{one['rows_per_line_and_minute']:.1f}",
    ),
}
"""A column of each subject's own."""

EVENTS_MIN: Final = {"lines": 6_000_000, "workers": 4_000_000}
"""Not of trials. On 10,000 lines, 6 million events are 400 s of event time: the slope spans five
windows of 60 s and one of 300 s. Two workers share the partitions only some seconds after their
start, and before their slope begins."""

BLOCK_RECORDS: Final = 8_192
"""A duplicate is so many records later, at most twice: of 64 lines 128 turns, of 10,000 one."""

WINDOWS: Final = 20
"""Of a run with keys: the last one is around --keys, the first around a 20th of them."""

WINDOWS_OF_TRIAL: Final = 8

STOP_SECONDS_MAX: Final = 60

PLANTS: Final = 1_000
LINES_OF_A_PLANT: Final = 8

wanted_of = functools.cache(of_workload)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a subject, and what runs for it."""

    value: float
    plan: Plan
    partitions: int
    workers: int = 1


class Track(msgspec.Struct):
    """What was seen of a run, all workers together."""

    samples: list[Sample]
    resident: list[tuple[float, float]]
    """Seconds since the start, MB."""
    shares: list[float]
    """Of all CPU: what each worker took, the least first."""


class Run(msgspec.Struct):
    """A run whose totals are right."""

    cost: Cost
    worker_share_least: float
    """Of all workers' CPU, what the idlest took."""
    output_records_per_event: float
    rows: int
    """On the topic of consumption summaries."""
    state_bytes: int
    """On the workers' disks."""


def main() -> None:
    """Measure, print and keep the figures."""
    options = read_options()
    gc.freeze()  # as preload.py: a log of 10,000 lines is made of many objects
    gc.set_threshold(50_000, 50, 50)
    path = options.results / "growth.json"
    found = json.loads(path.read_text()) if path.exists() else {"subjects": {}}
    with standing(options) as stand:
        for subject in options.subjects:
            measured = of_keys(stand, options) if subject == "keys" else of(subject, stand, options)
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
    parser.add_argument("--subjects", type=subjects, default=list(SUBJECTS))
    parser.add_argument("--events", type=int, default=1_000_000, help="of a run; of some more")
    parser.add_argument("--keys", type=int, default=20_000_000, help="of the run with keys")
    parser.add_argument("--trial", action="store_true", help="few events: ask the worker's page")
    options = parser.parse_args()
    if options.trial and options.results == RESULTS:
        parser.error("a trial's figures don't belong beside others: give it --results DIR")
    return options


def subjects(text: str) -> list[str]:
    """Return the subjects named in `text`, or raise as argparse wants it."""
    found = text.split(",")
    for name in found:
        if name not in SUBJECTS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(SUBJECTS)}")
    return found


def points_of(subject: str, options: argparse.Namespace) -> list[Point]:
    """Return what runs for a subject; raises `Failed` if the ledgers would forget some of it."""
    least = 0 if options.trial else EVENTS_MIN.get(subject, 0)
    base = Plan(events=max(options.events, least))
    if base.events / base.lines / base.rate > EVENT_SECONDS_MAX:
        raise Failed(
            f"{subject}: {base.events:,} events are more than {EVENT_SECONDS_MAX // 3_600} h of "
            "event time, and a ledger reaches back for 24 h: give it fewer --events"
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


def of(subject: str, stand: Stand, options: argparse.Namespace) -> dict[str, Any]:
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
                preloaded = fill(stand, point)
            filled[point] = preloaded
            run, _ = run_once(stand, point, group, preloaded, options.trial)
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


def of_keys(stand: Stand, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one long run, by keys in its ledgers."""
    count = WINDOWS_OF_TRIAL if options.trial else WINDOWS
    plan = plan_for(round(options.keys * (1 + 0.75 / count)))  # the last window is around --keys
    point = Point(value=options.keys, plan=plan, partitions=options.partitions)
    filled = fill(stand, point)
    run, track = run_once(stand, point, "bench-keys", filled, options.trial)
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


def fill(stand: Stand, point: Point) -> Preloaded:
    """Put the log of a point on topics that are new."""
    stand.partitions = point.partitions
    stand.renew("lineside")
    return stand.fill(point.plan)


def run_once(
    stand: Stand, point: Point, group: str, filled: Preloaded, trial: bool
) -> tuple[Run, Track]:
    """Let the workers of a group process everything; raises `Failed` if the totals are wrong."""
    stand.create_topics(group)
    folder = stand.folder / group
    since = stand.output_ends()
    workers = start(stand, point.workers, group)
    track = asyncio.run(follow(stand, workers, group, filled, trial))
    stop(stand, workers, group)
    ends = stand.output_ends()
    found, counts = Totals(), Counter[str]()

    def take(topic: str, values: list[bytes]) -> None:
        add_lineside(found, topic, values)
        counts[topic] += len(values)

    stand.read({tp: offset for tp, offset in since.items() if tp.topic in TOPICS}, take)
    wrong = differences(wanted_of(point.plan)[0], found)
    if wrong:
        raise Failed(f"{group}: the totals aren't what they have to be: {'; '.join(wrong)}")
    state_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    stand.forget(group, folder)
    run = Run(
        cost=cost(track.samples, filled.total, track.samples[-1].cpu),
        worker_share_least=track.shares[0],
        output_records_per_event=round(sum(ends[tp] - since[tp] for tp in ends) / filled.total, 3),
        rows=counts[SUMMARY_CONSUMPTION],
        state_bytes=state_bytes,
    )
    return run, track


def start(stand: Stand, count: int, group: str) -> list[Watched]:
    """Start the workers of a group, each with a folder and a log of its own."""
    workers = []
    for number in range(count):
        workers.append(stand.worker(group, stand.folder / group / str(number), GUARANTEE))
        (stand.folder / f"{group}.log").rename(stand.folder / f"{group}-{number}.log")
    return workers


def said(stand: Stand, group: str, workers: list[Watched]) -> str:
    """Return the last of what the workers of a group have said."""
    return "\n".join(stand.said(f"{group}-{number}") for number in range(len(workers)))


async def follow(
    stand: Stand, workers: list[Watched], group: str, filled: Preloaded, trial: bool
) -> Track:
    """Sample the workers of a group until they have consumed everything.

    Each commits by a clock of its own. A look is taken when one partition's offset has moved, that
    with the most records: so it's always the same worker's commit, what the other has done since
    its own is about the same at each look, and the slope is right.
    """
    counts = {
        TopicPartition(name, number): count
        for name, each in filled.partitions.items()
        for number, count in enumerate(each)
    }
    fullest = max(counts, key=lambda tp: counts[tp])
    track = Track([], [], [])
    at, records, moved = 0, 0, time.monotonic()
    async with stand.cluster.admin() as admin, aiohttp.ClientSession() as session:
        while records < filled.total:
            await asyncio.sleep(POLL_SECONDS)
            if not all(worker.running for worker in workers):
                raise Failed(f"a worker has ended:\n{said(stand, group, workers)}")
            if trial:
                logs = [stand.said(f"{group}-{n}") for n in range(len(workers))]
                told = await on_pages(session, logs)
            else:
                told = await committed(admin, group)
            if sum(told.values()) != records:
                records, moved = sum(told.values()), time.monotonic()
                tell(f"{group}: {records:,} of {filled.total:,} records")
            if time.monotonic() - moved > STILL_SECONDS_MAX:
                raise Failed(
                    f"nothing moves for {STILL_SECONDS_MAX} s:\n{said(stand, group, workers)}"
                )
            seconds = time.monotonic() - workers[0].began
            track.resident.append((seconds, sum(resident_mb(one.process.pid) for one in workers)))
            mark = records if trial else told.get(fullest, 0)
            if mark != at or records == filled.total:
                at = mark
                looks = [worker.look(records) for worker in workers]
                track.samples.append(together(looks))
    all_cpu = [one.cpu for one in looks]
    track.shares = sorted(round(cpu / sum(all_cpu), 3) for cpu in all_cpu)
    return track


async def committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """Return what a group has committed of the input topics."""
    try:
        told = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:  # a new broker's first group
        return {}
    return {tp: max(at.offset, 0) for tp, at in told.items() if tp.topic in INPUTS}


async def on_pages(session: aiohttp.ClientSession, logs: list[str]) -> dict[TopicPartition, int]:
    """Return how far the states of the workers with these logs are, by their pages."""
    found: dict[TopicPartition, int] = {}
    for log in logs:
        url = re.search(r"lineside worker: (\S+)", log)
        if url is not None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url[1]}api/status") as answer:
                    for one in (await answer.json())["partitions"]:
                        tp = TopicPartition(one["topic"], one["partition"])
                        found[tp] = max(found.get(tp, 0), one["offset"])
    return found


def together(looks: list[Sample]) -> Sample:
    """Return the sample of several workers as if they were one."""
    return Sample(
        seconds=max(one.seconds for one in looks),
        cpu=sum(one.cpu for one in looks),
        mb=sum(one.mb for one in looks),
        threads=sum(one.threads for one in looks),
        records=looks[0].records,
    )


def resident_mb(pid: int) -> float:
    """Return the memory of a process as of now, 0 if it's gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    now = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(now[1]) / 1024 if now else 0


def stop(stand: Stand, workers: list[Watched], group: str) -> None:
    """End the workers at once, so that none takes over what another has left."""
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
    codes = [worker.wait(STOP_SECONDS_MAX) for worker in workers]
    if any(codes):
        raise Failed(f"the workers ended with codes {codes}:\n{said(stand, group, workers)}")


def page(found: dict[str, Any]) -> str:
    """Return all figures that there are as Markdown."""
    there = {name: found["subjects"][name] for name in SUBJECTS if name in found["subjects"]}
    parts = ["# How the cost grows\n"]
    for name, subject in there.items():
        told = subject["machine"]
        kind = "; **a trial**: the worker was asked for its page" if subject["trial"] else ""
        parts.append(f"## {name.capitalize()}\n\n{TOLD[name]}\n")
        parts.append(keys_table(subject) if name == "keys" else points_table(name, subject))
        parts.append(f"Measured {told['measured']}, lineside {told['lineside']}{kind}.\n")
    if "lines" in there and not there["lines"]["trial"]:
        parts.append(plants(there["lines"], there.get("keys")))
    parts += dict.fromkeys(about(subject) for subject in there.values())
    return "\n".join(parts)


def keys_table(subject: dict[str, Any]) -> str:
    """Return some windows of the run with keys, and what they come to."""
    shown = [
        one
        for number, one in enumerate(subject["windows"], 1)
        if number == 1 or 4 * number % len(subject["windows"]) == 0
    ]
    rows = [
        (
            f"{one['keys']:,}",
            f"{one['cpu_per_event']:.2f}",
            f"{one['cpu_per_event'] / shown[0]['cpu_per_event']:.2f}",
            f"{1e6 / one['wall_per_event']:,.0f}",
            f"{one['resident_mb']:.0f}",
        )
        for one in shown
    ]
    head = ("keys in the ledgers", "CPU us per event", "times the first",
            "events/s, wall clock", "resident MB")  # fmt: skip
    first, last = shown[0], shown[-1]
    cpu = grown(first["cpu_per_event"], last["cpu_per_event"])
    return (
        f"{table(head, rows)}\nFrom {first['keys']:,} to {last['keys']:,} keys the cost {cpu}, "
        f"memory {grown(first['resident_mb'], last['resident_mb'])}. The peak was "
        f"{subject['run']['cost']['peak_mb']:.0f} MB, and the states took "
        f"{subject['run']['state_bytes'] / subject['keys']:.0f} bytes on disk for each of "
        f"{subject['keys']:,} keys. {subject['records']:,} records on {subject['partitions']} "
        "partitions of each input topic, one run.\n"
    )


def points_table(name: str, subject: dict[str, Any]) -> str:
    """Return a subject's values, and what they come to."""
    points = subject["points"]
    first, last = points[0], points[-1]
    rows = []
    for one in points:
        median, each = one["median"], [run["cost"]["cpu_per_event"] for run in one["runs"]]
        rows.append(
            (
                shown(name, one["value"]),
                f"{median['cpu_per_event']:.2f}",
                f"{min(each):.2f} to {max(each):.2f}",
                f"{median['cpu_per_event'] / first['median']['cpu_per_event']:.2f}",
                f"{1e6 / median['wall_per_event']:,.0f}",
                f"{median['peak_mb']:.0f}",
                EXTRA[name][1](one),
            )
        )
    head = (name, "CPU us per event", "of the rounds", "times the first",
            "events/s, wall clock", "peak MB", EXTRA[name][0])  # fmt: skip
    cpu, wall, mb = (
        grown(first["median"][what], last["median"][what], invert=what == "wall_per_event")
        for what in ("cpu_per_event", "wall_per_event", "peak_mb")
    )
    speed = f" events/s {wall}," if name == "workers" else ""
    records = " to ".join(dict.fromkeys(f"{one['records']:,}" for one in (first, last)))
    return (
        f"{table(head, rows)}\nFrom {shown(name, first['value'])} to {shown(name, last['value'])} "
        f"{NOUNS[name]} the cost {cpu},{speed} memory {mb}. {records} records; "
        f"rounds: {subject['rounds']}, the figures are medians.\n"
    )


def grown(first: float, last: float, invert: bool = False) -> str:
    """Return by how much something has changed; `invert` where the figures are one over it."""
    ratio = first / last if invert else last / first
    if round(ratio, 2) == 1:
        return "stays the same within 0.5 %"
    return f"{'rises' if ratio > 1 else 'falls'} by {abs(ratio - 1) * 100:.0f} %"


def shown(name: str, value: float) -> str:
    """Return a value as one reads it."""
    return f"{value * 100:g} %" if name == "late" else f"{value:,.0f}"


def plants(lines: dict[str, Any], keys: dict[str, Any] | None) -> str:
    """Return what the figures by lines come to for many plants, with the arithmetic."""
    few, many = lines["points"][0], lines["points"][-1]
    wanted, rate = PLANTS * LINES_OF_A_PLANT, many["plan"]["rate"]
    events = wanted * rate
    cpu, count = many["median"]["cpu_per_event"], many["value"] - few["value"]
    low, high = few["median"]["peak_mb"], many["median"]["peak_mb"]
    each = (high - low) / count
    more = wanted - few["value"]
    told = (
        f"## What it says for {PLANTS:,} plants\n\n"
        f"{PLANTS:,} plants of {LINES_OF_A_PLANT} lines are {wanted:,} lines. At {rate:g} events/s "
        f"a line, the log's rate, they report {wanted:,} x {rate:g} = {events:,.0f} events/s. At "
        f"{cpu:.2f} us of CPU an event, as with {many['value']:,.0f} lines, that is "
        f"{events:,.0f} x {cpu:.2f} / 1,000,000 = **{events * cpu / 1e6:.2f} cores**, without the "
        "broker's.\n\n"
        f"Memory: {low:.0f} MB with {few['value']:,.0f} lines and {high:.0f} MB with "
        f"{many['value']:,.0f} are ({high:.0f} - {low:.0f}) / {count:,.0f} = {each:.4f} MB a line; "
        f"one worker with {wanted:,} lines takes {low:.0f} + {more:,.0f} x {each:.4f} = "
        f"**{low + more * each:.0f} MB**.\n"
    )
    return told + (remembered(many, keys, events) if keys else "")


def remembered(many: dict[str, Any], keys: dict[str, Any], events: float) -> str:
    """Return how large the ledgers of many plants get, and how large they were when measured."""
    filled, timing = many["preloaded"], Timing()
    # Bad values and duplicates are as rare on both topics, telemetry is on the machines'.
    share = many["keys"] / (many["records"] - filled["telemetry"])
    of_mes = filled["records"][MES_EVENTS] / many["records"] * share
    of_machines = many["keys"] / many["records"] - of_mes
    held = events * (
        of_mes * timing.mes_retention_seconds + of_machines * timing.machine_retention_seconds
    )
    size = keys["run"]["state_bytes"] / keys["keys"]
    return (
        f"\nNot in that: their ledgers. They reach back for {timing.mes_retention_seconds:,} s of "
        f"MES events and {timing.machine_retention_seconds:,} s of machine events, and "
        f"{of_mes:.3f} and {of_machines:.3f} of all events leave a key: {events:,.0f} x "
        f"({of_mes:.3f} x {timing.mes_retention_seconds:,} + {of_machines:.3f} x "
        f"{timing.machine_retention_seconds:,}) = {held / 1e6:,.0f} million keys, at {size:.0f} "
        f"bytes {held * size / 1e9:,.0f} GB of disk. What an event costs is measured up to "
        f"{keys['windows'][-1]['keys'] / 1e6:g} million keys.\n"
    )


if __name__ == "__main__":
    run_main(main)
