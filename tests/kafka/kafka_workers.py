"""Jobs on a Kafka cluster for tests: their topics, worker processes, and what has left."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import ConsumerRecord, TopicPartition

from broker import run_apart
from clusters import Place, delete_topics, fresh_topics
from contents import all_bounds, read, write
from departed import Records, by_line, records_of_replay, sorted_exceptions
from first_version import RUN
from runs import placed
from starter import Started, Starter
from streams.contract.topics import INPUTS, OUTPUTS, changelog
from streams.kafka.cluster import Cluster, read_broker
from streams.log.record import Record
from upgraded import printed as printed_record

LINESIDE = str(Path(sys.executable).with_name("lineside"))

WAIT_SECONDS_MAX = 60.0
"""For what takes some seconds on a machine that isn't busy."""

STOP_SECONDS_MAX = 10.0
"""What a worker may take to stop, once it's told to."""

REFUSAL_SECONDS_MAX = 20.0
"""A worker that can't start, or can't go on, has said so by then."""

SESSION_SECONDS = 6 if "LINESIDE_TEST_BROKER" in os.environ else 2
"""Until a killed worker's partitions are others': as short as the broker allows."""

WATCHFUL = """
import sys
from agents.cli.main import main
from agents.worker import kafka_ends
from streams.kafka import member

kafka_ends.ASK_PAUSE_SECONDS, member.METADATA_SECONDS = 1.0, 2.0
main(sys.argv[1:], "lineside")
"""
"""`lineside` that looks at its topics and their ends more often than every 10 s."""

PAUSE_SECONDS = 0.02
PAUSE_SECONDS_MAX = 0.25
PAUSE_SHARE = 0.05
"""Between two looks at what nobody tells of: a part of the time that was waited for it already.

A look can cost the one that is looked at more than what it is busy with.
"""

T = TypeVar("T")


def wait_until(what: str, found: Callable[[], T], seconds: float = WAIT_SECONDS_MAX) -> T:
    """Return what `found` finds, as soon as it's true of it; fail where that takes too long."""
    began = time.monotonic()
    while not (there := found()):
        waited = time.monotonic() - began
        assert waited < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(min(max(PAUSE_SECONDS, waited * PAUSE_SHARE), PAUSE_SECONDS_MAX))
    return there


