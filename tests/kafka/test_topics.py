"""`lineside topics` on a real cluster: what it makes, what it refuses, what it leaves alone."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from agents.provision.topics import create, partitions_of, problems
from broker import KafkaBroker
from clusters import Broker, create_topic, delete_topics
from streams.contract.topics import (
    AUDIT,
    CATALOGUE,
    CLOCK,
    ERP_TRANSACTIONS,
    INPUT_BATCH_BYTES,
    INPUTS,
    MACHINE_EVENTS,
    MES_EVENTS,
    SINGLE,
    changelog,
    settings_of,
    topics_of,
)
from streams.kafka.cluster import Cluster, read_broker
from tables.line.rules import Timing

LINESIDE = str(Path(sys.executable).with_name("lineside"))
SECONDS_MAX = 60

GROUP = "test-topics"
MES_LOG = changelog(GROUP, MES_EVENTS)
NAMES = [topic.name for topic in topics_of(GROUP)]
DAY_MS = 86_400_000


@pytest.fixture
def bare(broker: Broker) -> Iterator[Broker]:
    """A cluster without any of lineside's topics."""
    delete_topics(broker, NAMES)
    yield broker
    delete_topics(broker, NAMES)


@pytest.fixture
def cluster(bare: Broker) -> Cluster:
    return read_broker(bare.url)


def topics(command: str, *options: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `lineside topics` with these options and LINESIDE_* variables."""
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    return subprocess.run(
        [LINESIDE, "topics", command, *map(str, options)],
        env=own | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )


def on(broker: Broker) -> tuple[str, ...]:
    return ("--broker", broker.url, "--group", GROUP)


async def settings(cluster: Cluster, name: str) -> dict[str, str]:
    """Return the settings that were given to a topic, the cluster's own left out."""
    own_source = 1
    async with cluster.admin() as admin:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    ((_, _, _, _, entries),) = answer.resources
    return {entry[0]: entry[1] for entry in entries if entry[3] == own_source}


async def change(cluster: Cluster, name: str, config: dict[str, str]) -> None:
    """Give a topic these settings and no others, and wait until it has them."""
    async with cluster.admin() as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
    async with asyncio.timeout(SECONDS_MAX):
        while await settings(cluster, name) != config:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.02)


async def test_everything_is_made_and_fits(bare: Broker, cluster: Cluster) -> None:
    done = topics("create", *on(bare), "--partitions", 3)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[1].rstrip(":") for line in lines[:-1]] == NAMES
    assert f"created  {MES_EVENTS}: 3 partitions, 1 replica" in lines
    counts = await partitions_of(cluster)
    assert {name: counts[name] for name in NAMES} == {
        name: 1 if name in SINGLE else 3 for name in NAMES
    }
    for topic in topics_of(GROUP):
        ledger = {MES_EVENTS: 7, MACHINE_EVENTS: 4}.get(topic.name, 0) * 86_400
        assert await settings(cluster, topic.name) == settings_of(topic, 1, ledger)
    assert await problems(cluster, GROUP) == []
    checked = topics("check", LINESIDE_BROKER=bare.url, LINESIDE_GROUP=GROUP)
    assert (checked.returncode, checked.stderr) == (0, "")


async def test_making_them_again_changes_nothing(bare: Broker, cluster: Cluster) -> None:
    await create(cluster, GROUP, 3)
    own = {"retention.ms": str(90 * DAY_MS), "max.message.bytes": "2000000"}
    await change(cluster, ERP_TRANSACTIONS, own)
    before = [await settings(cluster, name) for name in NAMES]
    done = topics("create", *on(bare))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "created" not in done.stdout
    assert [await settings(cluster, name) for name in NAMES] == before


async def test_what_is_missing_is_made_to_suit_what_is_there(
    bare: Broker, cluster: Cluster
) -> None:
    create_topic(bare, MACHINE_EVENTS, 5, {"max.message.bytes": str(INPUT_BATCH_BYTES)})
    outcome = await create(cluster, GROUP)
    assert [problem.severity for problem in outcome.problems] == []
    assert outcome.there == [MACHINE_EVENTS]
    counts = await partitions_of(cluster)
    partitioned = [*INPUTS, *(changelog(GROUP, topic) for topic in INPUTS)]
    assert {counts[name] for name in partitioned} == {5}


async def test_what_is_missing_is_named_with_the_command_that_makes_it(
    bare: Broker, cluster: Cluster
) -> None:
    await create(cluster, GROUP, 2)
    delete_topics(bare, [MES_LOG, CLOCK])
    done = topics("check", *on(bare))
    assert done.returncode == 1
    assert f"topics {MES_LOG}, {CLOCK} are missing" in done.stdout
    command = done.stdout.split("`")[1].split()
    assert command[:2] == ["lineside", "topics"]
    assert topics(*command[2:]).returncode == 0
    assert await problems(cluster, GROUP) == []


