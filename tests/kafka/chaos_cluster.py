"""Faults of one or two of three brokers: killed, stopped, frozen, whatever office they hold."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Final

from chaos_job import Chaos, now_ms
from kafka_cluster import NODES, KafkaCluster
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS

FROZEN_SECONDS_MIN: Final = 20.0
FROZEN_SECONDS_MAX: Final = 60.0
"""A broker hangs for so long. All partitions have to go on while it does."""

WITHOUT_QUORUM_SECONDS: Final = 10.0
"""For so long two of three are away."""


def _leader_of_an_input(cluster: KafkaCluster, chaos: Chaos) -> int:
    return cluster.leaders(chaos.rng.choice((MES_EVENTS, MACHINE_EVENTS)))[_partition(chaos)]


def _coordinator_of_transactions(cluster: KafkaCluster, chaos: Chaos) -> int:
    return cluster.coordinator_of_transactions(
        f"{chaos.job.group}-{MES_EVENTS}-{_partition(chaos)}"
    )


def _coordinator_of_the_group(cluster: KafkaCluster, chaos: Chaos) -> int:
    return cluster.coordinator_of_group(chaos.job.group)


def _controller(cluster: KafkaCluster, _: Chaos) -> int:
    return cluster.controller()


def _partition(chaos: Chaos) -> int:
    return chaos.rng.randrange(chaos.job.partitions)


ROLES: Final[dict[str, Callable[[KafkaCluster, Chaos], int]]] = {
    "the leader of an input": _leader_of_an_input,
    "a transaction coordinator": _coordinator_of_transactions,
    "the group coordinator": _coordinator_of_the_group,
    "the controller": _controller,
}


def kill_one(chaos: Chaos) -> None:
    """One of three brokers is killed: an input's leader, a coordinator or the controller in turn."""
    for cluster, node in _in_turn(chaos):
        since = now_ms()
        cluster.kill(node)
        chaos.resume(chaos.partitions, since)
        cluster.start(node)


def stop_one(chaos: Chaos) -> None:
    """One of three brokers is stopped in order (SIGTERM), in the same turn."""
    for cluster, node in _in_turn(chaos):
        since = now_ms()
        cluster.stop(node)
        chaos.resume(chaos.partitions, since)
        cluster.start(node)


def freeze_one(chaos: Chaos) -> None:
    """One of three brokers hangs (SIGSTOP), in the same turn; all goes on while it does."""
    for cluster, node in _in_turn(chaos):
        since, began = now_ms(), time.monotonic()
        cluster.freeze(node)
        try:
            chaos.resume(chaos.partitions, since, FROZEN_SECONDS_MAX)
            time.sleep(max(FROZEN_SECONDS_MIN - (time.monotonic() - began), 0))
        finally:
            cluster.thaw(node)


def harm_two(chaos: Chaos) -> None:
    """Two of three brokers at once are killed, frozen, or one of each, for 10 s, and come back."""
    pairs = list(combinations(NODES, 2))
    ways: Sequence[tuple[Callable[[KafkaCluster, int], None], ...]] = (
        (KafkaCluster.kill, KafkaCluster.kill),
        (KafkaCluster.freeze, KafkaCluster.freeze),
        (KafkaCluster.freeze, KafkaCluster.kill),
    )
    cluster = _cluster(chaos)
    for number in chaos.faults():
        cluster.wait_until_in_step()
        pair = chaos.rng.sample(chaos.rng.choice(pairs), 2)
        for harm, node in zip(ways[number % len(ways)], pair, strict=True):
            harm(cluster, node)
        time.sleep(WITHOUT_QUORUM_SECONDS)
        away = [node for node in pair if not cluster.nodes[node].running]
        for node in set(pair) - set(away):
            cluster.thaw(node)
        cluster.start(*away)
        chaos.resume(chaos.partitions, now_ms())


def _in_turn(chaos: Chaos) -> Iterator[tuple[KafkaCluster, int]]:
    """Yield for each fault the cluster, all in step, and the node that holds the next office."""
    cluster = _cluster(chaos)
    for number in chaos.faults():
        cluster.wait_until_in_step()
        chaos.pause(2.0)
        role = list(ROLES)[number % len(ROLES)]
        node = ROLES[role](cluster, chaos)
        chaos.tell(f"broker {node}, {role}")
        yield cluster, node


def _cluster(chaos: Chaos) -> KafkaCluster:
    assert isinstance(chaos.broker, KafkaCluster), "this case is one of three brokers"
    return chaos.broker
