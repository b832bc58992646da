"""More partitions for a system in use, as docs/topics.md says: nothing is lost, nothing twice."""

import asyncio
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from agents.provision.copy_topic import CopyError, copy_topic
from agents.provision.topics import configs
from broker import run_apart
from clusters import Broker, create_topic, delete_topics
from contents import read, write
from runs import placed
from streams.contract.topics import (
    CATALOGUE,
    EXCEPTIONS,
    INPUTS,
    MES_EVENTS,
    OUTPUTS,
    settings_of,
    topics_of,
)
from streams.kafka.cluster import Cluster, bounds, read_broker
from streams.log.record import Record, partition_of

LINESIDE = str(Path(sys.executable).with_name("lineside"))
SECONDS_MAX = 90

EVENTS = 4_000
OLD, NEW = "test-growing", "test-grown"
KEPT = {topic: f"{topic}.kept" for topic in INPUTS}
REST = {topic: f"{topic}.rest" for topic in INPUTS}
OURS = [*KEPT.values(), *REST.values(), "test-source", "test-target"]
NAMES = sorted({topic.name for group in (OLD, NEW) for topic in topics_of(group)})

TOPIC = ConfigResourceType.TOPIC
CREATE_TIME = {"message.timestamp.type": "CreateTime"}
TICK = b'{"type":"clock.tick.v1","time":"2026-11-21T06:00:00Z"}'


@pytest.fixture
def bare(broker: Broker) -> Iterator[Broker]:
    """A cluster without any of lineside's topics."""
    delete_topics(broker, [*NAMES, *OURS])
    yield broker
    delete_topics(broker, [*NAMES, *OURS])


@pytest.fixture
def cluster(bare: Broker) -> Cluster:
    return read_broker(bare.url)


