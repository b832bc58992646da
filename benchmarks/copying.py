"""How long it takes to copy all of a plant's data into all partitions, events flowing meanwhile."""

import argparse
import asyncio
import re
import time
from collections import Counter
from typing import Final

import msgspec
from bench_latency import quantiles
from factory import OTHER, fill
from measure import Failed
from reporting_plant import ID, Plant, watched_plant
from rig import Rig

from streams.contract.topics import MES_EVENTS
from streams.kafka.cluster import bounds, read_to
from streams.kafka.reference import KafkaReference
from tables.reference.spreading import Noted

COPY_SECONDS_MAX: Final = 500

LOOK_SECONDS: Final = 0.25

_seq = re.compile(rb'"seq":(\d+)')


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
            plant.reporting.ending = True
            await flow
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
    way = KafkaReference(
        rig.cluster, rig.cluster, plant.outputs, plant.group, {MES_EVENTS: 0}, lambda: False
    )
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
    found = ID.search(value)
    return None if found is None else f"pc:{key.decode()}:/mes|{found[1].decode()}"
