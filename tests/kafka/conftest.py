"""The broker of the Kafka tests, and what is said where there can't be one."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker import KafkaBroker
from clusters import Broker, claim, delete_topics
from jars import missing_programs
from kafka_cluster import KafkaCluster
from kafka_workers import LINESIDE, KafkaJob, WorkerProcess, kafka_job
from not_run import Key, Lacked, count, pass_on, skip_for_want_of, tell
from sdks import java_sdk_lacks, javascript_sdk_lacks
from starter import Starter

KCAT_SECONDS_MAX = 30

Kcat = Callable[..., bytes]

OTHERWISE = (
    "; or set LINESIDE_TEST_BROKER=kafka://127.0.0.1:port, for those that let the broker run on"
)

OWN = {"own_broker", "own_cluster", "secured"}
"""Fixtures that start a broker, whatever LINESIDE_TEST_BROKER says."""

NOT_RUN = Key()

KafkaBroker.short_lived = True


@pytest.fixture(scope="session")
def broker_of_session() -> Iterator[KafkaBroker]:
    """The one broker that a session starts."""
    with KafkaBroker() as broker:
        yield broker


@pytest.fixture(scope="session", autouse=True)
def starter() -> Iterator[None]:
    """Workers are started with their modules loaded, but for those with an environment of their own."""
    WorkerProcess.starter = Starter()
    yield
    WorkerProcess.starter.close()
    WorkerProcess.starter = None


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Broker:
    """A cluster that tests share: LINESIDE_TEST_BROKER, or a broker of this session."""
    if given := os.environ.get("LINESIDE_TEST_BROKER"):
        cluster = Broker(given)
        claim(cluster)
        return cluster
    return Broker(request.getfixturevalue("broker_of_session").url)


@pytest.fixture
def own_broker(broker_of_session: KafkaBroker) -> Iterator[KafkaBroker]:
    """A broker that a test may kill, freeze and restart: it is brought back afterwards."""
    broker_of_session.revive()
    yield broker_of_session
    broker_of_session.revive()


@pytest.fixture(scope="session")
def cluster_of_session() -> Iterator[KafkaCluster]:
    """The three brokers that a session starts, if a test wants them."""
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture
def own_cluster(cluster_of_session: KafkaCluster) -> Iterator[KafkaCluster]:
    """Three brokers of which a test may kill and freeze some: they are brought back afterwards."""
    cluster_of_session.revive()
    yield cluster_of_session
    cluster_of_session.revive()


@pytest.fixture
def new_name(broker: Broker) -> Iterator[Callable[[], str]]:
    """Gives names that nobody has, for topics and groups; topics of such names are deleted."""
    names: list[str] = []

    def name() -> str:
        names.append(f"test-{uuid.uuid4().hex[:12]}")
        return names[-1]

    yield name
    delete_topics(broker, names)


@pytest.fixture
def partitions() -> int:
    """Of each topic of a job; a module with a fixture of that name has another number."""
    return 4


@pytest.fixture
def job(
    broker: Broker, new_name: Callable[[], str], tmp_path: Path, partitions: int
) -> Iterator[KafkaJob]:
    """A job with empty topics and no worker yet; its workers end with the test."""
    with kafka_job(broker, new_name(), tmp_path, partitions) as job:
        yield job


@pytest.fixture(scope="module")
def events() -> int:
    """In a log of a factory; a module with a fixture of that name has another number."""
    return 15_000


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, events: int) -> Path:
    """The log of a factory, with its mess."""
    log = tmp_path_factory.mktemp("factory") / "log.ndjson"
    size = ["--events", str(events), "--plants", "2", "--lines", "4"]
    subprocess.run([LINESIDE, "simulate", *size, "--out", log], check=True, capture_output=True)
    return log


@pytest.fixture(scope="module")
def lines(log: Path) -> list[bytes]:
    """The lines of that log."""
    return log.read_bytes().splitlines()


@pytest.fixture
def kcat(broker: Broker) -> Kcat:
    """Runs kcat on the tests' cluster: arguments and standard input to standard output."""

    def run(*arguments: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["kcat", "-b", broker.server, *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            timeout=KCAT_SECONDS_MAX,
            check=True,
        ).stdout

    return run


@pytest.fixture
def java_sdk() -> None:
    """Says that a test needs Java's SDK of CloudEvents."""


@pytest.fixture
def javascript_sdk() -> None:
    """Says that a test needs JavaScript's SDK of CloudEvents."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"broker", *OWN} & _fixtures(item):
            item.add_marker(pytest.mark.kafka)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    skip_for_want_of(_lacking(_fixtures(item)), item, NOT_RUN)


def pytest_sessionfinish(session: pytest.Session) -> None:
    pass_on(session.config, NOT_RUN, _sentence)


def pytest_unconfigure(config: pytest.Config) -> None:
    tell(config, NOT_RUN, _sentence)


def _sentence(lacked: Lacked) -> str:
    lacking = dict.fromkeys(program for each in lacked for program in each)
    otherwise = (
        OTHERWISE
        if set(lacking) & set(missing_programs()) and "LINESIDE_TEST_BROKER" not in os.environ
        else ""
    )
    return f"{count(lacked, 'Kafka test')}. Install {', '.join(lacking)}{otherwise}."


def _fixtures(item: pytest.Item) -> frozenset[str]:
    return frozenset(getattr(item, "fixturenames", ()))


def _lacking(fixtures: frozenset[str]) -> list[str]:
    """Return what has to be installed before a test with these fixtures runs here."""
    given = os.environ.get("LINESIDE_TEST_BROKER")
    lacking = []
    if OWN & fixtures or ("broker" in fixtures and not given):
        lacking = missing_programs()
    if "kcat" in fixtures and shutil.which("kcat") is None:
        lacking.append("kcat")
    if "java_sdk" in fixtures:
        lacking += [each for each in java_sdk_lacks() if each not in lacking]
    if "javascript_sdk" in fixtures:
        lacking += javascript_sdk_lacks()
    return lacking
