"""What the chaos suite asks of master data: that all of it is kept once, and copied where it belongs."""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from aiokafka import TopicPartition

from broker import run_apart
from chaos_job import Chaos
from contents import STREAM_SECONDS_MAX, all_bounds, stream
from kafka_workers import KafkaJob
from outcome import Left
from streams.contract.reference import ANYWHERE
from streams.contract.reference_key import COPIED, read_key
from streams.contract.topics import ERP_MASTER, EXCEPTIONS, MES_EVENTS, REFERENCE
from streams.kafka.fetched import record_of
from streams.log.record import partition_of
from streams.values import instant
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


def settle(chaos: Chaos, seconds_max: float = COPY_SECONDS_MAX) -> None:
    """Wait until all that came in is processed, and what is known of it is copied and processed.

    It is what came until now: more may come meanwhile. Master data is copied within so many seconds, or
    is found to be after a first look, which reads all of the input.
    """
    chaos.wait_until_processed()
    job, deadline = chaos.job, time.monotonic() + seconds_max
    end = _end_of_masters(job)
    while (read := _read_of_masters(job)) < end:
        chaos.check()
        assert time.monotonic() < deadline, f"{ERP_MASTER} is read up to {read}, not to {end}"
        time.sleep(LOOK_SECONDS)
    last = _last_records(job)
    while missing := _missing_copies(job, last, seconds_max):
        chaos.check()
        assert time.monotonic() < deadline, f"{len(missing)} copies are missing: {missing[0]}"
        time.sleep(LOOK_SECONDS)
    chaos.wait_until_processed()


def settle_with(chaos: Chaos, key: bytes) -> None:
    """Wait until master data has a record of this key, as an event told it; then `settle`.

    Whoever only settles may be done before the event's record is in `reference.v1`.
    """
    deadline = time.monotonic() + COPY_SECONDS_MAX
    while key not in _last_records(chaos.job):
        chaos.check()
        assert time.monotonic() < deadline, f"{REFERENCE} has no {key.decode()}"
        time.sleep(LOOK_SECONDS)
    settle(chaos)


def parked(chaos: Chaos) -> int:
    """Return how many events are parked; fail where a worker's conservation error isn't 0.

    By the workers' status, since their metrics may be a minute old.
    """
    count = 0
    for name, worker in chaos.workers.items():
        worker.status()  # of a look that an earlier question began
        since = instant.text((round(time.time()) + 1) * instant.SECOND)
        status = worker.wait_for(
            "all lines are looked at anew",
            lambda status, since=since: status["surveyed"] and status["surveyed"] >= since,
        )
        error = status["conservation"]["error"]
        assert error == "0", f"worker {name}: the conservation error is {error}"
        count += status["parked"]
    return count


def _end_of_masters(job: KafkaJob) -> int:
    tp = TopicPartition(ERP_MASTER, 0)
    return run_apart(all_bounds(job.cluster, [tp]))[tp][1]


def _read_of_masters(job: KafkaJob) -> int:
    """Return up to which offset `erp.master.v1` has been read, as `reference.v1` says."""

    async def look() -> int:
        read = 0
        async for _, records in stream(job.cluster, {REFERENCE: 1}):
            for each in records:
                progress = progress_of(each.key, each.value)
                read = read if progress is None else progress.offset  # the last one counts
        return read

    return run_apart(look())


def _last_records(job: KafkaJob) -> dict[bytes, int]:
    """Return the last offset of each key of `reference.v1` that is to be copied."""

    async def look() -> dict[bytes, int]:
        last: dict[bytes, int] = {}
        async for _, records in stream(job.cluster, {REFERENCE: 1}):
            last |= {each.key: each.offset for each in records if read_key(each.key)[0] in COPIED}
        return last

    return run_apart(look())


def _missing_copies(job: KafkaJob, last: Mapping[bytes, int], seconds_max: float) -> list[str]:
    """Return what isn't yet in a partition that needs it."""
    copies, homes = run_apart(_copied(job, last, seconds_max))
    missing: list[str] = []
    for key in last:
        kind, plant, parts = read_key(key)
        if kind == "line":
            homes[plant].add(partition_of(f"{plant}/{parts[0]}".encode(), job.partitions))
    for key, offset in last.items():
        plant = read_key(key)[1]
        missing += [
            f"{key.decode()}, {offset}, in partition {number}"
            for number in (range(job.partitions) if plant == ANYWHERE else homes[plant])
            if copies[number].get(key, -1) < offset
        ]
    return missing


def copies_in(job: KafkaJob, seconds_max: float = STREAM_SECONDS_MAX) -> int:
    """Return how many copies the input has, repeated ones too."""

    async def look() -> int:
        count = 0
        async for _, records in stream(job.cluster, {MES_EVENTS: job.partitions}, seconds_max):
            count += sum(b"|" in (each.key or b"") for each in records)
        return count

    return run_apart(look())


async def _copied(
    job: KafkaJob, last: Mapping[bytes, int], seconds_max: float
) -> tuple[dict[int, dict[bytes, int]], dict[str, set[int]]]:
    """Return the highest `seq` of each key, by partition, and the partitions of each plant."""
    copies: defaultdict[int, dict[bytes, int]] = defaultdict(dict)
    homes: defaultdict[str, set[int]] = defaultdict(set)
    seconds = max(seconds_max, STREAM_SECONDS_MAX)
    async for tp, records in stream(job.cluster, {MES_EVENTS: job.partitions}, seconds):
        own = copies[tp.partition]
        for record in records:
            key = record.key or b""
            if key in last:
                seq = int(record.value.rpartition(b'"seq":')[2].rstrip(b"}"))
                own[key] = max(own.get(key, -1), seq)
            elif key.count(b"/") == 1:
                homes[key.partition(b"/")[0].decode("utf-8", "replace")].add(tp.partition)
    return copies, homes


def add_kept(job: KafkaJob, found: Left) -> int:
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


def add_reference(job: KafkaJob, found: Left) -> None:
    """Add what is in `reference.v1`, lineside's own notes aside."""

    async def read() -> None:
        async for _, records in stream(job.cluster, {REFERENCE: 1}):
            for record in records:
                if not record.key.startswith(NOTES):
                    found.add(REFERENCE, record.value)

    run_apart(read())