class WorkerProcess:
    """`lineside worker` in a process of its own; what it says goes to a file beside its data."""

    starter: Starter | None = None
    """What starts it, if it needn't load its modules each time anew."""

    def __init__(
        self,
        broker: str,
        group: str,
        folder: Path,
        /,
        *arguments: str,
        code: Path | None = None,
        watchful: bool = False,
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        """Start it with its data in `folder`; `settings` are named as in `Settings`.

        `code` is the folder of the first version's packages, `environment` goes before ours; one
        that is `watchful` looks more often for what has become of its topics.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = folder / "worker.log"
        self._began = self.log.stat().st_size if self.log.exists() else 0
        given = {
            "broker": broker,
            "group": group,
            "data_dir": folder,
            "port": 0,
            "tick_seconds": 0,
            "session_timeout_seconds": SESSION_SECONDS,
            **settings,
        }
        own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
        variables = {f"LINESIDE_{name.upper()}": str(value) for name, value in given.items()}
        if code is not None:
            variables["PYTHONPATH"] = str(code)
        program = [sys.executable, "-c", WATCHFUL] if watchful else [LINESIDE]
        program = program if code is None else [*RUN]
        with self.log.open("ab") as log:
            self.process: subprocess.Popen[bytes] | Started
            if self.starter is not None and program == [LINESIDE] and not environment:
                self.process = self.starter.start(["worker", *arguments], own | variables, log)
                return
            self.process = subprocess.Popen(
                [*program, "worker", *arguments],
                env=own | variables | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def said(self) -> str:
        """What this process has said so far."""
        return self.log.read_bytes()[self._began :].decode("utf-8", "replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def url(self) -> str:
        """Of its page; it's there as soon as this returns."""

        def found() -> str | None:
            assert self.running, self.said
            for line in self.said.splitlines():
                if line.startswith("lineside worker: "):
                    return line.split()[2]
            return None

        return wait_until("the worker has a page", found)

    def status(self) -> dict[str, Any]:
        """Return its status document."""
        with urllib.request.urlopen(f"{self.url}api/status", timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
            return document

    def ready(self) -> int:
        """Return the HTTP status of /ready."""
        return http_status(f"{self.url}ready")

    def owned(self) -> set[tuple[str, int]]:
        """Return the partitions whose states it has."""
        partitions = self.status()["partitions"]
        return {(one["topic"], one["partition"]) for one in partitions if one["ready"]}

    def wait_for(self, what: str, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Return its status as soon as `true` is true of it; it mustn't end before."""

        def found() -> dict[str, Any] | None:
            assert self.running, self.said
            status = self.status()
            return status if true(status) else None

        return wait_until(what, found)

    def wait_until_drained(self) -> dict[str, Any]:
        """Wait until it has processed all of its partitions, and return its status of then."""
        return self.wait_for(
            "all is processed",
            lambda status: status["ready"] and all(one["lag"] == 0 for one in status["partitions"]),
        )

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, and return its exit code."""
        if self.running:
            self.process.send_signal(number)
        return self.wait()

    def kill(self) -> int:
        """`kill -9`."""
        return self.end(signal.SIGKILL)

    def wait(self, seconds: float = WAIT_SECONDS_MAX) -> int:
        """Wait until it has ended by itself, and return its exit code."""
        return self.process.wait(seconds)


def share(*workers: WorkerProcess) -> Callable[[], bool]:
    """Return whether each worker has half of the eight partitions of both topics."""
    return lambda: all(len(worker.owned()) == 4 for worker in workers)


def one_sentence(worker: WorkerProcess) -> str:
    """Return what a worker that has ended said last: a sentence, and no traceback."""
    assert "Traceback" not in worker.said, worker.said
    *_, last = worker.said.splitlines()
    assert last.startswith("Error: "), worker.said
    return last


def http_status(url: str) -> int:
    """Return the status of a GET; raises `OSError` where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class KafkaJob:
    """A job with fresh topics, a group of its own, and its workers."""

    def __init__(self, broker: Place, group: str, folder: Path, partitions: int = 4) -> None:
        self.broker = broker
        self.group = group
        self.folder = folder
        self.partitions = partitions
        self.cluster: Cluster = read_broker(broker.url)
        self.workers: list[WorkerProcess] = []
        fresh_topics(broker, partitions, group)

    def worker(self, name: str = "worker", *arguments: str, **settings: Any) -> WorkerProcess:
        """Start a worker with its data in the folder `name`."""
        started = WorkerProcess(
            self.broker.url, self.group, self.folder / name, *arguments, **settings
        )
        self.workers.append(started)
        return started

    def drain(self, name: str = "worker", **settings: Any) -> str:
        """Let a worker process all that there is, and return what it said."""
        worker = self.worker(name, "--until-drained", **settings)
        assert worker.wait() == 0, worker.said
        return worker.said

    def write(self, lines: Iterable[bytes]) -> None:
        """Put the lines of a log on the input topics."""
        run_apart(write(self.cluster, placed(lines, self.partitions)))

    def read(
        self, topics: Iterable[str], since: Mapping[TopicPartition, int] | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Return what is committed on topics of this job."""
        return run_apart(read(self.cluster, dict.fromkeys(topics, self.partitions), since))

    def ends(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """Return the offset that the next record of each partition gets."""
        tps = [TopicPartition(name, n) for name in topics for n in range(self.partitions)]
        return {tp: end for tp, (_, end) in run_apart(all_bounds(self.cluster, tps)).items()}

    def committed(self) -> dict[TopicPartition, tuple[int, str]]:
        """Return what the group has committed of the input topics: offset and metadata."""

        async def committed() -> dict[TopicPartition, tuple[int, str]]:
            async with self.cluster.admin() as admin:
                offsets = await admin.list_consumer_group_offsets(self.group)
            return {tp: (at.offset, at.metadata) for tp, at in offsets.items()}

        return run_apart(committed())

    def wait_until_processed(self) -> None:
        """Wait until the running workers have processed all that there is now."""
        ends = self.ends(INPUTS)

        def processed() -> bool:
            reached = {
                TopicPartition(one["topic"], one["partition"]): one["offset"]
                for worker in self.workers
                if worker.running
                for one in worker.status()["partitions"]
                if one["ready"]
            }
            return all(reached.get(tp, -1) >= end for tp, end in ends.items())

        wait_until("all is processed", processed)

    def left(self) -> Records:
        """Return what has left, by line."""
        found = self.read(OUTPUTS)
        return by_line((tp.topic, record.value) for tp in found for record in found[tp])

    def expected(
        self, found: Mapping[TopicPartition, list[ConsumerRecord]] | None = None
    ) -> Records:
        """Return what has to leave: what a replay makes of a dump of the input topics.

        Or of records that were found there; exceptions are sorted.
        """
        dump, out = self.folder / "dump.ndjson", self.folder / "replayed"
        found = self.read(INPUTS) if found is None else found
        with dump.open("wb") as file:
            for tp, records in found.items():
                file.writelines(printed(tp.topic, record) + b"\n" for record in records)
        subprocess.run(
            [LINESIDE, "replay", dump, "--out", out, "--partitions", str(self.partitions)],
            env={name: value for name, value in os.environ.items() if "LINESIDE" not in name},
            check=True,
            capture_output=True,
            timeout=WAIT_SECONDS_MAX,
        )
        return sorted_exceptions(records_of_replay(out))

    def close(self) -> None:
        """End the workers that still run, and delete what is this group's only."""
        for worker in self.workers:
            worker.kill()
        delete_topics(self.broker, [changelog(self.group, topic) for topic in INPUTS])


@contextmanager
def kafka_job(broker: Place, group: str, folder: Path, partitions: int = 4) -> Iterator[KafkaJob]:
    """Give a job, and end it."""
    job = KafkaJob(broker, group, folder, partitions)
    try:
        yield job
    finally:
        job.close()


def printed(topic: str, record: ConsumerRecord) -> bytes:
    """Return a record as `kcat -J` prints it: what isn't UTF-8 stays as it is."""
    return printed_record((topic, record.partition), record_of(record))


def record_of(record: ConsumerRecord) -> Record:
    """Return a record as lineside has it."""
    return Record(record.offset, record.timestamp * 1_000, record.key, record.value, record.headers)