async def test_what_only_the_desk_needs_stops_no_worker(bare: Broker, cluster: Cluster) -> None:
    await create(cluster, GROUP, 2)
    delete_topics(bare, [AUDIT])
    (problem,) = await problems(cluster, GROUP)
    assert problem.severity == "warning"
    assert problem.text.startswith(f"topic {AUDIT} is missing: make what is missing with `lineside")
    assert problem.text.endswith("; only the desk needs it")
    assert topics("check", *on(bare)).returncode == 0
    assert await problems(cluster, GROUP, of_desk=False) == []


async def test_a_misfit_is_refused_and_nothing_is_made(bare: Broker, cluster: Cluster) -> None:
    create_topic(bare, MES_LOG, partitions=8)
    done = topics("create", *on(bare))
    assert done.returncode == 1
    assert f"error: topic {MES_LOG} has cleanup.policy 'delete': " in done.stdout
    assert "nothing was made" in done.stdout.splitlines()
    assert set(await partitions_of(cluster)).isdisjoint(set(NAMES) - {MES_LOG})


async def test_partitions_added_to_a_running_system_are_refused(
    bare: Broker, cluster: Cluster
) -> None:
    await create(cluster, GROUP, 2)
    asked = topics("create", *on(bare), "--partitions", 4)
    assert asked.returncode == 1
    assert f"topic {MES_EVENTS} has 2 partitions, and 4 were asked for" in asked.stdout
    delete_topics(bare, [MES_EVENTS])
    create_topic(bare, MES_EVENTS, partitions=4)
    for command in ("check", "create"):
        done = topics(command, *on(bare))
        assert done.returncode == 1
        assert f"topic {MES_EVENTS} has 4 partitions, and its changelog {MES_LOG} has 2" in (
            done.stdout
        )
        assert "docs/topics.md" in done.stdout


async def test_a_changelog_of_another_count_is_refused_before_its_input_is_made(
    bare: Broker, cluster: Cluster
) -> None:
    await create(cluster, GROUP, 2)
    delete_topics(bare, INPUTS)
    done = topics("create", *on(bare), "--partitions", 4)
    assert done.returncode == 1
    assert f"changelog {MES_LOG} has 2" in done.stdout
    assert MES_EVENTS not in await partitions_of(cluster)


async def test_what_the_broker_refuses_is_reported_in_its_words(
    bare: Broker, cluster: Cluster
) -> None:
    done = topics("create", *on(bare), "--partitions", 1, "--replication", 90)
    assert done.returncode == 1
    assert f"error: topic {MES_EVENTS} can't be made: " in done.stdout
    assert "replication factor of 90" in done.stdout
    assert "Traceback" not in done.stderr


async def test_a_longer_ledger_keeps_inputs_for_longer(bare: Broker, cluster: Cluster) -> None:
    month = Timing(mes_retention_seconds=30 * 86_400)
    await create(cluster, GROUP, 1)
    (problem,) = await problems(cluster, GROUP, month)
    assert problem.severity == "warning"
    assert f"topic {MES_EVENTS} has retention.ms {14 * DAY_MS} (14 days)" in problem.text
    done = topics("check", *on(bare), LINESIDE_MES_RETENTION_SECONDS=str(30 * 86_400))
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"warning: {problem.text}")
    delete_topics(bare, NAMES)
    await create(cluster, GROUP, 1, timing=month)
    assert await problems(cluster, GROUP, month) == []


async def test_looking_creates_no_topic(own_broker: KafkaBroker) -> None:
    # `own_broker` says that one can run here; this one makes a topic that is asked for by name.
    with KafkaBroker({"auto.create.topics.enable": "true"}) as generous:
        cluster = read_broker(generous.url)
        (problem,) = await problems(cluster, GROUP)
        assert all(name in problem.text for name in NAMES)
        assert set(await partitions_of(cluster)).isdisjoint(NAMES)


async def test_two_who_create_at_once_dont_mind_each_other(bare: Broker, cluster: Cluster) -> None:
    outcomes = await asyncio.gather(*(create(cluster, GROUP, 2) for _ in range(3)))
    assert all(outcome.problems == [] for outcome in outcomes)
    assert await problems(cluster, GROUP) == []


def test_a_cluster_that_isnt_there_is_one_sentence() -> None:
    done = topics("check", "--broker", "kafka://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: no Kafka broker answers at 127.0.0.1:1")
    assert len(done.stderr.splitlines()) == 1


def test_no_broker_is_one_sentence() -> None:
    done = topics("create")
    assert done.returncode == 2
    assert "--broker kafka://host:9092" in done.stderr


def test_the_catalogues_topics_are_all_among_those_made() -> None:
    assert {topic.name for topic in CATALOGUE} < set(NAMES)
