"""The rig on which contestants run: a broker, the workload on its input topics, and processes."""

import argparse
import asyncio
import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

ROOT: Final = Path(__file__).parent.parent
sys.path[1:1] = [str(ROOT / "tests" / "kafka"), str(ROOT / "tests")]  # the broker of the tests

from measure import Failed, Watched, cost_of  # noqa: E402
from preload import Preloaded, preload  # noqa: E402
from workload import Plan  # noqa: E402

from broker import KafkaBroker  # noqa: E402  # as above
from clusters import Broker, create_topic, delete_topics, fresh_topics  # noqa: E402
from streams.contract.topics import INPUTS, OUTPUTS, changelog  # noqa: E402
from streams.kafka.cluster import Cluster, bounds, read_broker, read_to  # noqa: E402

LINESIDE: Final = str(Path(sys.executable).with_name("lineside"))

BROKER_PROPERTIES: Final = {
    # As Kafka has them: the tests' broker compacts without a pause.
    "log.cleaner.min.cleanable.ratio": "0.5",
    "log.cleaner.backoff.ms": "15000",
    "log.initial.task.delay.ms": "30000",
}


POLL_SECONDS: Final = 0.1
"""A worker commits every 2.8 s: a sample is taken when it has."""

STILL_SECONDS_MAX: Final = 120
"""A job that consumes nothing for so long has failed."""

READY_POLL_SECONDS: Final = 0.05

T = TypeVar("T")


