"""Checks the topics of a cluster, and makes missing ones."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from streams.contract.topics import (
    DESKS,
    INPUTS,
    MACHINE_EVENTS,
    MES_EVENTS,
    changelog,
    settings_of,
    topics_of,
)
from streams.kafka.cluster import BrokerError, Cluster
from streams.kafka.topic_check import WAY_OUT, Found, Problem, missing, problems_of
from streams.kafka.topic_words import counted
from tables.line.rules import Timing

PARTITIONS: Final = 8
"""The default for inputs and outputs: partitions can't be added later, and cost little."""

REPLICAS_MAX: Final = 3
"""The default for a topic, if there are enough brokers: one may be lost while another is away."""

SETTLE_SECONDS_MAX: Final = 15.0
"""All brokers know a new topic in much less."""

SETTLE_PAUSE_SECONDS: Final = 0.1


class Outcome(Struct, frozen=True, kw_only=True):
    """The result of making topics; after an error in existing topics nothing was made."""

    created: list[NewTopic]
    there: list[str]
    problems: list[Problem]


async def problems(
    cluster: Cluster, group: str, timing: Timing | None = None, *, of_desk: bool = True
) -> list[Problem]:
    """Return the problems of a group's topics on a cluster, errors first.

    `timing` has the retention of the ledgers. Without `of_desk` the topics that only the desk needs
    aren't looked at: a worker has no rights on them. Raises `BrokerError`.
    """
    passed_over = frozenset() if of_desk else DESKS
    async with _asking(cluster) as admin:
        found, brokers = await _found(admin, group, passed_over)
    listed = _problems_of(cluster, group, found, brokers, timing)
    absent = [topic.name for topic in missing(group, found) if topic.name not in passed_over]
    if not DESKS.issuperset(absent):
        listed.insert(0, _absence(cluster, group, absent))
    elif absent:
        text = f"{_absence(cluster, group, absent).text}; only the desk needs it"
        listed.append(Problem("warning", text))
    return listed


async def partitions_of(cluster: Cluster) -> dict[str, int]:
    """Return the partition count of every topic of a cluster. Raises `BrokerError`."""
    async with _asking(cluster) as admin:
        return {topic["topic"]: len(topic["partitions"]) for topic in await _topics(admin)}


async def create(
    cluster: Cluster,
    group: str,
    partitions: int | None = None,
    replication: int | None = None,
    timing: Timing | None = None,
) -> Outcome:
    """Make the missing topics, and wait until they are there; existing ones aren't changed.

    Without `partitions`, new topics get as many as an existing input or changelog, else
    `PARTITIONS`. Without `replication`, a topic has a replica on each broker, `REPLICAS_MAX` at
    most. Raises `BrokerError`.
    """
    async with _asking(cluster) as admin:
        found, brokers = await _found(admin, group)
        there = [topic.name for topic in topics_of(group) if topic.name in found]
        replicas = replication or min(REPLICAS_MAX, brokers)
        new = _plan(group, found, partitions, replicas, timing)
        trouble = [
            *([] if partitions is None else _grown(found, partitions)),
            *_problems_of(cluster, group, found | _as_found(new), brokers, timing),
        ]
        if any(problem.severity == "error" for problem in trouble):
            return Outcome(created=[], there=there, problems=trouble)
        refused = await make_topics(admin, new)
        made = [topic for topic in new if topic.name not in refused]
    return Outcome(created=made, there=there, problems=[*refused.values(), *trouble])


def lines_of_creation(outcome: Outcome) -> list[str]:
    """Return a line for each topic that is there or was made, and one if nothing was made."""
    made = [
        f"created  {topic.name}: {counted(topic.num_partitions, 'partition')}, "
        f"{counted(topic.replication_factor, 'replica')}"
        for topic in outcome.created
    ]
    refused = not made and any(problem.severity == "error" for problem in outcome.problems)
    return [
        *(f"there    {name}" for name in outcome.there),
        *(["nothing was made"] if refused else made),
    ]


