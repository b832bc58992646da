"""How long a confirmation takes from the input topic to the ERP's topic, at paced rates.

    python benchmarks/bench_latency.py [--rates R,R] [--seconds S] [--warm-up S] [--guarantees G,G]

For each rate and guarantee: new topics, a worker with its default settings, and benchmarks/pace.py
in a third process, for warm-up and seconds. From the time that the broker gave a
`production.confirmed.v1` when it was appended (LogAppendTime) to two times of the
`erp.production_confirmation.v1` with its id:

- left: when the worker handed it to its producer (the record's timestamp);
- seen: when a consumer of committed records had it, in the benchmark's own process.

Under exactly_once a record can't be seen before its transaction has ended: there, "seen" counts.
Times are of one clock, in milliseconds. Windows close during the run: event time passes 10 times as
fast as the clock, so a 60 s window closes on all lines every 6 s, a 300 s window every 30 s.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer
from measure import Failed, about, keep, machine, table
from options import add_guarantees, add_stand_options
from rig import ROOT, Rig, run_main, standing

from streams.contract.topics import ERP_TRANSACTIONS, MES_EVENTS
from streams.kafka.cluster import read_to

QUANTILES = (0.5, 0.99, 0.999, 1.0)

QUIET_SECONDS = 3.0
"""All is out when nothing has come for so long."""

POLL_MS = 200


class Data(msgspec.Struct):
    """Of a confirmation."""

    quantity: int
    """A bad one has another."""


class Event(msgspec.Struct):
    """A confirmation on the input topic: what its posting key is made of."""

    data: Data

    source: str
    id: str
    plant: str
    line: str

    @property
    def posting_key(self) -> str:
        """The id under which it leaves."""
        return f"pc:{self.plant}/{self.line}:{self.source}|{self.id}"


class Sent(msgspec.Struct):
    """A record of the output topic."""

    id: str


class Paced(msgspec.Struct):
    """What the pacing process says."""

    records: int
    rate: int
    behind_seconds_max: float


class Run(msgspec.Struct):
    """Latencies of one rate and guarantee, in milliseconds by quantile."""

    guarantee: str
    wanted_rate: int
    paced: Paced
    confirmations: int
    """Whose latency was measured."""
    left_ms: dict[str, float]
    seen_ms: dict[str, float]
    cores: float
    """CPU seconds of the worker in each second of the run."""
    drained_seconds: float
    """From the last record sent to the last one seen."""


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_stand_options(parser, rounds=1)
    parser.add_argument("--rates", default="1000,20000,50000", help="records a second")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--warm-up", type=float, default=10, help="seconds that don't count")
    add_guarantees(parser)
    options = parser.parse_args()
    runs = []
    with standing(options) as rig:
        for number in range(options.rounds):
            for rate in map(int, options.rates.split(",")):
                for guarantee in options.guarantees:
                    group = f"bench-{rate}-{guarantee.replace('_', '-')}-{number}"
                    run = run_once(rig, group, guarantee, rate, options)
                    runs.append(run)
                    print(row(run), flush=True)
    found = {
        "machine": machine(),
        "partitions": options.partitions,
        "seconds": options.seconds,
        "warm_up_seconds": options.warm_up,
        "runs": msgspec.to_builtins(runs),
    }
    keep(options.results, "latency", found, page(found, runs))


def run_once(rig: Rig, group: str, guarantee: str, rate: int, options: argparse.Namespace) -> Run:
    """Run a worker and a pacing process, and return how long confirmations took."""
    rig.renew(group)
    worker = rig.worker(group, rig.folder / group, guarantee)
    try:
        seen, paced, began, cores = asyncio.run(observe(rig, group, worker, rate, options))
    finally:
        code = worker.end()
    if code:
        raise Failed(f"the worker ended with code {code}:\n{rig.said(group)}")
    appended = asyncio.run(confirmations(rig))
    since = (began + options.warm_up) * 1000
    missing = len(appended.keys() - seen.keys())
    if missing:
        raise Failed(f"{missing:,} of {len(appended):,} confirmations haven't left")
    counted = [(at, *seen[key]) for key, at in appended.items() if at >= since]
    end_ms = (began + options.warm_up + options.seconds) * 1000
    return Run(
        guarantee=guarantee,
        wanted_rate=rate,
        paced=paced,
        confirmations=len(counted),
        left_ms=quantiles([left - at for at, left, _ in counted]),
        seen_ms=quantiles([arrived - at for at, _, arrived in counted]),
        cores=cores,
        drained_seconds=round(
            max(arrived for _, arrived in seen.values()) / 1000 - end_ms / 1000, 2
        ),
    )


async def observe(
    rig: Rig, group: str, worker: Any, rate: int, options: argparse.Namespace
) -> tuple[dict[str, tuple[float, float]], Paced, float, float]:
    """Return what left and when (left, seen), what was paced since when, and the worker's cores."""
    await rig.ready(worker, group)
    async with rig.cluster.reader() as reader:
        reader.assign(rig.tps([ERP_TRANSACTIONS]))
        await reader.seek_to_beginning()
        watching = asyncio.ensure_future(watch(reader))
        pacing = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "benchmarks" / "pace.py"),
            *("--broker", rig.broker.url, "--rate", str(rate)),
            *("--seconds", str(options.warm_up + options.seconds)),
            stdout=subprocess.PIPE,
        )
        try:
            began = (await line_of(pacing))["began"]
            await asyncio.sleep(options.warm_up)
            first = worker.look(0)
            paced = msgspec.convert(await line_of(pacing), Paced)
            last = worker.look(paced.records)
            arrived = await watching
        finally:
            if pacing.returncode is None:
                pacing.kill()
            await pacing.wait()
    decode = msgspec.json.Decoder(Sent).decode
    seen: dict[str, tuple[float, float]] = {}
    for at, records in arrived:
        for left, value in records:
            if b'"erp.production_confirmation.v1"' in value[:80]:
                seen.setdefault(decode(value).id, (left, at))
    cores = (last.cpu - first.cpu) / (last.seconds - first.seconds)
    return seen, paced, began, round(cores, 2)


