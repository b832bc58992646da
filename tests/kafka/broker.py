"""A real Kafka broker for tests: one node, on free ports, with its data in a temporary folder."""

import asyncio
import base64
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from aiokafka.errors import KafkaError

from jars import java, provide_jars
from streams.kafka.cluster import BATCH_BYTES_MAX, BrokerError, read_broker

PORTS: Final = range(20_000, 32_000)
"""Below what systems hand out to clients: nobody takes a port while its broker is down, not even a
client that connects to it again and again."""

START_ATTEMPTS_MAX: Final = 3
"""Two brokers that start at once can choose the same port."""

START_SECONDS_MAX: Final = 60.0
"""It takes 3 s on a machine that isn't busy."""

STOP_SECONDS_MAX: Final = 30.0
"""A broker that hasn't stopped by then is killed."""

HEAP: Final = "-Xmx512m"

QUICKLY_COMPILED: Final = "-XX:TieredStopAtLevel=1"
"""Java's first compiler only: a broker starts with two thirds of the work, and is slower under load."""

HOST: Final = "127.0.0.1"

LOG_TAIL_CHARS: Final = 3_000

PROPERTIES: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # A killed worker's partitions are others' as soon as its session has timed out.
    "group.min.session.timeout.ms": "1000",
    # A killed broker can come back when the session of the one that it was has timed out.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "message.max.bytes": str(BATCH_BYTES_MAX),
    "replica.fetch.max.bytes": str(BATCH_BYTES_MAX),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Logs of tests may be old: time deletes none of them.
    "log.retention.ms": "-1",
    # A test can wait for a compaction, and deleted topics don't fill the disk.
    "log.initial.task.delay.ms": "500",
    "log.cleaner.backoff.ms": "200",
    "log.cleaner.min.cleanable.ratio": "0.001",
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
    "log.segment.delete.delay.ms": "1000",
}

T = TypeVar("T")


class BrokerFailed(Exception):
    """The broker didn't start; the text ends with the tail of its log."""


