"""The tests' own broker: it answers, and it can be killed, frozen and brought back."""

import asyncio
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from broker import KafkaBroker
from clusters import (
    TESTS_ONLY,
    Broker,
    Unsettled,
    claim,
    create_topic,
    delete_topics,
    fresh_topics,
)
from streams.contract.topics import (
    AUDIT,
    CLOCK,
    ERP_MASTER,
    INPUTS,
    MES_EVENTS,
    REFERENCE,
    changelog,
    topics_of,
)
from streams.kafka.cluster import BrokerError, bounds, read_broker, read_to

SECONDS_MAX = 30

FROZEN_SECONDS = 0.5

NewName = Callable[[], str]


async def write(broker: Broker | KafkaBroker, topic: str, *records: tuple[bytes, bytes]) -> None:
    """Produce to partition 0, acknowledged when it returns."""
    producer = read_broker(broker.url).producer()
    await producer.start()
    try:
        for key, value in records:
            await producer.send_and_wait(topic, value, key=key, partition=0)
    finally:
        await producer.stop()


async def read(broker: Broker | KafkaBroker, topic: str) -> list[ConsumerRecord]:
    """Return what is in partition 0."""
    tp = TopicPartition(topic, 0)
    found: list[ConsumerRecord] = []
    async with read_broker(broker.url).reader() as reader:
        end = (await bounds(reader, [tp]))[tp][1]
        reader.assign([tp])
        await reader.seek_to_beginning(tp)
        async for _, records in read_to(reader, {tp: end}):
            found += records
    return found


async def values(broker: Broker | KafkaBroker, topic: str) -> list[bytes]:
    """Return the values that are in partition 0."""
    return [record.value for record in await read(broker, topic)]


async def test_what_is_written_can_be_read(broker: Broker, new_name: NewName) -> None:
    topic = new_name()
    create_topic(broker, topic)
    await write(broker, topic, (b"a", b"1"), (b"b", b"2"))
    assert await values(broker, topic) == [b"1", b"2"]


async def test_a_topic_that_nobody_made_isnt_there(broker: Broker, new_name: NewName) -> None:
    topic = new_name()
    async with read_broker(broker.url).admin() as admin:
        await admin.describe_topics([topic])
        assert topic not in await admin.list_topics()


async def test_a_reader_that_read_nothing_can_be_let_go_of(broker: Broker) -> None:
    async with read_broker(broker.url).reader() as reader:
        assert reader.assignment() == set()


async def test_acknowledged_records_survive_a_kill(own_broker: KafkaBroker) -> None:
    create_topic(own_broker, "killed")
    await write(own_broker, "killed", (b"a", b"before"))
    server = own_broker.server
    own_broker.kill()
    assert not own_broker.running
    with pytest.raises(BrokerError, match=server):
        await values(own_broker, "killed")
    own_broker.restart()
    assert own_broker.server == server
    await write(own_broker, "killed", (b"a", b"after"))
    assert await values(own_broker, "killed") == [b"before", b"after"]
    delete_topics(own_broker, ["killed"])


async def test_a_restart_in_good_order_keeps_data_and_port(own_broker: KafkaBroker) -> None:
    create_topic(own_broker, "restarted")
    await write(own_broker, "restarted", (b"a", b"before"))
    server, pid = own_broker.server, own_broker.pid
    own_broker.restart()
    assert own_broker.server == server
    assert own_broker.pid != pid
    assert await values(own_broker, "restarted") == [b"before"]
    delete_topics(own_broker, ["restarted"])


async def test_a_frozen_broker_answers_when_it_has_thawed(own_broker: KafkaBroker) -> None:
    create_topic(own_broker, "frozen")
    producer = read_broker(own_broker.url).producer()
    await producer.start()
    try:
        await producer.send_and_wait("frozen", b"before")
        own_broker.freeze()
        assert own_broker.running
        sent = await producer.send("frozen", b"meanwhile")
        done, _ = await asyncio.wait([sent], timeout=FROZEN_SECONDS)
        assert not done
        own_broker.thaw()
        await asyncio.wait_for(sent, SECONDS_MAX)
    finally:
        own_broker.revive()
        await producer.stop()
    assert await values(own_broker, "frozen") == [b"before", b"meanwhile"]
    delete_topics(own_broker, ["frozen"])


