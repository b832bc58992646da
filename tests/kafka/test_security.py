"""Jobs on a broker with TLS, logins, certificates and rights: each can do its work, and no other."""

import asyncio
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import uvloop
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    for_code,
)

from agents.settings.cluster import cluster_of
from agents.settings.settings import read_settings
from broker import run_apart
from certificates import Authority
from clusters import create_topic, fresh_topics
from contents import all_bounds
from departed import sorted_exceptions
from kafka_workers import LINESIDE, KafkaJob, kafka_job, one_sentence
from secure_broker import SecureBroker
from streams.contract.rights import Right, rights_of
from streams.contract.topics import (
    AUDIT,
    CLOCK,
    ERP_MASTER,
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    INPUTS,
    MES_EVENTS,
    OUTPUTS,
    REFERENCE,
    changelog,
    topics_of,
)  # fmt: skip
from streams.kafka.cluster import BrokerError, Cluster

SECONDS_MAX: Final = 60
EVENTS: Final = 3_000
GROUP: Final = "lineside"
OTHERS: Final = "payroll"
"""A topic of somebody else's."""

ROLES: Final = ("worker", "mes", "machines", "analyst", "desk", "auditor", "operator")
LACKING: Final = ("group", "input", "changelog", "history", "id", "output", "settings")
"""Workers that lack one of their rights."""


@pytest.fixture(scope="module")
def secured() -> Iterator[SecureBroker]:
    """A broker on which each role has a user of its name; its topics are there, each with a record."""
    users = {user: f"{user}-{uuid.uuid4().hex}" for user in (*ROLES, "factory", *LACKING)}
    with SecureBroker(users) as broker:
        fresh_topics(broker, 2, GROUP)
        create_topic(broker, OTHERS)
        for role in ROLES:
            broker.allow(role, role, GROUP)
        for role in ("mes", "machines"):
            broker.allow("factory", role, GROUP)
        yield broker


def settings(given: dict[str, Any]) -> dict[str, str]:
    """Return settings as the environment has them."""
    return {f"LINESIDE_{name.upper()}": str(value) for name, value in given.items()}


def as_user(given: dict[str, Any]) -> Cluster:
    return cluster_of(read_settings(settings(given)))


