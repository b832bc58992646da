"""`lineside desk` in processes of their own, for tests, and what their topics have in the end."""

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from books.books_of_topics import Topics
from broker import run_apart
from contents import stream
from kafka_workers import LINESIDE, KafkaJob, wait_until
from streams.contract.topics import INPUTS, OUTPUTS

BEHIND_SECONDS_MAX = 300.0
"""Until a desk has what there is."""


class DeskProcess:
    """A desk on a job's topics; what it says goes to a file in its folder."""

    def __init__(self, job: KafkaJob, folder: Path, database: str, **settings: Any) -> None:
        """Start it; `settings` are named as in `Settings`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "desk.log"
        self._began = self.log.stat().st_size if self.log.exists() else 0
        given = {
            "broker": job.broker.url,
            "group": job.group,
            "data_dir": folder,
            "database": database,
            "desk_port": 0,
            **settings,
        }
        own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
        variables = {f"LINESIDE_{name.upper()}": str(value) for name, value in given.items()}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [LINESIDE, "desk"],
                env=own | variables,
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
                if line.startswith("lineside desk: "):
                    return line.split()[2]
            return None

        return wait_until("the desk has a page", found)

    def get(self, path: str) -> Any:
        """Return what the API answers."""
        with urllib.request.urlopen(f"{self.url}api/v1/{path}", timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, what: Any) -> Any:
        """Return what the API answers to JSON."""
        asked = urllib.request.Request(
            f"{self.url}api/v1/{path}",
            json.dumps(what).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def wait_until_it_has_all(self, job: KafkaJob, seconds: float = BEHIND_SECONDS_MAX) -> None:
        """Wait until the books have what a job, whose workers have ended, has left behind."""
        done = {(tp.topic, tp.partition): at for tp, (at, _) in job.committed().items()}
        ends = {(tp.topic, tp.partition): at for tp, at in job.ends(OUTPUTS).items()}

        def has_all() -> bool:
            assert self.running, self.said
            read = {
                (each["topic"], each["partition"]): each["next_offset"]
                for each in self.get("health")["topics"]
            }
            return all(read.get(at, -1) >= end for at, end in (done | ends).items())

        wait_until("the desk has all", has_all, seconds)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, and return its exit code."""
        if self.running:
            self.process.send_signal(number)
        return self.process.wait(30)

    def kill(self) -> int:
        """`kill -9`."""
        return self.end(signal.SIGKILL)


def topics_of(job: KafkaJob) -> Topics:
    """Return what inputs and outputs have, all of it."""

    async def read() -> Topics:
        counts = dict.fromkeys((*INPUTS, *OUTPUTS), job.partitions)
        found: dict[tuple[str, int], list[tuple[int, bytes | None]]] = {
            (topic, number): [] for topic, count in counts.items() for number in range(count)
        }
        async for tp, records in stream(job.cluster, counts):
            assert isinstance(tp, TopicPartition)
            found[tp.topic, tp.partition] += [(one.offset, one.value) for one in records]
        return found

    return run_apart(read())
