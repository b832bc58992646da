"""A worker that is given a few bytes which unpack to a great many: its memory, and the neighbours."""

import re
from pathlib import Path

import pytest

from bombs import CODECS, NAMES, SNAPPY, bomb, send
from broker import run_apart
from kafka_workers import KafkaJob, WorkerProcess
from streams.contract.topics import ERP_TRANSACTIONS, MES_EVENTS
from streams.log.record import Record, partition_of

LINE = b"DE01/L1"

BOMB_MIB = 200
GROWTH_MB_MAX = 220
"""All that may be held of a partition, what it leads to, and what is sent of that. Unpacked at once, a bomb takes three times its size."""

PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@pytest.fixture
def partitions() -> int:
    return 1


def receipt(number: int) -> bytes:
    return (
        b'{"specversion":"1.0","type":"production.confirmed.v1","source":"/mes","id":"e%d",'
        b'"time":"2026-11-21T06:00:%02dZ","plant":"DE01","line":"L1",'
        b'"data":{"order":"1","operation":"10","item":"M","quantity":"1","uom":"kg"}}'
    ) % (number, number)


def peak_mb(worker: WorkerProcess) -> float:
    found = PEAK.search(Path(f"/proc/{worker.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@pytest.mark.slow
def test_a_bomb_ends_no_worker_and_its_neighbours_are_processed(job: KafkaJob) -> None:
    assert partition_of(LINE, 1) == 0
    worker = job.worker()
    total = put(job, 0)
    worker.wait_for("it's at work", lambda status: status["counts"]["in"] == 1)
    before = peak_mb(worker)
    for number, codec in enumerate(CODECS, 1):
        records = 20 if codec == SNAPPY else BOMB_MIB  # it compresses to a 20th
        run_apart(send(job.cluster, bomb(codec, records, 1 << 20), MES_EVENTS, 0))
        total += records + put(job, number)
        worker.wait_for(
            f"{NAMES[codec]} is processed", lambda status, n=total: status["counts"]["in"] == n
        )
        assert peak_mb(worker) - before < GROWTH_MB_MAX, NAMES[codec]
    counts = worker.status()["counts"]
    assert counts["accepted"] == 1 + len(CODECS)
    assert counts["exception"] == total - counts["accepted"]
    job.wait_until_processed()
    left = [record for found in job.read([ERP_TRANSACTIONS]).values() for record in found]
    assert len(left) == 1 + len(CODECS)


def put(job: KafkaJob, number: int) -> int:
    """Put one event on the topic; return how many those are."""
    from contents import write

    run_apart(write(job.cluster, {(MES_EVENTS, 0): [Record(0, None, LINE, receipt(number))]}))
    return 1
