"""A keeper on a real embedded log, in this process or in one that is killed."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

from sqlalchemy import Engine

from agents.keep_books import Progress, keep_books
from books.filled import Job, in_order, job_over
from logs import random_log
from streams.contract.policy import default_policy
from streams.contract.topics import INPUTS
from streams.embedded.books import LogBooks
from streams.embedded.log import EmbeddedLog
from streams.embedded.transport import Broker
from streams.log.record import TP
from tables.books.opening import open_books
from tables.books.positions import positions
from tables.books.writing import TOPICS

PARTITIONS = 2

WAIT_SECONDS_MAX = 60.0

KILLED_SECONDS_MAX = 0.2
"""Within so long a process that keeps books is killed: some have hardly begun, some have finished."""


def opened(folder: Path) -> Broker:
    """Open a log, or make it."""
    return Broker(EmbeddedLog(folder / "log"), PARTITIONS)


def append(broker: Broker, job: Job, rng: Random | None = None) -> None:
    """Append what the log lacks of a job's topics; with `rng` as frames of random sizes."""
    for at in in_order(job.topics):
        records = job.topics[at][broker.log.partition(*at).end_offset :]
        while records:
            size = len(records) if rng is None else rng.randint(1, 200)
            part, records = records[:size], records[size:]
            broker.append(*at, [(one.timestamp, one.key, one.value, one.headers) for one in part])


def process(broker: Broker, up_to: Mapping[TP, int] | None = None) -> None:
    """Say how far the job has processed inputs: to their ends, or so far."""
    for topic in INPUTS:
        for number in range(broker.partitions):
            log = broker.log.partition(topic, number)
            log.needed_from = log.end_offset if up_to is None else up_to[topic, number]


async def keep(
    broker: Broker, engine: Engine, progress: Progress | None = None, days: int = 36_500
) -> Progress:
    """Let a keeper run until it has everything; return what it told."""
    progress = progress or Progress()
    task = asyncio.ensure_future(
        keep_books(LogBooks(broker), engine, progress, default_policy(), days, 0)()
    )
    try:
        await caught_up(progress, task)
    finally:
        task.cancel()
        await asyncio.wait([task])
    return progress


async def caught_up(progress: Progress, task: "asyncio.Future[None]") -> None:
    """Wait until the books have everything."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while progress.behind != 0:
            await progress.changed(progress.changes, 0.02)
            if task.done():
                task.result()


async def has_all(broker: Broker, engine: Engine, task: "asyncio.Future[None]") -> None:
    """Wait until the books are where the log ends, and where the job is with inputs."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not _has_all(broker, engine):
            await asyncio.sleep(0.05)
            if task.done():
                task.result()


def all_of(broker: Broker) -> list[TP]:
    """Return the partitions of all topics that books are made of."""
    return [(topic, n) for topic in TOPICS for n in range(broker.partitions_of(topic))]


def _has_all(broker: Broker, engine: Engine) -> bool:
    with engine.connect() as connection:
        found = positions(connection)
    logs = {at: broker.log.partition(*at) for at in all_of(broker)}
    return all(
        found.get(at, 0) >= ((log.needed_from or 0) if at[0] in INPUTS else log.end_offset)
        for at, log in logs.items()
    )


def a_job() -> Job:
    """Return the job that processes of tests have in common."""
    return job_over(random_log(77, 500), PARTITIONS)


def main() -> None:
    """Keep the books of a log in a folder, by processes that are killed, and one that may finish.

    Each is forked: to load the modules would take longer than what it's killed in.
    """
    folder, url, kills = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    rng = Random(url)
    for number in range(kills + 1):
        pid = os.fork()
        if pid == 0:
            _keep_all(folder, url)
            os._exit(0)
        if number < kills:
            time.sleep(rng.random() * KILLED_SECONDS_MAX)
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _keep_all(folder: Path, url: str) -> None:
    broker, engine = opened(folder), open_books(url)
    process(broker)
    asyncio.run(keep(broker, engine))
    engine.dispose()
    broker.log.close()
