"""A real Kafka cluster for tests: three nodes, each of which can be killed, stopped or frozen."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Self, TypeVar

from aiokafka.client import CoordinationType
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, NoError, for_code
from aiokafka.protocol.api import Request
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.metadata import MetadataRequest

from broker import (
    HOST,
    PROPERTIES,
    START_ATTEMPTS_MAX,
    START_SECONDS_MAX,
    BrokerFailed,
    KafkaBroker,
    free_ports,
    new_cluster_id,
    run_apart,
)
from quorum import DescribeQuorumRequest, leader_of

NODES: Final = (1, 2, 3)

REPLICATION: Final = 3

BROKER_SESSION_SECONDS: Final = 6.0
"""A node that was not heard of for so long loses what it leads; Kafka's own default is 9 s."""

ANSWER_SECONDS_MAX: Final = 5.0
"""A node that is neither away nor frozen answers a question sooner."""

CLUSTER_PROPERTIES: Final = PROPERTIES | {
    "broker.session.timeout.ms": str(round(BROKER_SESSION_SECONDS * 1000)),
    "broker.heartbeat.interval.ms": "1000",
    "default.replication.factor": str(REPLICATION),
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": str(REPLICATION),
    "transaction.state.log.replication.factor": str(REPLICATION),
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": str(REPLICATION),
    "share.coordinator.state.topic.min.isr": "2",
    # What a coordinator of transactions has in flight to a node that hangs waits for so long.
    "request.timeout.ms": str(round(BROKER_SESSION_SECONDS * 1000)),
    # Leaders go back to where they were soon after a node has come back.
    "leader.imbalance.check.interval.seconds": "5",
}


T = TypeVar("T")


class Node(KafkaBroker):
    """One of a cluster's brokers, and one of its controllers; the cluster starts it."""

    replication = REPLICATION
    heap = "-Xmx256m"

    def __init__(self, cluster: "KafkaCluster", number: int) -> None:
        super().__init__(cluster.properties | {"node.id": str(number)})
        self.number = number
        self.cluster_id = cluster.cluster_id
        self._cluster = cluster

    def use(self, ports: tuple[int, int]) -> None:
        """Take the ports of the broker and of the controller."""
        self._ports = ports

    @property
    def voter(self) -> str:
        """How the controllers call this one."""
        return f"{self.number}@{HOST}:{self._ports[1]}"

    @property
    def frozen(self) -> bool:
        """Whether it was frozen, and not thawed since."""
        return self._frozen

    @property
    def answering(self) -> bool:
        """Whether it should answer: it runs, and isn't frozen."""
        return self.running and not self._frozen

    def _listeners(self) -> dict[str, str]:
        voters = ",".join(node.voter for node in self._cluster.nodes.values())
        return super()._listeners() | {"controller.quorum.voters": voters}

    def _answers(self) -> bool:
        try:
            metadata = self.ask(MetadataRequest([]))
        except (OSError, KafkaError, TimeoutError):
            return False
        brokers = [number for number, *_ in metadata.brokers]
        return bool(metadata.cluster_id == self.cluster_id and self.number in brokers)

    def ask(self, request: Request[Any]) -> Any:
        """Return this node's answer; raises `KafkaError`, `OSError` or `TimeoutError`."""

        async def asked() -> Any:
            connection = await create_conn(
                *self.address, request_timeout_ms=round(ANSWER_SECONDS_MAX * 1000)
            )
            try:
                return await connection.send(request)
            finally:
                connection.close()

        return run_apart(asked())