def lineside(given: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command with these settings."""
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    return subprocess.run(
        [LINESIDE, *words],
        env=own | settings(given),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )


# The whole job.


@pytest.mark.parametrize(
    ("guarantee", "way"), [("at_least_once", "login"), ("exactly_once", "certified")]
)
def test_the_whole_job_is_done_with_the_rights_of_its_roles(
    secured: SecureBroker, tmp_path: Path, guarantee: str, way: str
) -> None:
    group = f"job-{guarantee}"
    job = KafkaJob(secured, group, tmp_path, 2)
    secured.allow("worker", "worker", group)
    secured.allow("auditor", "auditor", group)
    secured.allow("operator", "operator", group)
    given = getattr(secured, way)

    checked = lineside(given("operator"), "topics", "check", "--group", group)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    log = tmp_path / "log.ndjson"
    made = lineside({}, "simulate", "--events", str(EVENTS), "--out", str(log))
    assert made.returncode == 0
    sent = lineside(given("factory"), "simulate", "--log", str(log))
    assert sent.returncode == 0, sent.stderr
    try:
        job.drain(guarantee=guarantee, **given("worker"))
        ticking = job.worker("ticking", guarantee=guarantee, tick_seconds=0.2, **given("worker"))
        ticking.wait_for("it ticks", lambda status: status["counts"]["tick"] >= 10)
        assert ticking.end() == 0, ticking.said
        job.drain("rest", guarantee=guarantee, **given("worker"))  # its last tick may wait still
        assert sorted_exceptions(job.left()) == job.expected()
        auditor = given("auditor") | {"guarantee": guarantee}
        audited = lineside(auditor, "audit", "--group", group)
        assert audited.returncode == 0, audited.stdout + audited.stderr
    finally:
        job.close()


def test_an_operator_makes_the_topics_of_a_job(secured: SecureBroker) -> None:
    secured.allow("operator", "operator", "second")
    made = lineside(secured.login("operator"), "topics", "create", "--group", "second")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "created  second-mes.events.v1-changelog: 2 partitions" in made.stdout


# Nothing else.


async def _may(cluster: Cluster, topic: str) -> set[str]:
    """Return what a user may do with partition 0 of a topic, by doing it."""
    found = set()
    producer = cluster.producer()
    try:
        await producer.start()
        await producer.send_and_wait(topic, b"{}", key=b"k", partition=0)
        found.add("write")
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
        pass  # the latter: who may write to no topic at all gets no producer's id
    finally:
        await producer.stop()
    async with cluster.admin() as admin:
        if topic not in await admin.list_topics():  # who may read a topic sees it
            return found
    tp = TopicPartition(topic, 0)
    async with cluster.reader() as reader:
        reader.assign([tp])
        begin, end = (await all_bounds(cluster, [tp]))[tp]
        assert begin < end, f"{topic} is empty"
        reader.seek(tp, begin)
        try:
            if await reader.getmany(tp, timeout_ms=SECONDS_MAX * 1000):
                found.add("read")
        except TopicAuthorizationFailedError:
            pass
    return found


async def _rights(cluster: Cluster, topics: list[str]) -> dict[str, set[str]]:
    return {topic: found for topic in topics if (found := await _may(cluster, topic))}


@pytest.fixture
def filled(secured: SecureBroker) -> list[str]:
    """All topics, each with a record in partition 0."""
    names = [*(topic.name for topic in topics_of(GROUP)), OTHERS]

    async def fill() -> None:
        producer = Cluster((secured.server,)).producer()
        await producer.start()
        try:
            for name in names:
                await producer.send_and_wait(name, b"{}", key=b"k", partition=0)
        finally:
            await producer.stop()

    run_apart(fill())
    return names


@pytest.mark.parametrize("way", ["login", "certified"])
@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (
            "worker",
            {topic: {"read", "write"} for topic in INPUTS}
            | {topic: {"write"} for topic in OUTPUTS}
            | {changelog(GROUP, topic): {"read", "write"} for topic in INPUTS}
            | {topic: {"read", "write"} for topic in (CLOCK, REFERENCE, EXCEPTIONS)}
            | {ERP_MASTER: {"read"}},
        ),
        ("mes", {MES_EVENTS: {"write"}}),
        ("analyst", {name: {"read"} for name in OUTPUTS if name.startswith("summary.")}),
        (
            "desk",
            {topic: {"read", "write"} for topic in (*INPUTS, ERP_MASTER, AUDIT)}
            | {topic: {"read"} for topic in (*OUTPUTS, REFERENCE)},
        ),
    ],
)
def test_a_user_may_do_what_its_role_needs_and_nothing_else(
    secured: SecureBroker, filled: list[str], user: str, way: str, expected: dict[str, set[str]]
) -> None:
    cluster = as_user(getattr(secured, way)(user))
    assert run_apart(_rights(cluster, filled)) == expected


@pytest.mark.parametrize("user", ["worker", "mes", "analyst"])
def test_nobody_makes_or_deletes_topics(secured: SecureBroker, user: str) -> None:
    async def tried() -> list[int]:
        async with as_user(secured.login(user)).admin() as admin:
            made = await admin.create_topics([NewTopic("mine", 1, 1)])
            gone = await admin.delete_topics([MES_EVENTS])
        return [made.topic_errors[0][1], gone.topic_error_codes[0][1]]

    refusals = {for_code(code).__name__ for code in run_apart(tried())}
    assert refusals <= {"TopicAuthorizationFailedError", "ClusterAuthorizationFailedError"}


def test_an_analyst_reads_in_its_own_groups_only(secured: SecureBroker, filled: list[str]) -> None:
    topic = next(name for name in filled if name.startswith("summary."))

    async def joined(group: str) -> int:
        consumer = as_user(secured.login("analyst")).consumer(
            group_id=group, auto_offset_reset="earliest"
        )
        consumer.subscribe([topic])
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await consumer.start()
                return len(await consumer.getmany(timeout_ms=SECONDS_MAX * 1000))
        finally:
            await consumer.stop()

    assert run_apart(joined("analyst-daily")) == 1
    with pytest.raises(GroupAuthorizationFailedError):
        run_apart(joined(GROUP))


def test_an_mes_cant_shut_out_a_worker(secured: SecureBroker) -> None:
    async def fence() -> None:
        producer = as_user(secured.login("mes")).producer(f"{GROUP}-{MES_EVENTS}-0")
        try:
            await producer.start()
        finally:
            await producer.stop()

    with pytest.raises(TransactionalIdAuthorizationFailed):
        run_apart(fence())


# As fast as without.


def test_a_client_with_tls_is_let_go_of_at_once(secured: SecureBroker) -> None:
    # uvloop would wait half a minute for the broker to say goodbye.
    async def seconds() -> float:
        began = time.monotonic()
        async with as_user(secured.login("worker")).reader() as reader:
            await reader.end_offsets([TopicPartition(MES_EVENTS, 0)])
        return time.monotonic() - began

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(seconds()) < 5


# Refusals: one sentence each.


def test_a_password_is_read_anew_at_each_login(secured: SecureBroker, tmp_path: Path) -> None:
    file = tmp_path / "password"
    right = Path(secured.login("mes")["broker_password"].removeprefix("file:")).read_text()
    file.write_text(right)
    cluster = as_user(secured.login("mes") | {"broker_password": f"file:{file}"})

    async def topics() -> list[str]:
        async with cluster.admin() as admin:
            return await admin.list_topics()

    assert run_apart(topics()) == [MES_EVENTS]
    file.write_text("the-old-one")
    with pytest.raises(BrokerError, match="refuses user 'mes'"):
        run_apart(topics())
    file.unlink()
    with pytest.raises(BrokerError, match=r"broker_password: file:.* can't be read"):
        run_apart(topics())
    file.write_text(right)
    assert run_apart(topics()) == [MES_EVENTS]


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Return the sentence that a command ended with."""
    said = done.stdout + done.stderr
    assert done.returncode in {1, 2, 3}, said
    *before, sentence = said.splitlines()
    assert len(before) <= 1, said  # the label of a progress bar, or a line of the log
    assert sentence.startswith("Error: ")
    return sentence


COMMANDS: Final = [
    ["topics", "check"],
    ["topics", "create"],
    ["topics", "copy", MES_EVENTS, "copy"],
    ["audit"],
    ["worker"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_wrong_password_is_one_sentence(
    secured: SecureBroker, tmp_path: Path, words: list[str]
) -> None:
    given = secured.login("worker", "hunter2-hunter2") | {"data_dir": tmp_path, "port": 0}
    sentence = refused(lineside(given, *words))
    assert "refuses user 'worker': broker_user or broker_password is wrong" in sentence
    assert "hunter2" not in sentence.replace("hunter2-hunter2.password", "")


def test_a_simulator_with_a_wrong_password_is_one_sentence(secured: SecureBroker) -> None:
    done = lineside(secured.login("mes", "hunter2-hunter2"), "simulate", "--seconds", "1")
    assert done.returncode == 1
    first, sentence = done.stderr.splitlines()
    assert first.startswith("lineside simulate: ")
    assert "refuses user 'mes'" in sentence


def test_certificates_that_dont_fit_are_one_sentence_each(
    secured: SecureBroker, tmp_path: Path
) -> None:
    known = secured.certified("worker")
    other = Authority(tmp_path, "other")
    stranger = other.issue("worker")
    cases: dict[str, dict[str, Any]] = {
        "isn't signed by an authority that is trusted here": {"broker_ca": other.ca},
        "is for another name": {"broker": known["broker"].replace("localhost", "127.0.0.1")},
        "has expired": {"broker": secured.expired_url},
        "refuses this client's TLS": {
            "broker_certificate": stranger.certificate,
            "broker_key": stranger.key,
        },
        "aren't a certificate and its key": {"broker_key": stranger.key},
        "has no certificate in PEM": {"broker_ca": known["broker_key"]},
        "can't be read: No such file": {"broker_ca": tmp_path / "nothing.pem"},
        "hung up before it had answered": {"broker": secured.url},
    }
    for words, change in cases.items():
        assert words in refused(lineside(known | change, "topics", "check")), words


def test_plaintext_where_tls_is_spoken_is_one_sentence(secured: SecureBroker) -> None:
    given = {"broker": secured.login_url}
    sentence = refused(lineside(given, "topics", "check"))
    assert "doesn't it speak PLAINTEXT there (broker_security)?" in sentence


def without(role_rights: tuple[Right, ...], kind: str, name: str, operation: str) -> list[Right]:
    """Return rights less one operation on what has a name that ends so."""
    return [
        Right(
            resource=right.resource,
            operations=tuple(
                each
                for each in right.operations
                if each != operation
                or right.resource.type != kind
                or not right.resource.name.endswith(name)
            ),
        )
        for right in role_rights
    ]


@pytest.mark.parametrize(
    ("user", "kind", "name", "operation", "words"),
    [
        ("group", "group", "", "Read", "may not join the group lacking-group"),
        ("input", "topic", MES_EVENTS, "Read", "may not read mes.events.v1"),
        ("changelog", "topic", "changelog", "Write", "the broker refuses a record"),
        ("history", "topic", "changelog", "Read", "-changelog/"),
        ("id", "transactionalId", "", "Write", "TransactionalIdAuthorizationFailed"),
        ("output", "topic", ERP_TRANSACTIONS, "Write", "or this user may not see it"),
        ("settings", "topic", "changelog", "DescribeConfigs", "may this user do DescribeConfigs"),
    ],
)
def test_a_worker_that_lacks_a_right_says_so_and_ends(
    secured: SecureBroker,
    tmp_path: Path,
    user: str,
    kind: str,
    name: str,
    operation: str,
    words: str,
) -> None:
    group = f"lacking-{user}"
    with kafka_job(secured, group, tmp_path, 2) as job:  # type: ignore[arg-type]
        secured.grant(user, without(rights_of("worker", group), kind, name, operation))
        event = (
            b'{"specversion":"1.0","type":"goods.received.v1","source":"/DE01/mes","id":"1",'
            b'"time":"2026-11-21T06:00:00Z","plant":"DE01","line":"L3","data":{"order":"1",'
            b'"item":"M","quantity":"5","uom":"pcs"}}'
        )
        job.write([event])
        worker = job.worker(**secured.login(user))
        assert worker.wait(SECONDS_MAX) == 1, worker.said
        assert words in one_sentence(worker)
