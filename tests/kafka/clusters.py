"""What tests ask of a cluster's topics: to be new and empty, to be gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, Protocol

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from msgspec import Struct

from broker import run_apart
from streams.contract.topics import CATALOGUE, MACHINE_EVENTS, MES_EVENTS, settings_of, topics_of
from streams.kafka.cluster import read_broker
from tables.line.rules import Timing

TESTS_ONLY: Final = "lineside.tests-only"
"""A topic that says of a cluster: tests may delete what is here."""

SETTLE_SECONDS_MAX: Final = 30.0
"""A broker does what it said it will do in milliseconds, a busy one in seconds."""


class Unsettled(Exception):
    """A cluster refused what a test asked for, or didn't do it in time."""


class Place(Protocol):
    """A cluster that tests make topics on: a broker, several, or one that was given."""

    @property
    def url(self) -> str:
        """For LINESIDE_BROKER."""
        ...

    @property
    def replication(self) -> int:
        """How many replicas topics have there."""
        ...


class Broker(Struct, frozen=True):
    """Where a cluster is."""

    url: str
    replication: int = 1

    @property
    def server(self) -> str:
        """host:port, for Kafka's clients."""
        return ",".join(read_broker(self.url).servers)


def fresh_topics(
    broker: Place,
    partitions: int = 4,
    group: str = "lineside",
    changelogs: Mapping[str, str] | None = None,
    names: Iterable[str] | None = None,
) -> None:
    """Make all topics of a job of `group` anew, or those of `names`, empty.

    They have the settings of the catalogue, changelogs also those of `changelogs`. Nobody may be
    reading or writing them. What groups committed for the old ones goes with them, but not at once:
    a test had better have a group of its own.
    """
    ledgers = {
        MES_EVENTS: Timing().mes_retention_seconds,
        MACHINE_EVENTS: Timing().machine_retention_seconds,
    }
    topics = [
        NewTopic(
            topic.name,
            1 if topic.single else partitions,
            broker.replication,
            topic_configs={
                **settings_of(topic, broker.replication, ledgers.get(topic.name, 0)),
                **((changelogs or {}) if topic.direction == "changelog" else {}),
            },
        )
        for topic in topics_of(group)
        if names is None or topic.name in names
    ]
    run_apart(_renew(broker.url, topics))


def create_topic(
    broker: Place,
    name: str,
    partitions: int = 1,
    configs: Mapping[str, str] | None = None,
) -> None:
    """Make a topic that isn't there yet, and wait until each partition can be used."""
    topic = NewTopic(name, partitions, broker.replication, topic_configs=dict(configs or {}))
    run_apart(_create(broker.url, [topic]))


def delete_topics(broker: Place, names: Iterable[str]) -> None:
    """Delete those of the topics that there are, and wait until they are gone."""
    run_apart(_delete(broker.url, list(names)))


def claim(broker: Place) -> None:
    """Mark a cluster as one of tests; raises `Unsettled` if somebody else's topics are there."""
    run_apart(_claim(broker.url))


async def _claim(url: str) -> None:
    async with read_broker(url).admin() as admin:
        there = await admin.list_topics()
    if TESTS_ONLY in there:
        return
    in_use = sorted({topic.name for topic in CATALOGUE}.intersection(there))
    if in_use:
        raise Unsettled(
            f"{url} has a topic {in_use[0]!r}, which tests would delete: give them a cluster of "
            f"their own, or create a topic {TESTS_ONLY!r} there if all may go"
        )
    await _create(url, [NewTopic(TESTS_ONLY, 1, 1)])


async def _renew(url: str, topics: list[NewTopic]) -> None:
    await _delete(url, [topic.name for topic in topics])
    await _create(url, topics)


async def _delete(url: str, names: list[str]) -> None:
    async with read_broker(url).admin() as admin:
        there = [name for name in names if name in await admin.list_topics()]
        if there:
            answer = await admin.delete_topics(there)
            for name, code in answer.topic_error_codes:
                _check(name, code, UnknownTopicOrPartitionError)
        await _settled(lambda: _gone(admin, names), f"{names} aren't gone")


async def _create(url: str, topics: list[NewTopic]) -> None:
    async with read_broker(url).admin() as admin:
        # A name can be taken a little longer than it is shown.
        left = {topic.name: topic for topic in topics}

        async def created() -> bool:
            answer = await admin.create_topics(list(left.values()))
            for name, code, message in answer.topic_errors:
                _check(name, code, TopicAlreadyExistsError, message)
                if code == 0:
                    del left[name]
            return not left

        await _settled(created, f"{list(left)} are there already")
    # Leaders are named before they lead.
    async with read_broker(url).reader(retry_backoff_ms=20) as reader:
        await reader.end_offsets(
            [
                TopicPartition(topic.name, number)
                for topic in topics
                for number in range(topic.num_partitions)
            ]
        )


async def _gone(admin: AIOKafkaAdminClient, names: list[str]) -> bool:
    return not set(names).intersection(await admin.list_topics())


async def _settled(done: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while not await done():
        if time.monotonic() > deadline:
            raise Unsettled(f"{otherwise} after {SETTLE_SECONDS_MAX:.0f} s")
        await asyncio.sleep(0.02)


def _check(name: str, code: int, passed: type[Exception], message: str | None = None) -> None:
    error = for_code(code)
    if code != 0 and error is not passed:
        raise Unsettled(f"{name}: {error.__name__} {message or ''}".rstrip())
