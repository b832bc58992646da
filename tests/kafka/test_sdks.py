"""What is on the topics of a job, read by the SDKs of CloudEvents: each record is an event to them."""

import json
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from aiokafka import ConsumerRecord

from clusters import Broker
from kafka_workers import LINESIDE, KafkaJob, kafka_job, wait_until
from runs import event
from sdks import read_with_java, read_with_javascript
from streams.contract.topics import EXCEPTIONS, INPUTS, OUTPUTS
from streams.log.headers import STRUCTURED

PARTITIONS = 2
TOPICS = [*INPUTS, *OUTPUTS]

Told = dict[str, Any]


class Topics(NamedTuple):
    """A job's topics on a server, and what they hold, by topic, partition and offset."""

    server: str
    found: dict[tuple[str, int, int], ConsumerRecord]


def ticks(job: KafkaJob) -> int:
    """Return how many ticks are there; copies of reference records count as such elsewhere."""
    found = job.read(INPUTS).values()
    return sum(
        b'"clock.tick.v1"' in (record.value or b"") for records in found for record in records
    )


@pytest.fixture(scope="module")
def topics(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topics]:
    """What is there when a factory has produced, the clock has ticked and a worker has worked."""
    folder = tmp_path_factory.mktemp("sdks")
    log = folder / "log.ndjson"
    size = ["--events", "2000", "--plants", "1", "--lines", "2", "--tick-seconds", "0"]
    subprocess.run(
        [LINESIDE, "simulate", *size, "--mess", "malformed=0", "--out", log],
        check=True, capture_output=True,
    )  # fmt: skip
    with log.open("ab") as file:  # an event to any SDK, and none that lineside knows
        file.write(event("material.teleported.v1", 0.123456, plant="Ü|1:x%", what="ä\n") + b"\n")
    with kafka_job(broker, f"test-{uuid.uuid4().hex[:12]}", folder, PARTITIONS) as job:
        subprocess.run(
            [LINESIDE, "simulate", "--broker", broker.url, "--log", log],
            check=True, capture_output=True,
        )  # fmt: skip
        worker = job.worker(tick_seconds=1)
        wait_until("ticks are on all partitions", lambda: ticks(job) >= len(INPUTS) * PARTITIONS)
        worker.wait_until_drained()
        assert worker.end() == 0, worker.said
        found = {
            (tp.topic, tp.partition, record.offset): record
            for tp, records in job.read(TOPICS).items()
            for record in records
        }
        yield Topics(broker.server, found)


def test_each_record_says_that_it_is_an_event(topics: Topics) -> None:
    types = Counter(json.loads(record.value)["type"] for record in topics.found.values())
    assert {topic for topic, _, _ in topics.found} == set(TOPICS)
    assert len(types) >= 25
    assert types["clock.tick.v1"] >= 2 * PARTITIONS
    assert {record.headers for record in topics.found.values()} == {(STRUCTURED,)}


def test_javas_sdk_reads_each_record_as_an_event(java_sdk: None, topics: Topics) -> None:
    check(topics, read_with_java(topics.server, TOPICS), timedelta(microseconds=1))


def test_javascripts_sdk_reads_each_record_as_an_event(
    javascript_sdk: None, topics: Topics
) -> None:
    check(topics, read_with_javascript(topics.server, TOPICS), timedelta(milliseconds=1))


def check(topics: Topics, read: list[Told], precision: timedelta) -> None:
    """Hold what an SDK has read against what is there; it has times in its own precision."""
    by_place = {(one["topic"], one["partition"], one["offset"]): one for one in read}
    assert len(by_place) == len(read)
    assert by_place.keys() == topics.found.keys()
    for place, record in topics.found.items():
        written, seen = json.loads(record.value), by_place[place]
        if place[0] != EXCEPTIONS:
            assert written.keys() >= {"time", "plant", "line"}
        for name in written.keys() - {"time"}:
            assert seen[name] == written[name], (place, name)
        late = datetime.fromisoformat(written["time"]) - datetime.fromisoformat(seen["time"])
        assert timedelta(0) <= late < precision, place