@asynccontextmanager
async def _asking(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    try:
        async with cluster.admin() as admin:
            yield admin
    except (KafkaError, TimeoutError) as error:
        raise BrokerError(
            f"the broker at {', '.join(cluster.servers)} didn't answer a question about its "
            f"topics ({error!r}): is it overloaded, or on its way down?"
        ) from None


async def _topics(admin: AIOKafkaAdminClient) -> list[dict[str, Any]]:
    # Ask for all topics: asking for one by name creates it if brokers create topics automatically.
    topics: list[dict[str, Any]] = await admin.describe_topics()
    return topics


async def _found(
    admin: AIOKafkaAdminClient, group: str, passed_over: Collection[str] = ()
) -> tuple[dict[str, Found], int]:
    """Return the existing topics of a group's job, and the number of brokers."""
    names = {topic.name for topic in topics_of(group)}.difference(passed_over)
    described = {topic["topic"]: topic for topic in await _topics(admin) if topic["topic"] in names}
    brokers = len((await admin.describe_cluster())["brokers"])
    settings = await configs(admin, list(described))
    found = {
        name: Found(
            partitions=len(topic["partitions"]),
            replication=min((len(each["replicas"]) for each in topic["partitions"]), default=0),
            config=settings[name],
        )
        for name, topic in described.items()
    }
    return found, brokers


async def configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Return all settings of existing topics. Raises `BrokerError`."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(wanted):
        for code, message, _, name, entries, *_ in answer.resources:
            if code:
                raise BrokerError(
                    f"the settings of topic {name} can't be read ({_reason(code, message)}): may "
                    "this user do DescribeConfigs on it?"
                )
            found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found


def _problems_of(
    cluster: Cluster,
    group: str,
    found: Mapping[str, Found],
    brokers: int,
    timing: Timing | None,
) -> list[Problem]:
    listed = problems_of(group, found, brokers, _ledger_seconds(timing), ",".join(cluster.servers))
    return sorted(listed, key=lambda problem: problem.severity)


def _ledger_seconds(timing: Timing | None) -> dict[str, int]:
    timing = timing or Timing()
    return {
        MES_EVENTS: timing.mes_retention_seconds,
        MACHINE_EVENTS: timing.machine_retention_seconds,
    }


def _grown(found: Mapping[str, Found], partitions: int) -> list[Problem]:
    return [
        Problem(
            "error",
            f"topic {topic} has {found[topic].partitions} partitions, and {partitions} were asked "
            "for: leave --partitions out to go on with those; the partition count of a running "
            f"system can't be changed in place: {WAY_OUT} says how to get there",
        )
        for topic in INPUTS
        if topic in found and found[topic].partitions != partitions
    ]


def _plan(
    group: str,
    found: Mapping[str, Found],
    asked: int | None,
    replicas: int,
    timing: Timing | None,
) -> list[NewTopic]:
    """Return the missing topics, with partition counts that fit the existing ones."""
    partitioned = [*INPUTS, *(changelog(group, topic) for topic in INPUTS)]
    there = [found[name].partitions for name in partitioned if name in found]
    count = asked or next(iter(there), PARTITIONS)
    ledgers = _ledger_seconds(timing)
    return [
        NewTopic(
            topic.name,
            1 if topic.single else count,
            replicas,
            topic_configs=settings_of(topic, replicas, ledgers.get(topic.name, 0)),
        )
        for topic in missing(group, found)
    ]


def _as_found(new: list[NewTopic]) -> dict[str, Found]:
    return {
        topic.name: Found(
            partitions=topic.num_partitions,
            replication=topic.replication_factor,
            config=topic.topic_configs,
        )
        for topic in new
    }


async def make_topics(admin: AIOKafkaAdminClient, new: list[NewTopic]) -> dict[str, Problem]:
    """Make topics, and wait until they are there; return those that the broker refuses.

    A topic that exists already doesn't count as refused.
    """
    answer = await admin.create_topics(new) if new else None
    refused = {
        name: Problem("error", f"topic {name} can't be made: {_reason(code, message)}")
        for name, code, message in (answer.topic_errors if answer else ())
        if code and for_code(code) is not TopicAlreadyExistsError
    }
    await _settled(admin, {topic.name for topic in new} - set(refused))
    return refused


def _reason(code: int, message: str | None) -> str:
    return message.rstrip(".") if message else for_code(code).__name__


async def _settled(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """Wait until each partition of new topics has a leader."""
    try:
        async with asyncio.timeout(SETTLE_SECONDS_MAX):
            while names:
                for topic in await _topics(admin):
                    leaders = [each["leader"] for each in topic["partitions"]]
                    if leaders and min(leaders) >= 0:
                        names.discard(topic["topic"])
                if names:
                    await asyncio.sleep(SETTLE_PAUSE_SECONDS)
    except TimeoutError:
        raise BrokerError(
            f"topic {min(names)} was made, but has no leader after {SETTLE_SECONDS_MAX:.0f} s: "
            "look at the brokers"
        ) from None


def _absence(cluster: Cluster, group: str, absent: list[str]) -> Problem:
    what = f"topic {absent[0]} is" if len(absent) == 1 else f"topics {', '.join(absent)} are"
    url = f"kafka://{','.join(cluster.servers)}"
    command = f"`lineside topics create --broker {url} --group {group}`"
    seen = (
        ""
        if cluster.security.protocol == "plaintext"
        else " (or this user may not see it: `lineside topics acls` says what each may do)"
    )
    return Problem("error", f"{what} missing: make what is missing with {command}{seen}")
