"""Produces the workload at a rate, as plants do: what isn't due yet isn't sent.

    python benchmarks/pace.py --broker kafka://HOST:PORT --rate R --seconds S [--speed X]

Event time ends at about the present, and passes `--speed` times as fast as the clock: windows close
in a short run as they do in a long one. All is made before the first record is sent, so that little
is left to do while the clock runs. Prints two lines of JSON: {"began": Unix seconds}, then, at the
end, how many records were sent, at which rate, and how many seconds a batch was behind at most.
"""

import argparse
import asyncio
import gc
import json
import time
from collections import deque
from itertools import islice
from typing import Any, NamedTuple

import uvloop
from aiokafka import AIOKafkaProducer
from workload import Plan, Workload

from streams.contract.topics import INPUTS
from streams.kafka.cluster import read_broker
from streams.log.record import partition_of

TICK_SECONDS = 0.01
"""What falls due in so long is sent together, a batch for each partition."""

LINES = 64
TURNS = 8
"""A duplicate comes up to 1,024 records later."""

TEMPORARY_MS = 0
"""The broker sets the timestamp of a record."""

IN_FLIGHT_MAX = 512


class Due(NamedTuple):
    """What is sent at a tick: records, and a batch for each topic and partition."""

    records: int
    batches: list[tuple[str, int, Any]]


def plan_for(rate: float, seconds: float, speed: float) -> Plan:
    """Return the plan of a log that lasts for so long at this rate, and ends at about now."""
    return Plan(
        events=round(rate * seconds),
        lines=LINES,
        turns=TURNS,
        rate=rate / LINES / speed,
        start=round(time.time() - seconds * (speed - 1)),
    )


async def pace(producer: AIOKafkaProducer, rate: float, seconds: float, speed: float) -> None:
    """Send the log when it's due, and print what came of it."""
    counts = {name: len(await producer.partitions_for(name)) for name in INPUTS}
    ticks = made(producer, plan_for(rate, seconds, speed), rate, seconds, counts)
    gc.collect()
    gc.freeze()
    sent: deque[asyncio.Future[Any]] = deque()
    behind = 0.0
    print(json.dumps({"began": time.time()}), flush=True)
    began = time.monotonic()
    for number, due in enumerate(ticks):
        wait = began + number * TICK_SECONDS - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        for topic, partition, builder in due.batches:
            sent.append(await producer.send_batch(builder, topic, partition=partition))
        behind = max(behind, time.monotonic() - began - number * TICK_SECONDS)
        while sent and (sent[0].done() or len(sent) > IN_FLIGHT_MAX):
            await sent.popleft()
    await asyncio.gather(*sent)
    records = sum(due.records for due in ticks)
    rate = records / (time.monotonic() - began)
    report = {"records": records, "rate": round(rate), "behind_seconds_max": round(behind, 3)}
    print(json.dumps(report), flush=True)


def made(
    producer: AIOKafkaProducer, plan: Plan, rate: float, seconds: float, counts: dict[str, int]
) -> list[Due]:
    """Return what is sent at each tick, but for compression and what identifies a producer."""
    records = Workload(plan).records()
    places: dict[tuple[str, bytes], tuple[str, int]] = {}
    found, so_far = [], 0
    for tick in range(round(seconds / TICK_SECONDS)):
        builders: dict[tuple[str, int], Any] = {}
        until = round(rate * (tick + 1) * TICK_SECONDS)
        for topic, key, value in islice(records, until - so_far):
            at = places.get((topic, key))
            if at is None:
                at = places[topic, key] = topic, partition_of(key, counts[topic])
            builder = builders.get(at)
            if builder is None:
                builder = builders[at] = producer.create_batch()
            builder.append(timestamp=TEMPORARY_MS, key=key, value=value)
        for builder in builders.values():
            builder.close()
        found.append(Due(until - so_far, [(*at, one) for at, one in builders.items()]))
        so_far = until
    return found


async def run(options: argparse.Namespace) -> None:
    """Pace with a producer of its own."""
    producer = read_broker(options.broker).producer(linger_ms=0)
    await producer.start()
    try:
        await pace(producer, options.rate, options.seconds, options.speed)
    finally:
        await producer.stop()


def main() -> None:
    """Pace the workload into the topics of a broker that runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broker", required=True, metavar="URL")
    parser.add_argument("--rate", type=float, required=True, help="records a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--speed", type=float, default=10.0, help="of event time")
    options = parser.parse_args()
    gc.set_threshold(50_000, 50, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(options))


if __name__ == "__main__":
    main()