def test_it_is_brought_back_from_whatever_was_done_to_it(own_broker: KafkaBroker) -> None:
    own_broker.freeze()
    own_broker.revive()
    create_topic(own_broker, "revived")
    own_broker.stop()
    own_broker.revive()
    delete_topics(own_broker, ["revived"])


async def test_a_changelog_is_compacted_while_a_test_waits(
    broker: Broker, new_name: NewName
) -> None:
    topic = new_name()
    create_topic(broker, topic, configs={"cleanup.policy": "compact", "segment.ms": "1000"})
    await write(broker, topic, *[(b"a", b"%d" % n) for n in range(50)], (b"b", b"kept"))
    deadline = time.monotonic() + SECONDS_MAX
    while len(found := await read(broker, topic)) > 10:
        assert time.monotonic() < deadline
        await write(broker, topic, (b"a", b"last"))  # only closed segments are compacted
        await asyncio.sleep(0.1)
    assert {record.key: record.value for record in found} == {b"a": b"last", b"b": b"kept"}
    assert found[-1].offset > 50


def test_kcat_reads_what_it_wrote(
    broker: Broker, new_name: NewName, kcat: Callable[..., bytes]
) -> None:
    topic = new_name()
    create_topic(broker, topic)
    kcat("-P", "-t", topic, "-p", "0", "-K", "|", stdin=b"DE01/L3|one\nDE01/L3|two\n")
    lines = kcat("-C", "-J", "-e", "-q", "-t", topic, "-o", "beginning").splitlines()
    records = [json.loads(line) for line in lines]
    assert [(each["key"], each["payload"]) for each in records] == [
        ("DE01/L3", "one"),
        ("DE01/L3", "two"),
    ]


async def test_kcat_reads_what_lineside_writes(
    broker: Broker, new_name: NewName, kcat: Callable[..., bytes]
) -> None:
    topic = new_name()
    create_topic(broker, topic)
    await write(broker, topic, (b"DE01/L3", b"x" * 1_000))  # compressed
    assert kcat("-C", "-e", "-q", "-t", topic, "-o", "beginning") == b"x" * 1_000 + b"\n"


async def test_fresh_topics_are_empty_and_all_there(broker: Broker, new_name: NewName) -> None:
    group = new_name()
    names = [topic.name for topic in topics_of(group)]
    try:
        for partitions in (2, 3):
            fresh_topics(broker, partitions, group, changelogs={"segment.ms": "1000"})
            assert await values(broker, MES_EVENTS) == []
            await write(broker, MES_EVENTS, (b"DE01/L3", b"1"))
        async with read_broker(broker.url).admin() as admin:
            found = {
                each["topic"]: len(each["partitions"])
                for each in await admin.describe_topics(names)
            }
        single = (AUDIT, CLOCK, ERP_MASTER, REFERENCE)
        assert found == {name: 1 if name in single else 3 for name in names}
    finally:
        delete_topics(broker, [changelog(group, topic) for topic in INPUTS])


def test_a_cluster_with_somebodys_topics_isnt_claimed(own_broker: KafkaBroker) -> None:
    fresh_topics(own_broker)
    delete_topics(own_broker, [TESTS_ONLY])
    with pytest.raises(Unsettled, match=r"'audit\.v1'.*'lineside\.tests-only'"):
        claim(own_broker)
    create_topic(own_broker, TESTS_ONLY)
    claim(own_broker)


def test_a_topic_that_cant_be_made_says_why(broker: Broker) -> None:
    with pytest.raises(Unsettled, match="InvalidTopicError"):
        create_topic(broker, "no/slash")
    with pytest.raises(Unsettled, match=r"none\.such"):
        create_topic(broker, "settings", configs={"none.such": "1"})


def test_it_ends_with_the_process_that_started_it(own_broker: KafkaBroker) -> None:
    # `own_broker` says that one can run here; this one is another's.
    program = """
import os, signal
from broker import KafkaBroker
broker = KafkaBroker()
broker.start()
print(broker.folder, *broker.address, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": f"{here}:{here.parents[1]}"},
        stdout=subprocess.PIPE,
        timeout=120,
    )
    folder, host, port = done.stdout.decode().split()
    try:
        wait_until_nobody_listens(host, int(port))
    finally:
        shutil.rmtree(folder)


def wait_until_nobody_listens(host: str, port: int) -> None:
    """Wait until a port refuses connections."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == errno.ECONNREFUSED:
                return
        time.sleep(0.05)
    pytest.fail(f"somebody still listens on {port}")
