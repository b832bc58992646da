"""A client of lineside's among brokers that hang: none keeps it waiting, and its end is silent."""

import asyncio
import logging
import socket
import time
from collections.abc import Iterator

import pytest
from aiokafka.errors import KafkaError

from broker import KafkaBroker
from clusters import Broker, create_topic, delete_topics
from streams.kafka.cluster import Cluster, read_broker
from streams.kafka.hang import CONNECT_SECONDS_MAX, LOOK_SECONDS
from streams.kafka.producer import stop

UP_SECONDS_MAX = 10.0
"""A client comes up in a moment; a server that hangs costs half a second."""

NOTICED_SECONDS_MAX = 2 * LOOK_SECONDS + CONNECT_SECONDS_MAX + 5.0
"""Two looks and a try, and as much again for a busy machine."""

TRIES = 4
"""Servers are tried in a random order: one in sixteen runs would never meet the one that hangs."""


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that nobody serves: the system takes connections for it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


async def test_a_client_comes_up_by_the_server_that_answers(broker: Broker, silent: str) -> None:
    cluster = Cluster((silent, *read_broker(broker.url).servers))
    for _ in range(TRIES):
        began = time.monotonic()
        async with cluster.admin() as admin:
            assert (await admin.describe_cluster())["brokers"]
        assert time.monotonic() - began < UP_SECONDS_MAX


async def test_a_request_to_a_broker_that_hangs_is_given_up_and_it_is_tried_again(
    own_broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with read_broker(own_broker.url).admin() as admin:
        await admin.list_topics()
        own_broker.freeze()
        try:
            began = time.monotonic()
            with pytest.raises(KafkaError):
                await admin.list_topics()
            assert time.monotonic() - began < NOTICED_SECONDS_MAX
        finally:
            own_broker.thaw()
        assert "hangs: it lets in no connection" in caplog.text
        while "is tried again" not in caplog.text:
            assert time.monotonic() - began < 2 * NOTICED_SECONDS_MAX
            await asyncio.sleep(0.1)


async def test_a_connection_that_nothing_waits_for_isnt_used_once_its_broker_hangs(
    own_broker: KafkaBroker,
) -> None:
    cluster = read_broker(own_broker.url)
    async with cluster.admin() as asking, cluster.admin() as idle:
        for admin in (asking, idle):
            await admin.list_topics()
        own_broker.freeze()
        try:
            with pytest.raises(KafkaError):
                await asking.list_topics()
            began = time.monotonic()
            with pytest.raises(KafkaError):
                await idle.list_topics()
            assert time.monotonic() - began < LOOK_SECONDS
        finally:
            own_broker.thaw()


async def test_a_producer_is_stopped_while_its_broker_hangs_and_nothing_is_left_of_it(
    own_broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    create_topic(own_broker, "hanging", 2)
    before = asyncio.all_tasks()
    producer = read_broker(own_broker.url).producer()
    await producer.start()
    await producer.send_and_wait("hanging", b"before", partition=0)
    caplog.clear()  # until now a busy broker may not have known the new topic
    own_broker.freeze()
    try:
        # One is on its way, and the connection breaks: it waits to be sent again. One comes after.
        sent = [await producer.send("hanging", b"on its way", partition=0)]
        await asyncio.sleep(0.2)
        sent.append(await producer.send("hanging", b"behind it", partition=1))
        for connection in list(producer.client._conns.values()):
            connection.close()
        await stop(producer)
        results = await asyncio.gather(*sent, return_exceptions=True)
        assert all(isinstance(error, KafkaError) for error in results)
    finally:
        own_broker.revive()
    await asyncio.sleep(0.5)  # what was left of it would stumble now
    left = [task for task in asyncio.all_tasks() - before if "aiokafka" in repr(task.get_coro())]
    assert not left
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR], caplog.text
    delete_topics(own_broker, ["hanging"])
