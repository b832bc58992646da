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
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import msgspec
from bench_latency import quantiles
from factory import OTHER, Reporting, Watching, fill, line_on
from measure import Failed, Watched, about, keep, machine, table
from rig import GUARANTEES, Rig, add_stand_options, run_main, standing

from streams.contract.topics import ERP_TRANSACTIONS, MES_EVENTS
from streams.kafka.cluster import bounds, read_to
from streams.kafka.producer import Outputs
from streams.kafka.reference import KafkaReference
from tables.reference.spreading import Noted

TICK_SECONDS: Final = 1
"""Master data is kept and copied by a worker that ticks."""

HOLD_SECONDS_MAX: Final = 60
COPY_SECONDS_MAX: Final = 500
APART_SECONDS: Final = 0.37
"""Between two holds: no multiple of how often anything looks."""

LOOK_SECONDS: Final = 0.25

BEFORE_HOLDS: Final = 5
"""Holds that don't count: the first ones."""

_id = re.compile(rb'"id": ?"([^"]+)"')
_seq = re.compile(rb'"seq":(\d+)')


class Holds(msgspec.Struct):
    """Milliseconds by quantile."""

    guarantee: str
    count: int
    placed_ms: dict[str, float]
    released_ms: dict[str, float]
    flowed: int


class Copied(msgspec.Struct):
    """How long copying took."""

    records: int
    partitions: int
    copies: int
    repeated: int
    """Copies that a partition has twice."""
    copied_seconds: float
    in_force_seconds: float
    flowed: int
    flow_ms: dict[str, float]
    """From an event's append until its record was seen."""
    cpu_seconds: float
    """Of the worker, until all was in force."""
    peak_mb: float


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


class Plant:
    """A worker, a plant that reports to it, and a look at what it does."""

    def __init__(self, rig: Rig, group: str, outputs: Outputs) -> None:
        self.rig, self.group, self.outputs = rig, group, outputs
        self.lines = [line_on(number, rig.partitions) for number in range(rig.partitions)]
        self.reporting: Reporting
        self.posted: Watching
        """By the ids of what leaves for the ERP."""
        self.copied: Watching
        """By `partition key` of records of holds in the input topic."""

    def worker(self, guarantee: str) -> Watched:
        """Start a worker that ticks."""
        folder = self.rig.folder / self.group
        return self.rig.worker(self.group, folder, guarantee, tick_seconds=TICK_SECONDS)

    async def settled(self) -> None:
        """Wait until all of the flow has left."""
        await asyncio.gather(
            *(self.posted.wait(id, HOLD_SECONDS_MAX) for id in self.reporting.sent)
        )


@asynccontextmanager
async def watched_plant(rig: Rig, group: str) -> AsyncIterator[Plant]:
    """Give a plant without a worker yet; all topics are new."""
    await asyncio.to_thread(rig.renew, group)
    async with AsyncExitStack() as stack:
        outputs = Outputs(rig.cluster)
        stack.push_async_callback(outputs.close)
        plant = Plant(rig, group, outputs)
        plant.reporting = Reporting(await outputs.producer(), rig.partitions)
        tasks = []
        for topic, name_of in ((ERP_TRANSACTIONS, _posted), (MES_EVENTS, _held)):
            reader = await stack.enter_async_context(rig.cluster.reader())
            reader.assign(rig.tps([topic]))
            await reader.seek_to_end()
            tasks.append(Watching(reader, name_of))
        plant.posted, plant.copied = tasks
        running = [asyncio.ensure_future(each.watch()) for each in tasks]
        try:
            yield plant
        finally:
            for each in running:
                each.cancel()
            await asyncio.wait(running)


def _posted(record: Any) -> str | None:
    found = _id.search(record.value[:200])
    return None if found is None else found[1].decode()


def _held(record: Any) -> str | None:
    is_hold = record.key is not None and record.key.startswith(b"hold|")
    return f"{record.partition} {record.key.decode()}" if is_hold else None


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
            flow.cancel()
            await asyncio.wait([flow])
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