async def line_of(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Return the next line that the pacing process prints."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise Failed("the pacing process ended before its time")
    document: dict[str, Any] = json.loads(line)
    return document


async def watch(reader: AIOKafkaConsumer) -> list[tuple[float, list[tuple[int, bytes]]]]:
    """Return what arrives, and when: (milliseconds, [(timestamp, value)]), until nothing does."""
    found: list[tuple[float, list[tuple[int, bytes]]]] = []
    last = None
    while last is None or time.monotonic() - last < QUIET_SECONDS:
        polled = await reader.getmany(timeout_ms=POLL_MS)
        if polled:
            now, last = time.time() * 1000, time.monotonic()
            found += [
                (now, [(one.timestamp, one.value) for one in batch]) for batch in polled.values()
            ]
    return found


async def confirmations(rig: Rig) -> dict[str, int]:
    """Return when each confirmation was appended (milliseconds), by the id under which it leaves.

    Of one that was sent twice the first counts.
    """
    decode = msgspec.json.Decoder(Event).decode
    found: dict[str, int] = {}
    tps = rig.tps([MES_EVENTS])
    async with rig.cluster.reader() as reader:
        reader.assign(tps)
        await reader.seek_to_beginning()
        async for _, records in read_to(reader, await reader.end_offsets(tps)):
            for record in records:
                if b'"production.confirmed.v1"' in record.value[:60]:
                    try:
                        found.setdefault(decode(record.value).posting_key, record.timestamp)
                    except ValueError:  # a bad one
                        continue
    return found


def quantiles(times: Sequence[float]) -> dict[str, float]:
    """Return the quantiles of milliseconds, by name: the nearest rank, without interpolation."""
    if not times:
        raise Failed("no confirmation was measured: give it more --seconds")
    ordered = sorted(times)
    return {
        name(share): round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)
        for share in QUANTILES
    }


def name(share: float) -> str:
    """Return the name of a quantile: p50, p99.9, max."""
    return "max" if share == 1 else f"p{100 * share:g}"


def row(run: Run) -> str:
    """Return the figures of a run in a line."""
    return (
        f"{run.wanted_rate:,}/s {run.guarantee}: left {run.left_ms}, seen {run.seen_ms} ms; "
        f"reached {run.paced.rate:,}/s, {run.cores} cores, drained after {run.drained_seconds} s"
    )


def page(found: dict[str, Any], runs: Sequence[Run]) -> str:
    """Return the figures as Markdown."""
    names = [name(share) for share in QUANTILES]
    head = (
        "guarantee", "wanted, events/s", "reached",
        *(f"left {one}" for one in names), *(f"seen {one}" for one in names),
        "worker's cores", "drained after, s",
    )  # fmt: skip
    rows = [
        (
            run.guarantee,
            f"{run.wanted_rate:,}",
            f"{run.paced.rate:,}",
            *(f"{run.left_ms[one]:g}" for one in names),
            *(f"{run.seen_ms[one]:g}" for one in names),
            f"{run.cores:.2f}",
            f"{run.drained_seconds:.1f}",
        )
        for run in runs
    ]
    return (
        f"# Latency of confirmations\n\nMilliseconds from the input's LogAppendTime; "
        f"{found['seconds']:g} s after {found['warm_up_seconds']:g} s of warm-up, "
        f"{found['partitions']} partitions; broker, worker, pacing process and the consumer that "
        f"sees share the cores.\n\n{table(head, rows)}\n{about(found)}"
    )


if __name__ == "__main__":
    run_main(main)