def lineside(
    broker: Broker, *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `lineside` on this broker, to its end."""
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    return subprocess.run(
        [LINESIDE, *map(str, arguments)],
        env=own | {"LINESIDE_BROKER": broker.url} | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )


async def give(cluster: Cluster, topic: str, changed: dict[str, str]) -> None:
    """Change settings of an input topic, as kafka-configs.sh does."""
    (mine,) = [each for each in CATALOGUE if each.name == topic]
    config = settings_of(mine, 1, 86_400) | changed
    async with cluster.admin() as admin:
        (answer,) = await admin.alter_configs([ConfigResource(TOPIC, topic, config)])
        while not config.items() <= (await configs(admin, [topic]))[topic].items():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert [each[0] for each in answer.resources] == [0]


def by_line(found: Mapping[TopicPartition, list[ConsumerRecord]]) -> dict[Any, list[bytes]]:
    """Return values by topic and key, in their order."""
    values: defaultdict[Any, list[bytes]] = defaultdict(list)
    for tp, records in found.items():
        for record in records:
            values[tp.topic, record.key].append(record.value)
    return dict(values)


@pytest.mark.slow
async def test_a_system_with_partitions_added_by_mistake_goes_on_where_it_was(
    bare: Broker, cluster: Cluster, tmp_path: Path
) -> None:
    log = tmp_path / "log.ndjson"
    mess = ["--mess", "late=0.05", "--mess", "duplicates=0.05"]
    size = ["--events", EVENTS, "--plants", 2, "--lines", 3]
    assert lineside(bare, "simulate", *size, *mess, "--out", log).returncode == 0
    lines = log.read_bytes().splitlines()
    middle, later = len(lines) // 2, len(lines) // 2 + 300
    past, future = lines[:middle], lines[later:]
    waiting = [line for line in lines[middle:later] if b'"clock.tick.v1"' not in line]
    log.write_bytes(b"\n".join([*past, *waiting, *future]))

    def work(group: str) -> None:
        own = {"LINESIDE_GROUP": group, "LINESIDE_TICK_SECONDS": "0", "LINESIDE_PORT": "0"}
        own["LINESIDE_DATA_DIR"] = str(tmp_path / group)
        done = lineside(bare, "worker", "--until-drained", **own)
        assert done.returncode == 0, done.stderr

    outputs = dict.fromkeys([topic for topic in OUTPUTS if topic != EXCEPTIONS], 2)
    create = lineside(bare, "topics", "create", "--group", OLD, "--partitions", 2)
    assert create.returncode == 0, create.stdout
    await write(cluster, placed(past, 2))
    work(OLD)
    before = await read(cluster, outputs)
    async with cluster.admin() as admin:  # by mistake
        await admin.create_partitions({topic: NewPartitions(5) for topic in INPUTS})
    await write(cluster, placed(waiting, 5))
    refused = lineside(bare, "worker", LINESIDE_GROUP=OLD, LINESIDE_DATA_DIR=str(tmp_path / OLD))
    assert refused.returncode == 1
    assert f"topic {MES_EVENTS} has 5 partitions, and its changelog" in refused.stderr

    def copy(*arguments: str) -> None:
        done = lineside(bare, "topics", "copy", *arguments, "--group", OLD)
        assert done.returncode == 0, done.stderr

    for topic in INPUTS:
        copy(topic, KEPT[topic], "--processed")
        copy(topic, REST[topic], "--unprocessed")
    delete_topics(bare, INPUTS)
    assert lineside(bare, "topics", "create", "--group", NEW, "--partitions", 5).returncode == 0
    for topic in INPUTS:
        await give(cluster, topic, CREATE_TIME)
        copy(KEPT[topic], topic)
    work(NEW)
    async with cluster.reader() as reader:
        skipped = {tp: end for tp, (_, end) in (await bounds(reader, before)).items()}
    again = await read(cluster, outputs, {tp: len(records) for tp, records in before.items()})
    assert by_line(again) == by_line(before)

    for topic in INPUTS:
        copy(REST[topic], topic, "--append")
        await give(cluster, topic, {"message.timestamp.type": "LogAppendTime"})
    await write(cluster, placed(future, 5))
    work(NEW)
    after = await read(cluster, outputs, skipped)
    assert lineside(bare, "replay", log, "--out", tmp_path / "out").returncode == 0
    expected: defaultdict[Any, list[bytes]] = defaultdict(list)
    for topic in outputs:
        for value in (tmp_path / "out" / f"{topic}.ndjson").read_bytes().splitlines():
            record = json.loads(value)
            expected[topic, f"{record['plant']}/{record['line']}".encode()].append(value)
    first, then = by_line(before), by_line(after)
    assert {at: first.get(at, []) + then.get(at, []) for at in expected} == expected
    assert sum(map(len, then.values())) > 100


async def test_a_copy_keeps_all_that_a_record_has(bare: Broker, cluster: Cluster) -> None:
    create_topic(bare, "test-source", 2)
    create_topic(bare, "test-target", 3, CREATE_TIME)
    stamp = 1_795_240_800_123_000
    given = [
        Record(0, stamp, b"DE01/L1", b'{"text":"two\nlines"}', [("ce_id", b"1"), ("x", None)]),
        Record(1, stamp + 1000, b"DE01/L1", b"\x00\xff not JSON"),
        Record(2, stamp, None, b"without a key"),
        Record(3, stamp, b"DE01/L2", None),
        Record(4, stamp, b"DE01/L3", b" " * 900_000),
        Record(5, stamp, b"DE01/L1", b"the last one"),
    ]
    await write(cluster, {("test-source", 1): given})
    done = lineside(bare, "topics", "copy", "test-source", "test-target")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "6 records of test-source, 6 in test-target\n"
    found = await read(cluster, {"test-target": 3})
    for tp, records in found.items():
        assert [
            (each.timestamp * 1000, each.key, each.value, list(each.headers)) for each in records
        ] == [
            (each.timestamp, each.key, each.value, list(each.headers))
            for each in given
            if partition_of(each.key, 3) == tp.partition
        ]


async def test_ticks_stay_between_the_same_events_of_each_line(
    bare: Broker, cluster: Cluster
) -> None:
    create_topic(bare, "test-source", 1)
    create_topic(bare, "test-target", 8, CREATE_TIME)
    lines = [f"DE01/L{number}".encode() for number in range(20)]
    one_tick_after_each = [
        record
        for key in lines
        for record in (Record(0, None, key, key), Record(0, None, None, TICK))
    ]
    await write(cluster, {("test-source", 0): one_tick_after_each})
    assert lineside(bare, "topics", "copy", "test-source", "test-target").returncode == 0
    found = await read(cluster, {"test-target": 8})
    for tp, records in found.items():
        here = [key for key in lines if partition_of(key, 8) == tp.partition]
        first = lines.index(here[0])
        assert [record.value for record in records] == [
            value for key in lines[first:] for value in ([key] if key in here else []) + [TICK]
        ]


async def test_what_cant_be_copied_says_why(bare: Broker, cluster: Cluster) -> None:
    def refused(*words: str, options: Sequence[str] = ()) -> None:
        done = lineside(bare, "topics", "copy", "test-source", "test-target", *options)
        assert done.returncode == 1
        assert done.stdout == ""
        (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert all(word in sentence for word in words), sentence

    refused("test-source isn't there")
    create_topic(bare, "test-source", 2)
    create_topic(bare, "test-target", 2, {"message.timestamp.type": "LogAppendTime"})
    refused("test-target has message.timestamp.type LogAppendTime", "kafka-configs.sh")
    delete_topics(bare, ["test-target"])
    create_topic(bare, "test-target", 2)
    await write(cluster, {("test-target", 0): [Record(0, None, b"k", b"v")]})
    refused("test-target isn't empty")
    delete_topics(bare, ["test-target"])
    refused(
        "nobody-test-source-changelog isn't there", options=["--processed", "--group", "nobody"]
    )


async def test_a_source_that_is_written_to_meanwhile_is_reported(
    bare: Broker, cluster: Cluster
) -> None:
    create_topic(bare, "test-source", 1)
    record = {("test-source", 0): [Record(0, None, b"k", b"v")]}
    await write(cluster, record)

    class Writes:
        """Somebody who produces while the copy is under way."""

        length = None

        def update(self, n_steps: int) -> None:
            run_apart(write(cluster, record))

    with pytest.raises(CopyError, match="written to meanwhile"):
        await copy_topic(cluster, "test-source", "test-target", Writes())