class Rig:
    """A broker, a folder, and all that a benchmark has started: gone when it ends."""

    def __init__(self, broker: KafkaBroker | Broker, partitions: int, folder: Path) -> None:
        self.broker = broker
        self.partitions = partitions
        self.folder = folder
        self.cluster: Cluster = read_broker(broker.url)
        self._watched: list[Watched] = []

    def run(self, command: Iterable[str | Path], **options: Any) -> Watched:
        """Start a process that doesn't outlive the benchmark."""
        watched = Watched(list(command), **options)
        self._watched.append(watched)
        return watched

    def worker(
        self, group: str, folder: Path, guarantee: str, *arguments: str, tick_seconds: float = 0
    ) -> Watched:
        """Start `lineside worker` with its default settings; its clock is off unless it's given.

        A tick on the input topics would be another contestant's bad record.
        """
        settings = {
            "broker": self.broker.url,
            "group": group,
            "guarantee": guarantee,
            "data_dir": folder,
            "port": 0,
            "tick_seconds": tick_seconds,
        }
        with (self.folder / f"{group}.log").open("wb") as log:
            return self.run(
                [LINESIDE, "worker", *arguments],
                env=without_lineside()
                | {f"LINESIDE_{name.upper()}": str(value) for name, value in settings.items()},
                stdout=log,
                stderr=log,
            )

    def said(self, group: str) -> str:
        """Return the last of what a worker has said."""
        return self._log(group)[-2_000:]

    def _log(self, group: str) -> str:
        return (self.folder / f"{group}.log").read_text("utf-8", "replace")

    async def ready(self, worker: Watched, group: str) -> float:
        """Wait until a worker has the states of all its partitions; return the seconds since its
        start.
        """
        async with aiohttp.ClientSession() as session:
            while True:
                if not worker.running:
                    raise Failed(f"the worker has ended:\n{self.said(group)}")
                url = re.search(r"lineside worker: (\S+)", self._log(group))
                if url is not None:
                    with contextlib.suppress(aiohttp.ClientError):
                        async with session.get(f"{url[1]}ready") as answer:
                            if answer.status == HTTPStatus.OK:
                                return time.monotonic() - worker.began
                await asyncio.sleep(READY_POLL_SECONDS)

    def create_topics(self, group: str) -> None:
        """Make what is missing of the topics of a group, with lineside's own settings."""
        done = subprocess.run(
            [
                LINESIDE, "topics", "create", "--broker", self.broker.url, "--group", group,
                "--partitions", str(self.partitions),
            ],
            env=without_lineside(),
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise Failed(f"the topics can't be made: {done.stdout}{done.stderr}")

    def fill(self, plan: Plan) -> Preloaded:
        """Put the workload on the input topics; they have to be empty."""
        self.create_topics("lineside")
        if any(self.ends(INPUTS).values()):
            raise Failed(f"the input topics at {self.broker.url} aren't empty: give another broker")
        return asyncio.run(preload(self.cluster, plan))

    def renew(self, group: str) -> None:
        """Make all topics of a group anew, empty: nobody may be using them."""
        fresh_topics(self.broker, self.partitions, group)

    def create_topic(self, name: str) -> None:
        """Make an output topic of a contestant."""
        create_topic(self.broker, name, self.partitions)

    def topics(self) -> set[str]:
        """Return the names of all topics that there are, but for Kafka's own."""
        return asyncio.run(self._topics())

    async def _topics(self) -> set[str]:
        async with self.cluster.admin() as admin:
            return {name for name in await admin.list_topics() if not name.startswith("__")}

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete those of the topics that there are."""
        delete_topics(self.broker, names)

    def forget(self, group: str, folder: Path) -> None:
        """Delete a group's changelogs, and its state on disk."""
        self.delete_topics([changelog(group, topic) for topic in INPUTS])
        shutil.rmtree(folder, ignore_errors=True)

    def tps(self, topics: Iterable[str]) -> list[TopicPartition]:
        """Return the partitions of topics."""
        return [TopicPartition(name, n) for name in topics for n in range(self.partitions)]

    def ends(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """Return the offset that the next record of each partition gets."""
        return asyncio.run(self._ends(self.tps(topics)))

    async def _ends(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        async with self.cluster.reader(isolation_level="read_uncommitted") as reader:
            return {tp: end for tp, (_, end) in (await bounds(reader, tps)).items()}

    def read(
        self, since: Mapping[TopicPartition, int], take: Callable[[str, list[bytes]], None]
    ) -> None:
        """Give what is committed from these offsets on, as lists of values by topic."""
        asyncio.run(self._read(since, take))

    async def _read(
        self, since: Mapping[TopicPartition, int], take: Callable[[str, list[bytes]], None]
    ) -> None:
        ends = await self._ends(list(since))
        async with self.cluster.reader() as reader:
            reader.assign(list(since))
            for tp, offset in since.items():
                reader.seek(tp, offset)
            async for tp, records in read_to(reader, ends):
                take(tp.topic, [record.value for record in records])

    def output_ends(self) -> dict[TopicPartition, int]:
        """Return where lineside's outputs end now."""
        return self.ends(OUTPUTS)

    def log_bytes(self, topics: Iterable[str]) -> int | None:
        """Return the bytes that topics take on the broker's disk, None where it isn't ours."""
        if not isinstance(self.broker, KafkaBroker):
            return None
        data = self.broker.folder / "data"
        return sum(
            file.stat().st_size
            for name in topics
            for n in range(self.partitions)
            for file in (data / f"{name}-{n}").glob("*.log")
        )

    def broker_cpu(self) -> float | None:
        """Return the CPU seconds that the broker has taken, None where it isn't ours."""
        pid = self.broker.pid if isinstance(self.broker, KafkaBroker) else None
        return cost_of(pid)[0] if pid else None

    async def follow(self, worker: Watched, group: str, total: int) -> None:
        """Sample a worker until it has ended, by what its group has committed."""
        records, since = -1, time.monotonic()
        async with self.cluster.admin() as admin:
            while worker.running:
                processed = await _committed(admin, group)
                if processed != records:
                    worker.look(processed)
                    tell(f"{group}: {processed:,} of {total:,} records")
                    records, since = processed, time.monotonic()
                if time.monotonic() - since > STILL_SECONDS_MAX:
                    raise Failed(f"nothing moves for {STILL_SECONDS_MAX} s:\n{self.said(group)}")
                await asyncio.sleep(POLL_SECONDS)
            processed = await _committed(admin, group)
        if worker.process.returncode or processed != total:
            raise Failed(
                f"the worker ended with code {worker.process.returncode} after {processed:,} of "
                f"{total:,} records:\n{self.said(group)}"
            )
        worker.look_back(processed)

    def close(self) -> None:
        """Kill what runs still."""
        for watched in self._watched:
            if watched.running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(watched.process.pid, signal.SIGKILL)
                watched.wait(10)


@contextlib.contextmanager
def standing(options: argparse.Namespace) -> Iterator[Rig]:
    """Give a rig with its own broker, or with the one of --broker."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lineside-bench-")))
        broker: KafkaBroker | Broker = (
            Broker(options.broker)
            if options.broker
            else stack.enter_context(KafkaBroker(BROKER_PROPERTIES))
        )
        rig = Rig(broker, options.partitions, folder)
        stack.callback(rig.close)
        yield rig


async def _committed(admin: AIOKafkaAdminClient, group: str) -> int:
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:  # a new broker's first group
        return 0
    return sum(max(at.offset, 0) for tp, at in offsets.items() if tp.topic in INPUTS)


def tell(what: str) -> None:
    """Print how far it is, on a line that the next one overwrites; to a terminal only."""
    if sys.stderr.isatty():
        print(f"\r{what:<70}", end="", file=sys.stderr, flush=True)


def without_lineside() -> dict[str, str]:
    """Return the environment without settings of lineside's."""
    return {name: value for name, value in os.environ.items() if "LINESIDE" not in name}


def run_main(main: Callable[[], T]) -> T:
    """Run a benchmark; report a failure in one sentence."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return main()
    except Failed as failed:
        sys.exit(f"Error: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
