"""Refused events go again on a real broker, once for each exception, whoever is killed meanwhile."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from broker import run_apart
from contents import write
from kafka_workers import KafkaJob, wait_until
from masters import master
from streams.contract.topics import ERP_MASTER, EXCEPTIONS, MES_EVENTS
from streams.kafka.resending import KafkaResending
from streams.log.lineage import RESENT_FOR, RESENT_FROM
from streams.log.record import Record, partition_of
from streams.log.resending import Resent

TICKING = {"tick_seconds": 1}
"""Master data is kept, and refused events are sent again, by the worker that writes the ticks."""

ITEMS, EACH = 6, 40


def tell(job: KafkaJob, *values: bytes) -> None:
    run_apart(write(job.cluster, {(ERP_MASTER, 0): [Record(0, None, None, one) for one in values]}))


def line_on(plant: str, number: int, partitions: int) -> str:
    """Return the name of a line of a plant that is on a partition."""
    names = (f"L{n}" for n in range(10_000))
    return next(n for n in names if partition_of(f"{plant}/{n}".encode(), partitions) == number)


def send(job: KafkaJob, plant: str, lines: list[str]) -> int:
    """Send events of unknown items to each line; return how many."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z"
    for number, line in enumerate(lines):
        records = [
            Record(0, None, f"{plant}/{line}".encode(), json.dumps({
                "specversion": "1.0", "type": "goods.received.v1", "source": "/mes", "id": f"{n}",
                "time": now, "plant": plant, "line": line,
                "data": {"order": "O", "item": f"I{n % ITEMS}", "quantity": 1, "uom": "kg"},
            }).encode(), [("by", b"test")])
            for n in range(EACH)
        ]  # fmt: skip
        run_apart(write(job.cluster, {(MES_EVENTS, number): records}))
    return EACH * len(lines)


def exceptions(job: KafkaJob, plant: str) -> list[str]:
    """Return the id of each exception of a plant."""
    found = [json.loads(one.value) for some in job.read([EXCEPTIONS]).values() for one in some]
    return [one["id"] for one in found if one.get("plant") == plant]


def resent(job: KafkaJob) -> Counter[tuple[str, str]]:
    """Return (exception, offset of the record) of what was sent again."""
    found: Counter[tuple[str, str]] = Counter()
    for records in job.read([MES_EVENTS]).values():
        for one in records:
            said = dict(one.headers)
            if RESENT_FROM in said:
                assert said["by"] == b"test"
                found[said[RESENT_FROM].decode(), said[RESENT_FOR].decode()] += 1
    return found


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_each_refused_event_goes_once_when_its_item_comes_whoever_is_killed(
    job: KafkaJob, new_name: Callable[[], str], guarantee: str
) -> None:
    plant = f"P{new_name()[-6:]}"
    lines = [line_on(plant, number, job.partitions) for number in range(job.partitions)]
    settings = {**TICKING, "guarantee": guarantee}
    worker = job.worker(**settings)
    tell(job, master("plant", plant, require=["item"]))
    tell(job, *(master("line", plant, line=line) for line in lines))
    worker.wait_for("the plant is copied", lambda status: status["counts"]["tick"] > 8)
    wait_until(
        "the lines are copied",
        lambda: sum(
            b'"reference.line.v1"' in one.value
            for some in job.read([MES_EVENTS]).values()
            for one in some
            if one.value is not None and plant.encode() in one.value
        ) >= job.partitions ** 2,
    )  # fmt: skip
    count = send(job, plant, lines)
    wait_until("all are refused", lambda: len(set(exceptions(job, plant))) == count)
    for number in range(ITEMS):
        tell(job, master("item", plant, item=f"I{number}", base_uom="kg"))
        if number in (1, 3):
            time.sleep(0.3 * number)  # it's killed at some moment of the copying and sending
            worker.kill()
            worker = job.worker(**settings)
    wait_until("all were sent again", lambda: len(resent(job)) == count)
    time.sleep(2)  # nothing more comes
    job.wait_until_processed()
    status = worker.status()
    assert set(resent(job).values()) == {1}
    assert {origin for origin, _ in resent(job)} == set(exceptions(job, plant))
    assert len(set(exceptions(job, plant))) == count  # none was refused again
    assert status["counts"]["duplicate"] == 0
    assert status["counts"]["accepted"] == count


def test_events_that_are_more_than_a_batch_of_an_input_takes_leave_in_order(
    job: KafkaJob,
) -> None:
    """60 KB each that no codec makes smaller: 3 MB for a topic that takes 1 MiB at a time."""
    events = [
        Resent((0, number), number % 2, b"k", os.urandom(60_000), [("by", b"%d" % number)])
        for number in range(50)
    ]
    counts = {EXCEPTIONS: job.partitions}

    async def sent() -> None:
        resending = KafkaResending(job.cluster, job.cluster, job.group, counts, lambda: True)
        await resending.begin()
        await resending.send(events, {0: b"note"})
        assert await resending.notes(f"{job.group}/resent/".encode()) == {0: b"note"}
        await resending.rest()

    run_apart(sent())
    for tp, records in job.read([MES_EVENTS]).items():
        own = [event for event in events if event.partition == tp.partition]
        assert [one.value for one in records] == [event.value for event in own]
        assert [one.headers for one in records] == [tuple(event.headers) for event in own]
