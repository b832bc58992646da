"""What the chaos suite asks of master data: that all of it is kept once, and copied where it belongs."""

import time
from collections import defaultdict
from typing import Final

from aiokafka import TopicPartition

from broker import run_apart
from chaos_job import Chaos
from contents import all_bounds, stream
from kafka_workers import KafkaJob
from outcome import Outcome
from streams.contract.reference import ANYWHERE
from streams.contract.reference_key import COPIED, read_key
from streams.contract.topics import ERP_MASTER, EXCEPTIONS, MES_EVENTS, REFERENCE
from streams.kafka.fetched import record_of
from streams.log.record import partition_of
from tables.reference.keeping import Terms, kept, progress_of
from tables.reference.known import Known

COPY_SECONDS_MAX: Final = 60.0
"""It takes two, once a worker has the office: a session, and some more on a busy machine."""

LOOK_SECONDS: Final = 0.7

LONGEST_TICK_SECONDS: Final = 86_400
"""The most that a worker takes."""

NOTES: Final = (b"seen|", b"progress|")
"""Keys of lineside's own notes in `reference.v1` begin so."""


def quiet_tick_seconds() -> float:
    """Return a worker's `tick_seconds` of which the next tick is a day away.

    A worker without ticks keeps no master data. The log has ticks of its own, of its own time.
    """
    now = time.time() - 10.0
    return now / (now // LONGEST_TICK_SECONDS + 1)


def settle(chaos: Chaos) -> None:
    """Wait until all that came in is processed, and what is known of it is copied and processed."""
    chaos.wait_until_processed()
    deadline = time.monotonic() + COPY_SECONDS_MAX
    time.sleep(LOOK_SECONDS)
    while missing := missing_copies(chaos):
        seconds = f"not within {COPY_SECONDS_MAX:.0f} s"
        assert time.monotonic() < deadline, f"{seconds}: {len(missing)} copies, {missing[0]}"
        time.sleep(LOOK_SECONDS)
    chaos.wait_until_processed()


def parked(chaos: Chaos) -> int:
    """Return how many events are parked; fail where a worker's conservation error isn't 0."""
    count = 0
    for name, worker in chaos.workers.items():
        worker.status()  # of a look that an earlier question began
        status = worker.wait_for(
            "all lines are looked at", lambda status: status["conservation"] is not None
        )
        error = status["conservation"]["error"]
        assert error == "0", f"worker {name}: the conservation error is {error}"
        count += status["parked"]
    return count


def missing_copies(chaos: Chaos) -> list[str]:
    """Return what isn't yet in a partition that needs it: the last record of each key."""
    chaos.check()
    job = chaos.job
    if not kept_up(job):
        return [f"{ERP_MASTER} isn't read to its end"]
    last, copies, homes = run_apart(_copied(job))
    missing: list[str] = []
    for key, offset in last.items():
        plant = read_key(key)[1]
        missing += [
            f"{key.decode()}, {offset}, in partition {number}"
            for number in (range(job.partitions) if plant == ANYWHERE else homes[plant])
            if copies[number].get(key, -1) < offset
        ]
    return missing


def kept_up(job: KafkaJob) -> bool:
    """Return whether the keeper has read all of `erp.master.v1`."""
    tp = TopicPartition(ERP_MASTER, 0)

    async def look() -> bool:
        end = (await all_bounds(job.cluster, [tp]))[tp][1]
        read = 0
        async for _, records in stream(job.cluster, {REFERENCE: 1}):
            for record in records:
                read = max(read, progress_of(record.key, record.value) or 0)
        return read >= end

    return run_apart(look())


async def _copied(
    job: KafkaJob,
) -> tuple[dict[bytes, int], dict[int, dict[bytes, int]], dict[str, set[int]]]:
    """Return the last offset of each key, its highest `seq` by partition, and plants' partitions."""
    last: dict[bytes, int] = {}
    homes: defaultdict[str, set[int]] = defaultdict(set)
    async for _, records in stream(job.cluster, {REFERENCE: 1}):
        for record in records:
            kind, plant, parts = read_key(record.key)
            if kind in COPIED:
                last[record.key] = record.offset
            if kind == "line":
                homes[plant].add(partition_of(f"{plant}/{parts[0]}".encode(), job.partitions))
    copies: defaultdict[int, dict[bytes, int]] = defaultdict(dict)
    async for tp, records in stream(job.cluster, {MES_EVENTS: job.partitions}):
        own = copies[tp.partition]
        for record in records:
            key = record.key or b""
            if b"|" in key and key in last:
                seq = int(record.value.rpartition(b'"seq":')[2].rstrip(b"}"))
                own[key] = max(own.get(key, -1), seq)
            elif key.count(b"/") == 1:
                homes[key.partition(b"/")[0].decode("utf-8", "replace")].add(tp.partition)
    return last, copies, homes


def add_kept(job: KafkaJob, found: Outcome) -> int:
    """Add what has to have become of `erp.master.v1`; return how many of its records were refused.

    Nothing of it depends on the holds that the job itself writes: they have other names.
    """
    known, terms = Known(), Terms()
    refused = 0

    async def read() -> None:
        nonlocal refused
        async for _, records in stream(job.cluster, {ERP_MASTER: 1}):
            for record in records:
                left, _ = kept(record_of(record), 0, known, terms)
                if left is None:
                    continue
                found.add(left.topic, left.value)
                if left.topic == EXCEPTIONS:
                    refused += 1
                else:
                    assert left.key is not None  # it was made from what it is of
                    known.learn(left.key, left.value)

    run_apart(read())
    return refused


def add_reference(job: KafkaJob, found: Outcome) -> None:
    """Add what is in `reference.v1`, lineside's own notes aside."""

    async def read() -> None:
        async for _, records in stream(job.cluster, {REFERENCE: 1}):
            for record in records:
                if not record.key.startswith(NOTES):
                    found.add(REFERENCE, record.value)

    run_apart(read())
