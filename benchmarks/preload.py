"""Fills the input topics of a broker with the workload, as fast as it goes.

    python benchmarks/preload.py --broker kafka://HOST:PORT --events N [--batch-bytes B]

The topics are there already (`lineside topics create`). Records are partitioned as Kafka's Java
client does it, and sent in RecordBatches of `--batch-bytes` (64 KiB before compression), lz4,
by an idempotent producer. Event time lies in the past, the record's timestamp is the broker's.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from workload import Plan, Record, Workload, add_plan_options, plan_of

from streams.contract.topics import INPUTS
from streams.kafka.cluster import Cluster, read_broker
from streams.log.record import partition_of

BATCH_BYTES = 64 << 10
"""A busy MES's producer: four times the default `batch.size`, and it lingers."""

IN_FLIGHT_MAX = 256
"""Batches that aren't acknowledged yet."""

RECORD_BYTES = 30
"""Of a record in a batch, besides key and value, at most."""

TELEMETRY = b"machine.telemetry"
"""In a value from here: {"specversion":"1.0","type":"machine.telemetry.v1"."""

At = tuple[str, int]
"""A topic, and one of its partitions."""


class Preloaded(msgspec.Struct):
    """What has been put on the topics."""

    records: dict[str, int]
    """By topic."""
    partitions: dict[str, list[int]]
    """Records by topic and partition."""
    made: dict[str, int]
    """duplicates, late, bad: what the workload says of itself."""
    telemetry: int
    """Records that a ledger doesn't hold."""
    value_bytes: int
    seconds: float

    @property
    def total(self) -> int:
        """All records."""
        return sum(self.records.values())

    @property
    def ledger_keys(self) -> int:
        """Events that a ledger remembers, as long as it remembers all: one entry each."""
        made = self.made
        return self.total - self.telemetry - made.get("duplicates", 0) - made.get("bad", 0)


async def preload(cluster: Cluster, plan: Plan, batch_bytes: int = BATCH_BYTES) -> Preloaded:
    """Put the log of a plan on the input topics; return when all is acknowledged."""
    producer = cluster.producer(linger_ms=0)
    await producer.start()
    try:
        counts = {name: len(await producer.partitions_for(name)) for name in INPUTS}
        filling = Filling(producer, counts, batch_bytes)
        workload = Workload(plan)
        began = reported = time.monotonic()
        for block in workload.blocks():
            await filling.add(block)
            if time.monotonic() - reported > 1:
                reported = time.monotonic()
                tell(filling.records.total(), plan.events, reported - began)
        await filling.finish()
        seconds = time.monotonic() - began
        tell(filling.records.total(), plan.events, seconds, "\n")
    finally:
        await producer.stop()
    partitions = {
        name: [filling.records[name, number] for number in range(counts[name])] for name in INPUTS
    }
    return Preloaded(
        records={name: sum(counts) for name, counts in partitions.items()},
        partitions=partitions,
        made=dict(workload.counts),
        telemetry=filling.telemetry,
        value_bytes=filling.value_bytes,
        seconds=round(seconds, 2),
    )


class Filling:
    """RecordBatches that are being filled, one for each partition, and those on their way."""

    def __init__(
        self, producer: AIOKafkaProducer, counts: dict[str, int], batch_bytes: int
    ) -> None:
        self.records: Counter[At] = Counter()
        self.value_bytes = 0
        self.telemetry = 0
        self._producer = producer
        self._counts = counts
        self._batch_bytes = batch_bytes
        self._places: dict[tuple[str, bytes], At] = {}
        self._batches: dict[At, list[tuple[bytes, bytes]]] = {}
        self._sizes: Counter[At] = Counter()
        self._sent: deque[asyncio.Future[Any]] = deque()

    async def add(self, records: Iterable[Record]) -> None:
        """Take records; send the batches that are full."""
        places, sizes, batches = self._places, self._sizes, self._batches
        for topic, key, value in records:
            at = places.get((topic, key))
            if at is None:
                at = places[topic, key] = topic, partition_of(key, self._counts[topic])
                batches.setdefault(at, [])
            size = sizes[at] + len(value) + len(key) + RECORD_BYTES
            if size > self._batch_bytes:
                await self._send(at)
                size = len(value) + len(key) + RECORD_BYTES
            sizes[at] = size
            batches[at].append((key, value))
            self.value_bytes += len(value)
            self.telemetry += value[29:46] == TELEMETRY

    async def flush(self) -> None:
        """Send what there is."""
        for at in self._batches:
            await self._send(at)

    async def finish(self) -> None:
        """Send what there is, and wait for all."""
        await self.flush()
        while self._sent:
            await self._sent.popleft()

    async def _send(self, at: At) -> None:
        batch, self._batches[at] = self._batches[at], []
        self._sizes[at] = 0
        if not batch:
            return
        now = round(time.time() * 1000)
        builder = self._producer.create_batch()
        for key, value in batch:
            builder.append(timestamp=now, key=key, value=value)
        builder.close()
        topic, number = at
        self._sent.append(await self._producer.send_batch(builder, topic, partition=number))
        self.records[at] += len(batch)
        while len(self._sent) > IN_FLIGHT_MAX:
            await self._sent.popleft()


def tell(records: int, of: int, seconds: float, end: str = "\r") -> None:
    """Print how far it is; only the last if it isn't to a terminal."""
    rate = records / seconds
    if end == "\r" and not sys.stderr.isatty():
        return
    print(f"preloaded {records:,} of {of:,}: {rate:,.0f}/s  ", end=end, file=sys.stderr, flush=True)


def main() -> None:
    """Fill the topics of a broker that runs, and print what is on them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broker", required=True, metavar="URL", help="kafka://host:port")
    parser.add_argument("--batch-bytes", type=int, default=BATCH_BYTES)
    add_plan_options(parser)
    options = parser.parse_args()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    done = asyncio.run(preload(read_broker(options.broker), plan_of(options), options.batch_bytes))
    print(msgspec.json.format(msgspec.json.encode(done)).decode())


if __name__ == "__main__":
    main()
