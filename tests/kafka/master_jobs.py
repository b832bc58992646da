"""A job with master data on a real cluster: what tests tell it, and what they find on its topics."""

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition

from broker import run_apart
from contents import read, write
from kafka_workers import KafkaJob, WorkerProcess, wait_until
from masters import master
from streams.codec.decode import decode
from streams.contract.reference import Reference
from streams.contract.topics import (
    ERP_MASTER,
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    MES_EVENTS,
    REFERENCE,
)
from streams.log.record import Record, partition_of

TICKING: Final = {"tick_seconds": 1}
"""Master data is kept and copied by the worker that writes the ticks."""

TOGETHER: Final = 500
"""Records of one kind that a test sends at once, where it needs many."""


def record(value: bytes, key: bytes | None = None) -> Record:
    """Return a record as producers send it: the time is the broker's."""
    return Record(0, None, key, value)


def line_on(plant: str, number: int, partitions: int) -> str:
    """Return the name of a line of a plant that is on a partition."""
    names = (f"L{n}" for n in range(10_000))
    return next(n for n in names if partition_of(f"{plant}/{n}".encode(), partitions) == number)


def event(kind: str, plant: str, line: str, id: str, **data: Any) -> bytes:
    """Return an event of this moment."""
    at = datetime.now(UTC)
    return json.dumps(
        {
            "specversion": "1.0", "type": kind, "source": "/mes", "id": id,
            "time": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", "plant": plant, "line": line, "data": data,
        }
    ).encode()  # fmt: skip


def confirmed(plant: str, line: str, id: str, **data: Any) -> bytes:
    """Return a confirmation: without a hold its record leaves at once."""
    about = {"order": "O", "operation": "10", "item": "I", "quantity": 1, "uom": "kg", **data}
    return event("production.confirmed.v1", plant, line, id, **about)


def posting(plant: str, line: str, id: str) -> str:
    """Return the id under which a confirmation leaves."""
    return f"pc:{plant}/{line}:/mes|{id}"


class MasterJob:
    """What a test says to a job, and what it finds."""

    def __init__(self, job: KafkaJob) -> None:
        self.job = job
        self.partitions = job.partitions
        self._read: dict[TopicPartition, list[ConsumerRecord]] = {}
        """What was found before, by partition: it isn't read again."""

    def worker(self, name: str = "worker", **settings: Any) -> WorkerProcess:
        """Start a worker that may keep and copy."""
        return self.job.worker(name, **{**TICKING, **settings})

    def plant(self) -> tuple[str, list[str]]:
        """Return a plant that nobody knows, and a line of it on each partition."""
        plant = f"P{uuid.uuid4().hex[:6]}"
        return plant, [line_on(plant, n, self.partitions) for n in range(self.partitions)]

    def tell(self, *values: bytes, key: bytes | None = None) -> None:
        """Send master data, as an ERP does."""
        records = [record(value, key) for value in values]
        run_apart(write(self.job.cluster, {(ERP_MASTER, 0): records}))

    def send(self, *values: bytes) -> None:
        """Send events, each to the partition of its line."""
        for value in values:
            told = json.loads(value)
            key = f"{told['plant']}/{told['line']}".encode()
            number = partition_of(key, self.partitions)
            run_apart(write(self.job.cluster, {(MES_EVENTS, number): [record(value, key)]}))

    def known(self, plant: str) -> dict[bytes, ConsumerRecord]:
        """Return the last record of each key that `reference.v1` has of a plant, notes aside."""
        found = self.found(REFERENCE, 1)
        return {
            each.key: each
            for each in found
            if each.key.split(b"|")[1] == plant.encode() and not each.key.startswith(b"seen|")
        }

    def found(self, topic: str, partitions: int | None = None) -> list[ConsumerRecord]:
        """Return what is committed on a topic, partition by partition."""
        wanted = {topic: partitions or self.partitions}
        since = {tp: found[-1].offset + 1 for tp, found in self._read.items() if found}
        for tp, records in run_apart(read(self.job.cluster, wanted, since)).items():
            self._read[tp] = [*self._read.get(tp, ()), *records]
        return [each for tp, found in self._read.items() if tp.topic == topic for each in found]

    def forget(self, topic: str) -> None:
        """Read a topic that was made anew from its beginning."""
        for tp in [tp for tp in self._read if tp.topic == topic]:
            del self._read[tp]

    def copies(self, number: int, plant: str) -> list[tuple[bytes, int, int]]:
        """Return key, `seq` and offset of each copy of a plant's records that a partition has."""
        copies = []
        for each in self.found(MES_EVENTS):
            if each.partition != number or b'"reference.' not in each.value:
                continue
            told = decode(each.value, tuple(each.headers), MES_EVENTS)
            assert isinstance(told, Reference), told
            if told.plant == plant:
                assert told.seq is not None
                copies.append((each.key, told.seq, each.offset))
        return copies

    def seqs(self, number: int, plant: str) -> list[int]:
        """Return the `seq` of each copy of a plant's records that a partition has."""
        return [seq for _, seq, _ in self.copies(number, plant)]

    def wait_until_copied(self, plant: str, numbers: Iterable[int] | None = None) -> None:
        """Wait until partitions have all that is known of a plant."""
        for number in range(self.partitions) if numbers is None else numbers:
            wait_until(
                f"partition {number} has what is known of {plant}",
                lambda n=number: self.lacking(n, plant) == set(),
            )

    def lacking(self, number: int, plant: str) -> set[int] | None:
        """Return the offsets of what is known of a plant and not copied; None: nothing is."""
        known = {each.offset for each in self.known(plant).values()}
        return known - set(self.seqs(number, plant)) if known else None

    def wait_until_known(self, plant: str, count: int) -> None:
        """Wait until so many records of a plant are kept."""
        wait_until(f"{count} records are known", lambda: len(self.known(plant)) >= count)

    def postings(self) -> list[str]:
        """Return the ids of what has left for the ERP."""
        return [json.loads(each.value)["id"] for each in self.found(ERP_TRANSACTIONS)]

    def wait_until_posted(self, *ids: str) -> None:
        """Wait until records have left for the ERP, and see that each has left once."""
        wait_until(f"{ids} have left", lambda: set(ids) <= set(self.postings()))
        left = self.postings()
        assert [left.count(id) for id in ids] == [1] * len(ids)

    def exceptions(self, plant: str) -> list[dict[str, Any]]:
        """Return the exceptions of a plant."""
        told = [json.loads(each.value) for each in self.found(EXCEPTIONS)]
        return [each for each in told if each.get("plant") == plant]

    def wait_until_refused(self, plant: str, code: str) -> dict[str, Any]:
        """Wait until an event of a plant is refused for a reason; return the exception's data."""

        def found() -> dict[str, Any] | None:
            all_ = [each["data"] for each in self.exceptions(plant)]
            return next((data for data in all_ if data["code"] == code), None)

        return wait_until(f"{code} of {plant}", found)


def line_records(plant: str, lines: Iterable[str]) -> list[bytes]:
    """Return the records that name a plant's lines."""
    return [master("line", plant, line=line) for line in lines]


def item_records(plant: str, names: Iterable[str], **data: Any) -> list[bytes]:
    """Return records of items counted in kg."""
    return [master("item", plant, item=name, base_uom="kg", **data) for name in names]