# Copying.


async def measure_copying(rig: Rig, options: argparse.Namespace) -> Copied:
    """Return how long it takes to copy all of a plant's data into all partitions."""
    async with watched_plant(rig, "bench-copy") as plant:
        began = time.monotonic()
        await fill(plant.outputs, plant.lines, options.records, require=True)
        print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
        worker = plant.worker("at_least_once")
        try:
            await rig.ready(worker, plant.group)
            began = time.monotonic()
            flow = asyncio.ensure_future(plant.reporting.flow(options.rate))
            await until_copied(plant, options.records)
            copied_seconds = time.monotonic() - began
            print(f"copied after {copied_seconds:.1f} s", flush=True)
            item = f"M-{options.records - len(plant.lines) - 2:07}"
            last = [
                await plant.reporting.confirm(line, "last", item=item, lot="A")
                for line in plant.lines
            ]
            await asyncio.gather(*(plant.posted.wait(id, COPY_SECONDS_MAX) for id in last))
            in_force_seconds = time.monotonic() - began
            flow.cancel()
            await asyncio.wait([flow])
            await plant.settled()
            sample = worker.look(0)
        finally:
            code = worker.end()
        if code:
            raise Failed(f"the worker ended with code {code}:\n{rig.said(plant.group)}")
        counts, repeated, flow_ms = await counted(plant)
    if set(counts.values()) != {options.records}:
        raise Failed(f"not all of {options.records:,} records are on each partition: {counts}")
    return Copied(
        records=options.records,
        partitions=rig.partitions,
        copies=sum(counts.values()) + repeated,
        repeated=repeated,
        copied_seconds=round(copied_seconds, 1),
        in_force_seconds=round(in_force_seconds, 1),
        flowed=len(flow_ms),
        flow_ms=quantiles(flow_ms),
        cpu_seconds=sample.cpu,
        peak_mb=sample.mb,
    )


async def until_copied(plant: Plant, records: int) -> None:
    """Wait until the worker has noted for each partition that it has so many records."""
    rig = plant.rig
    way = KafkaReference(rig.cluster, plant.outputs, plant.group, {MES_EVENTS: 0}, lambda: False)
    decode = msgspec.json.Decoder(Noted).decode
    async with asyncio.timeout(COPY_SECONDS_MAX):
        while True:
            notes = [decode(note) for note in (await way.noted()).values()]
            if len(notes) == rig.partitions and all(each.offset >= records for each in notes):
                return
            await asyncio.sleep(LOOK_SECONDS)


async def counted(plant: Plant) -> tuple[Counter[int], int, list[float]]:
    """Return how many different records partitions have, how many again, and the flow's times."""
    seqs: dict[int, set[int]] = {number: set() for number in range(plant.rig.partitions)}
    repeated = 0
    times: list[float] = []
    tps = plant.rig.tps([MES_EVENTS])
    async with plant.rig.cluster.reader() as reader:
        reader.assign(tps)
        ends = {tp: end for tp, (_, end) in (await bounds(reader, tps)).items()}
        await reader.seek_to_beginning()
        async for tp, records in read_to(reader, ends):
            own = seqs[tp.partition]
            for record in records:
                found = _seq.search(record.value[-24:])
                if found is not None:
                    repeated += int(found[1]) in own
                    own.add(int(found[1]))
                elif (name := flow_name(record.key, record.value)) is not None:
                    times.append(plant.posted.seen[name][1] - record.timestamp)
    return Counter({number: len(own) for number, own in seqs.items()}), repeated, times


def flow_name(key: bytes | None, value: bytes) -> str | None:
    """Return the id under which an event of the flow leaves, None of any other."""
    if key is None or not key.startswith(OTHER.encode()):
        return None
    found = _id.search(value)
    return None if found is None else f"pc:{key.decode()}:/mes|{found[1].decode()}"


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