class KafkaCluster:
    """Three KRaft nodes, brokers and controllers at once; topics have three replicas, two needed.

    What is done to a node is named by its number. All end with the process that started them.
    """

    replication = REPLICATION

    def __init__(self, properties: Mapping[str, str] | None = None) -> None:
        """Take properties of the servers that go before those of this module."""
        self.properties = CLUSTER_PROPERTIES | dict(properties or {})
        self.cluster_id = new_cluster_id()
        self.nodes = {number: Node(self, number) for number in NODES}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def server(self) -> str:
        """host:port of all, for Kafka's clients."""
        return ",".join(node.server for node in self.nodes.values())

    @property
    def url(self) -> str:
        """For LINESIDE_BROKER."""
        return f"kafka://{self.server}"

    def _start(self) -> None:
        for left in reversed(range(START_ATTEMPTS_MAX)):
            ports = iter(free_ports(2 * len(NODES)))
            for node in self.nodes.values():
                node.use((next(ports), next(ports)))
            with ThreadPoolExecutor(len(NODES)) as threads:
                list(threads.map(KafkaBroker.format, self.nodes.values()))
            try:
                self.start(*NODES)
            except BrokerFailed as failed:
                for number in NODES:
                    self.kill(number)
                if left == 0 or "Address already in use" not in str(failed):
                    raise
            else:
                return

    def start(self, *numbers: int) -> None:
        """Start nodes that were killed or stopped, at the same time; return when they answer."""
        for number in numbers:
            self.nodes[number].launch()
        for number in numbers:
            self.nodes[number].wait_until_it_answers()

    def stop(self, number: int) -> None:
        """SIGTERM: what it leads is others' before it goes."""
        self.nodes[number].stop()

    def kill(self, number: int) -> None:
        """SIGKILL."""
        self.nodes[number].kill()

    def freeze(self, number: int) -> None:
        """SIGSTOP: its connections stay, and it answers nobody."""
        self.nodes[number].freeze()

    def thaw(self, number: int) -> None:
        """SIGCONT."""
        self.nodes[number].thaw()

    def revive(self) -> None:
        """Bring all nodes back, whatever a test has done to them, and wait until all are in step."""
        for node in self.nodes.values():
            if node.frozen:
                node.thaw()
        away = [number for number, node in self.nodes.items() if not node.running]
        self.start(*away)
        self.wait_until_in_step()

    def close(self) -> None:
        """End all nodes, and remove their data."""
        # One by one, in order, would take long: the last have no quorum to stop in.
        for node in self.nodes.values():
            node.kill()
        for node in self.nodes.values():
            node.close()

    def leaders(self, topic: str) -> dict[int, int]:
        """Return which node leads each partition, as a node that answers knows it; -1 for none."""
        return {
            number: leader for name, number, leader, _, _ in self._partitions() if name == topic
        }

    def coordinator_of_group(self, group: str) -> int:
        """Return the node that coordinates a consumer group."""
        return self._coordinator(CoordinationType.GROUP, group)

    def coordinator_of_transactions(self, transactional_id: str) -> int:
        """Return the node that coordinates the transactions of an id."""
        return self._coordinator(CoordinationType.TRANSACTION, transactional_id)

    def controller(self) -> int:
        """Return the node that is the active controller."""
        return self._ask_until(
            "there is a controller",
            lambda: leader_of(self._answering().ask(DescribeQuorumRequest())),
        )

    def wait_until_in_step(self, seconds: float = START_SECONDS_MAX) -> None:
        """Wait until each partition has a leader, and all of its replicas are in step with it."""
        self._ask_until(
            "all replicas are in step",
            lambda: all(
                leader >= 0 and len(in_sync) == len(replicas)
                for _, _, leader, replicas, in_sync in self._partitions()
            ),
            seconds,
        )

    def wait_until_left(self, number: int, seconds: float = START_SECONDS_MAX) -> None:
        """Wait until a node that is away, or frozen, leads nothing any more."""
        self._ask_until(
            f"node {number} leads nothing any more",
            lambda: all(leader not in (number, -1) for _, _, leader, _, _ in self._partitions()),
            seconds,
        )

    def _ask_until(self, what: str, ask: Callable[[], T], seconds: float = START_SECONDS_MAX) -> T:
        """Return what is asked for, as soon as there's something and a node tells it."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                if answer := ask():
                    return answer
            if time.monotonic() > deadline:
                raise BrokerFailed(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.1)

    def _partitions(self) -> Iterator[tuple[str, int, int, list[int], list[int]]]:
        """Yield topic, number, leader, replicas and those in sync of each partition there is."""
        for _, name, _, partitions in self._answering().ask(MetadataRequest(None)).topics:
            for _, number, leader, replicas, in_sync, *_ in partitions:
                yield name, number, leader, replicas, in_sync

    def _coordinator(self, kind: CoordinationType, key: str) -> int:
        def asked() -> int:
            # The first who asks makes the cluster make the topic of the coordinators.
            answer = self._answering().ask(FindCoordinatorRequest(key, kind))
            error = for_code(answer.error_code)
            if error is not NoError:
                raise error(key)
            number: int = answer.coordinator_id
            return number

        return self._ask_until(f"{key} has a coordinator", asked)

    def _answering(self) -> Node:
        for node in self.nodes.values():
            if node.answering:
                return node
        raise BrokerFailed("no node of the cluster runs")