class KafkaBroker:
    """A one-node KRaft Kafka that can be stopped, killed, frozen and started again.

    It ends with the process that started it, however that ends. After `stop` or `kill` the ports
    and the data stay, for `restart`; `close` removes the data.
    """

    replication = 1
    """Of topics that tests make here."""

    heap = HEAP

    short_lived = False
    """Whether a quick start is worth more than how much a broker gets done: it is in `make test`."""

    def __init__(self, properties: Mapping[str, str] | None = None) -> None:
        """Take properties of the server that go before those of this module."""
        self.properties = PROPERTIES | dict(properties or {})
        self.cluster_id = new_cluster_id()
        self.folder = Path(tempfile.mkdtemp(prefix="lineside-kafka-"))
        self.log = self.folder / "broker.log"
        self._ports: tuple[int, ...] = (0, 0)
        self._process: subprocess.Popen[bytes] | None = None
        self._warden: subprocess.Popen[bytes] | None = None
        self._frozen = False

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for sockets."""
        return HOST, self._ports[0]

    @property
    def server(self) -> str:
        """host:port, for Kafka's clients."""
        return f"{HOST}:{self._ports[0]}"

    @property
    def url(self) -> str:
        """For LINESIDE_BROKER."""
        return f"kafka://{self.server}"

    @property
    def pid(self) -> int | None:
        """Of the running broker."""
        return self._process.pid if self.running else None

    @property
    def running(self) -> bool:
        """Whether its process is there, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start with no data, on free ports, and wait until it answers; raises `BrokerFailed`."""
        assert not self.running, "it runs already"
        for left in reversed(range(START_ATTEMPTS_MAX)):
            self._ports = free_ports(len(self._ports))
            self.format()
            try:
                self.launch()
                self.wait_until_it_answers()
            except BrokerFailed as failed:
                if left == 0 or "Address already in use" not in str(failed):
                    raise
            else:
                return

    def restart(self) -> None:
        """Start it again on the same ports and data, after `stop` or `kill`, or stop it first."""
        self.stop()
        self.launch()
        self.wait_until_it_answers()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that doesn't stop; a frozen one is thawed for it."""
        if self._process is not None and self.running:
            self._process.terminate()
            self.thaw()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS_MAX)
        self.kill()

    def kill(self) -> None:
        """SIGKILL: what a power cut is to a broker, less what the disk loses."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._frozen = False
        if self._warden is not None:
            self._warden.kill()
            self._warden.communicate()
            self._warden = None

    def freeze(self) -> None:
        """SIGSTOP: connections stay, nothing answers. Returns when it has stopped."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self._frozen = True
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """SIGCONT; nothing happens to one that isn't frozen."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._frozen = False

    def revive(self) -> None:
        """Bring it back, whatever a test has done to it."""
        # One that wakes from a long sleep fences itself for a moment: better a fresh one.
        if not self.running or self._frozen:
            self.restart()

    def close(self) -> None:
        """Stop it, and remove its data and its log."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def format(self) -> None:
        """Make its data folder, without data."""
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        properties = {**self.properties, **self._listeners(), "log.dirs": str(data)}
        self._properties_file.write_text("".join(f"{k}={v}\n" for k, v in properties.items()))
        with self.log.open("ab") as log:
            done = subprocess.run(
                [
                    *self.java(), QUICKLY_COMPILED, "kafka.tools.StorageTool", "format",
                    f"--cluster-id={self.cluster_id}", f"--config={self._properties_file}",
                    *self._format_options(),
                ],
                stdout=log, stderr=log, timeout=START_SECONDS_MAX, check=False,
            )  # fmt: skip
        if done.returncode != 0:
            raise BrokerFailed(f"the broker's data folder can't be made:\n{self._log_tail()}")

    def _listeners(self) -> dict[str, str]:
        """Return the properties that name ports."""
        port, controller_port, *_ = self._ports
        return {
            "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        }

    def _format_options(self) -> list[str]:
        """Return what else the data folder is made with."""
        return []

    def launch(self) -> None:
        """Start its process on the ports and data that it has."""
        compiled = [QUICKLY_COMPILED] if self.short_lived else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.java(), *compiled, "kafka.Kafka", str(self._properties_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, which stop it in their order
            )
        # Its input ends when we do, even by SIGKILL.
        self._warden = subprocess.Popen(
            ["sh", "-c", 'read -r _; kill -9 "$0"', str(self._process.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_until_it_answers(self) -> None:
        """Wait until it does; raises `BrokerFailed` where it ends before, or takes too long."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                self.kill()
                what = (
                    f"doesn't answer after {START_SECONDS_MAX:.0f} s"
                    if code is None
                    else f"ended with code {code}"
                )
                raise BrokerFailed(f"the broker {what}; its log ends:\n{self._log_tail()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        # It must be ours: another one may have been quicker to take the port.
        try:
            socket.create_connection(self.address, timeout=1).close()
            metadata = run_apart(_metadata(self.url))
        except (OSError, KafkaError, BrokerError, TimeoutError):
            return False
        return metadata["cluster_id"] == self.cluster_id and bool(metadata["brokers"])

    def java(self) -> list[str]:
        """Return the begin of a command line that runs a class of Kafka's."""
        logging = Path(__file__).with_name("log4j2.properties")
        return [
            java(), self.heap, "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j2.configurationFile={logging}", "-cp", f"{provide_jars()}/*",
        ]  # fmt: skip

    @property
    def _properties_file(self) -> Path:
        return self.folder / "server.properties"

    def _log_tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-LOG_TAIL_CHARS:]


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns, run in a loop of its own: inside another loop as well."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _metadata(url: str) -> dict[str, Any]:
    async with read_broker(url).admin() as admin:
        return await admin.describe_cluster()


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports that nobody has, nor gets by chance."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            found.append(port)
        if len(found) == count:
            return tuple(found)
    raise BrokerFailed(f"no {count} free ports")


def new_cluster_id() -> str:
    """Return an id of a cluster that nobody has."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
