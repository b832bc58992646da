"""What a worker on Kafka answers to an orchestrator, and to Prometheus: its lag is the cluster's."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from broker import KafkaBroker
from kafka_workers import KafkaJob, http_status, kafka_job, wait_until
from runs import confirmed
from streams.contract.topics import MES_EVENTS
from test_kafka_worker import open_transaction

SECONDS_MAX = 3
"""Without progress."""

DEAF = """
import asyncio, sys
from agents.worker import kafka_ends
from agents.settings import settings
from agents.worker.run import run_worker
from streams.kafka import transport as kafka

kafka_ends.ASK_PAUSE_SECONDS, kafka_ends.ANSWERS_SECONDS = 0.3, 2.0

async def nothing(consumer, hungry, patience):
    await asyncio.sleep(0.05)
    return {}

async def main(worker):
    while not worker.job.ready:
        await asyncio.sleep(0.05)
    if sys.argv[4] == "deaf":
        kafka.Consumer._poll = nothing
        await asyncio.sleep(3)  # it may be waiting for records already
    print(worker.url, flush=True)
    await worker.stopping.wait()

run_worker(settings.Settings(
    broker=sys.argv[1], group=sys.argv[2], data_dir=sys.argv[3], port=0, tick_seconds=0,
    no_progress_seconds_max=3,
), "deaf", main)
"""
"""A worker whose consumer may ask on and on, and never gets anything, though there is something."""

Start = Callable[[KafkaJob, str], str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts such a worker, and returns its URL; ends it with the test."""
    running: list[subprocess.Popen[str]] = []

    def started(job: KafkaJob, how: str) -> str:
        own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", DEAF, job.broker.url, job.group, tmp_path / "deaf", how],
                env=own,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        output = running[-1].stdout
        assert output is not None
        return output.readline().strip()

    yield started
    for process in running:
        process.terminate()
        process.communicate(timeout=30)


def sums(url: str) -> dict[str, float]:
    """Return the sum of each of a worker's metrics."""
    found: dict[str, float] = {}
    with urllib.request.urlopen(f"{url}metrics", timeout=10) as answer:
        text = answer.read().decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def test_a_consumer_that_died_silently_fails_livez_and_its_lag_is_reported(
    job: KafkaJob, start: Start
) -> None:
    url = start(job, "deaf")
    assert http_status(f"{url}livez") == 200
    job.write([confirmed(number) for number in range(20)])
    wait_until("it fails", lambda: http_status(f"{url}livez") == 503)
    assert http_status(f"{url}healthz") == http_status(f"{url}readyz") == 200
    assert sums(url)["lineside_consumer_lag_records"] == 20


def test_a_worker_whose_broker_is_away_says_so_and_is_not_restarted(
    own_broker: KafkaBroker, start: Start, tmp_path: Path
) -> None:
    with kafka_job(own_broker, "probes", tmp_path / "job", 2) as job:
        url = start(job, "well")
        job.write([confirmed(1)])
        wait_until("it's processed", lambda: sums(url)["lineside_lasting_offset"] == 1)
        wait_until("it answers", lambda: sums(url)["lineside_broker_answers"] == 1)
        own_broker.freeze()
        deadline = time.monotonic() + 3 * SECONDS_MAX
        while time.monotonic() < deadline:
            assert http_status(f"{url}livez") == 200
            time.sleep(0.2)
        assert sums(url)["lineside_broker_answers"] == 0
        own_broker.thaw()
        wait_until("it answers again", lambda: sums(url)["lineside_broker_answers"] == 1)


async def test_records_in_an_open_transaction_are_no_reason_to_restart(
    job: KafkaJob, start: Start
) -> None:
    url = start(job, "well")
    async with open_transaction(job.cluster, TopicPartition(MES_EVENTS, 0)):
        wait_until("it lags", lambda: sums(url)["lineside_consumer_lag_records"] == 1)
        deadline = time.monotonic() + 2 * SECONDS_MAX
        while time.monotonic() < deadline:
            assert http_status(f"{url}livez") == 200
            await asyncio.sleep(0.2)


def test_a_standbys_lag_is_reported_and_goes(job: KafkaJob) -> None:
    job.write([confirmed(number) for number in range(50)])
    workers = [job.worker(f"worker-{number}", standbys=1) for number in range(2)]
    for worker in workers:
        wait_until("it's ready", lambda worker=worker: worker.ready() == 200)  # type: ignore[misc]
    job.wait_until_processed()

    def copied() -> bool:
        lags = [sums(worker.url).get("lineside_standby_lag_records") for worker in workers]
        return lags == [0, 0]

    wait_until("both have copies of what the other has", copied)
