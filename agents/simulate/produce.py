"""What `simulate` produces to a cluster's input topics: a factory's events, or a log's lines."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Final

from agents.simulate.factory import Arrival, Plan
from agents.simulate.pace import PULSE_SECONDS, Pace, clock
from agents.simulate.producer import BoundedProducer, ProduceError, Sent, Work
from streams.codec.logfile import LogReader, Placed, lines_of
from streams.contract.events import Tick
from streams.contract.rejection import Rejection
from streams.log.headers import STRUCTURED
from streams.log.record import TP, Record, partition_of
from tables.reasons import Reasons

LAG_SECONDS_MAX: Final = 90
"""A factory that is further behind the clock delivers twice as fast. This is less than the idle
grace of the job's ticks, so that only events that are meant to be late are late."""

LINES_MAX: Final = 8_000
"""Lines of a log that are sent together. A partition's next batch waits until the previous one is
on its way, so small batches are slow. Signals are checked between batches."""


def factory(plan: Plan, rate: float, seconds: float | None, events: int | None) -> Work:
    """Return the work of a factory that sends about `rate` events a second, as they happen.

    `plan` starts a little before now, so that the lines are already at work.
    """

    async def work(producer: BoundedProducer) -> None:
        pace = Pace(plan, rate)
        begun = monotonic()
        while not producer.stopping.is_set():
            elapsed = monotonic() - begun
            left = (
                producer.room
                if events is None
                else min(producer.room, events - producer.sent.events)
            )
            if left <= 0 < producer.room or (seconds is not None and elapsed >= seconds):
                return
            behind = clock() - pace.at > LAG_SECONDS_MAX * 1_000_000
            pace.rate = 2 * rate if behind else rate
            await _send_arrivals(producer, pace.due(elapsed, left))
            await _pause(producer, PULSE_SECONDS)

    return work


def log(path: Path, rate: float | None, reasons: Reasons) -> Work:
    """Return the work of producing a log: `rate` lines a second, or as fast as possible.

    The log is sent as it is; `reasons` gets the lines that are no events, and why. A bare event
    goes to the partition of its key, a bare tick to all partitions. A record of `kcat -J` keeps its
    partition and headers.
    """

    async def work(producer: BoundedProducer) -> None:
        (count,) = set(producer.counts.values())
        reader = LogReader(count, (STRUCTURED,))
        begun = monotonic()
        with path.open("rb") as file:
            for lines in _chunks(file, rate):
                reader.place(lines)
                for at, placed in reader.take():
                    if at[1] >= count:
                        raise ProduceError(
                            f"line {placed.numbers[0]} of {path} is of partition {at[1]} of "
                            f"{at[0]}, which has {count}: produce it to a cluster with more"
                        )
                    await producer.send(at, placed.records)
                    _count(producer.sent, placed, reasons)
                if rate is not None:
                    ahead = reader.line_number / rate - (monotonic() - begun)
                    await _pause(producer, max(ahead, 0))
                if producer.stopping.is_set():
                    return

    return work


async def _pause(producer: BoundedProducer, seconds: float) -> None:
    """Wait, until a signal at most."""
    try:
        async with asyncio.timeout(seconds):
            await producer.stopping.wait()
    except TimeoutError:
        pass


async def _send_arrivals(producer: BoundedProducer, due: list[Arrival]) -> None:
    placed: dict[TP, list[Record]] = {}
    for arrival in due:
        key = None if arrival.key is None else arrival.key.encode()
        record = Record(0, None, key, arrival.value, (STRUCTURED,))
        if arrival.tick:
            for topic, count in producer.counts.items():
                for number in range(count):
                    placed.setdefault((topic, number), []).append(record)
                    producer.sent.ticks += 1
        else:
            at = arrival.topic, partition_of(key, producer.counts[arrival.topic])
            placed.setdefault(at, []).append(record)
            producer.sent.events += 1
    for at, records in placed.items():
        await producer.send(at, records)


def _count(sent: Sent, placed: Placed, reasons: Reasons) -> None:
    for number, event in zip(placed.numbers, placed.decoded, strict=True):
        if isinstance(event, Tick):
            sent.ticks += 1
            continue
        sent.events += 1
        if isinstance(event, Rejection):
            reasons.add(f"line {number:,}", event.code, event.reason)


def _chunks(file: BinaryIO, rate: float | None) -> Iterator[list[bytes]]:
    size = LINES_MAX if rate is None else min(LINES_MAX, max(1, round(rate * PULSE_SECONDS)))
    waiting: list[bytes] = []
    for lines in lines_of(file):
        waiting += lines
        whole = len(waiting) - len(waiting) % size
        for begin in range(0, whole, size):
            yield waiting[begin : begin + size]
        del waiting[:whole]
    if waiting:
        yield waiting
