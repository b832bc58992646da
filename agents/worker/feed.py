"""Feeding the embedded log: a file, or a simulated factory."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Final

from agents.simulate.factory import Arrival, Plan
from agents.simulate.pace import PULSE_SECONDS, Pace, clock
from agents.worker.run import Worker
from streams.codec.logfile import LogReader, lines_of
from streams.contract.topics import INPUTS
from streams.embedded.log import Entry
from streams.embedded.transport import Broker
from streams.log.headers import STRUCTURED
from streams.log.record import Record, partition_of
from streams.trouble import Trouble

WAITING_RECORDS_MAX: Final = 50_000
"""A feeder waits while more records than this are still to be processed: bounds the log."""


async def feed_file(worker: Worker, path: Path) -> int:
    """Append the lines of a log to the input topics, and return how many records they made.

    Records have the timestamps that the log has (bare events: none), so that the job's output is
    that of `lineside replay`. After a crash the feeder goes on where it stopped: a partition with n
    records has the first n of the file. So nothing else may write to the log, neither a clock nor a
    second file. Raises `FeedError` if something did.
    """
    broker = worker.broker
    held = {
        (topic, number): broker.log.partition(topic, number).end_offset
        for topic in INPUTS
        for number in range(broker.partitions)
    }
    placed_before = dict.fromkeys(held, 0)
    reader = LogReader(broker.partitions)
    fed = 0
    with path.open("rb") as file:
        for lines in lines_of(file):
            reader.place(lines)
            for at, placed in reader.take():
                if at not in held:
                    raise FeedError(
                        f"{path} has a record of partition {at[1]} of {at[0]}, but the log has "
                        f"{broker.partitions} partitions: set LINESIDE_PARTITIONS"
                    )
                skip = max(0, min(held[at] - placed_before[at], len(placed.records)))
                if skip and placed_before[at] + skip == held[at]:
                    _check_held(broker, at, placed.records[skip - 1], path)
                placed_before[at] += len(placed.records)
                entries = [
                    (record.timestamp, record.key, record.value, list(record.headers))
                    for record in placed.records[skip:]
                ]
                broker.append(*at, entries)
                fed += len(entries)
            await asyncio.sleep(0)
            while (worker.job_status.lag() or 0) > WAITING_RECORDS_MAX:
                await asyncio.sleep(0.01)
    for at, count in held.items():
        if placed_before[at] < count:
            raise FeedError(_other_records(at, path))
    return fed


def _check_held(broker: Broker, at: tuple[str, int], record: Record, path: Path) -> None:
    """Refuse a file if its record differs from the last one that the log has of the partition."""
    log = broker.log.partition(*at)
    held = log.read(log.end_offset - 1, 1)[0]
    if (held.key, held.value) != (record.key, record.value):
        raise FeedError(_other_records(at, path))


def _other_records(at: tuple[str, int], path: Path) -> str:
    return (
        f"the log holds records of {at[0]}/{at[1]} that aren't those of {path}: feed the file that "
        "it was fed with, or choose another data directory"
    )


class FeedError(Trouble):
    """A file that can't be fed."""


async def feed_factory(worker: Worker, plan: Plan, rate: float, seconds: float | None) -> float:
    """Let a simulated factory produce `rate` events a second; return for how many seconds.

    Its ticks are the job's only ones.
    """
    pace = Pace(plan, rate)
    started = monotonic()
    while not worker.stopping.is_set():
        elapsed = monotonic() - started
        if seconds is not None and elapsed >= seconds:
            break
        room = WAITING_RECORDS_MAX - (worker.job_status.lag() or 0)
        _append(worker.broker, pace.due(elapsed, room), clock())
        await asyncio.sleep(PULSE_SECONDS)
    return monotonic() - started


def _append(broker: Broker, due: list[Arrival], now: int) -> None:
    entries: dict[tuple[str, int], list[Entry]] = {}
    for arrival in due:
        key = None if arrival.key is None else arrival.key.encode()
        for at in _targets(broker, arrival, key):
            entries.setdefault(at, []).append((now, key, arrival.value, (STRUCTURED,)))
    for (topic, number), records in entries.items():
        broker.append(topic, number, records)


def _targets(broker: Broker, arrival: Arrival, key: bytes | None) -> Iterator[tuple[str, int]]:
    if not arrival.tick:
        yield arrival.topic, partition_of(key, broker.partitions_of(arrival.topic))
        return
    for topic in INPUTS:
        for number in range(broker.partitions):
            yield topic, number
