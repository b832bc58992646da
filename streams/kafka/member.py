"""EDGE: a member of a consumer group: joining, leaving, committing, and refusals."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streams.kafka.client import let_go
from streams.kafka.cluster import REQUEST_SECONDS_MAX, BrokerError, Cluster
from streams.kafka.fetched import whole
from streams.kafka.record_batches import COMPILED

HEARTBEATS_PER_SESSION: Final = 5
"""A member learns of a rebalance with its next heartbeat, and may miss a few of them."""

REBALANCE_SECONDS_MAX: Final = 30.0
"""A live member that hasn't joined again by then is left out; dead ones go with their sessions."""

POLL_SECONDS_MAX: Final = 24 * 3600.0
"""A member whose partitions take no records (a broker is away) still counts as alive."""

METADATA_SECONDS: Final = 10.0
"""How often a member reads the list of topics: a topic that comes back is assigned only then."""

COMMIT_SECONDS_MAX: Final = 1.0
"""A commit of the states' offsets is given up after this."""

OFFSET_NOTE: Final = "lineside"
"""Metadata of offsets that lineside commits; offsets that others set have another, or none."""

log = logging.getLogger("lineside.kafka")


def new_member(
    cluster: Cluster, group: str, instance: str | None, session_seconds: float, assignor: Any
) -> AIOKafkaConsumer:
    """Return a consumer that joins a group once it has started and subscribes to topics.

    `instance` is a static member's name: it keeps its partitions over a restart that is shorter
    than its session.
    """
    return cluster.consumer(
        group_id=group,
        group_instance_id=instance,
        partition_assignment_strategy=[assignor],
        session_timeout_ms=round(session_seconds * 1000),
        heartbeat_interval_ms=round(session_seconds * 1000 / HEARTBEATS_PER_SESSION),
        rebalance_timeout_ms=round(REBALANCE_SECONDS_MAX * 1000),
        # Joining takes as long as the slowest member needs.
        request_timeout_ms=round((REBALANCE_SECONDS_MAX + REQUEST_SECONDS_MAX) * 1000),
        max_poll_interval_ms=round(POLL_SECONDS_MAX * 1000),
        metadata_max_age_ms=round(METADATA_SECONDS * 1000),
        key_deserializer=whole if COMPILED else None,
    )


async def leave(member: AIOKafkaConsumer) -> None:
    """Leave the group, so that others needn't wait until this member's session ends.

    A static member stays: aiokafka leaves it to its session, or to its next start.
    """
    await let_go(member._client, member.stop)


async def commit(member: AIOKafkaConsumer, offsets: Mapping[TP, int]) -> bool:
    """Commit the offsets of partitions; return whether the group accepted them."""
    committed = {
        TopicPartition(*tp): OffsetAndMetadata(offset, OFFSET_NOTE)
        for tp, offset in offsets.items()
    }
    try:
        async with asyncio.timeout(COMMIT_SECONDS_MAX):
            await member.commit(committed)
    except (KafkaError, TimeoutError) as error:
        log.debug("offsets weren't committed: %r", error)
        return False
    return True


def refusal(member: AIOKafkaConsumer, group: str) -> BrokerError | KafkaError | None:
    """Return the error with which the group refuses this member; aiokafka keeps it until asked.

    It is a `BrokerError` if the worker's user lacks a right.
    """
    try:
        member._coordinator.check_errors()
    except GroupAuthorizationFailedError:
        return lacks_right(f"may not join the group {group}")
    except TopicAuthorizationFailedError as error:
        return lacks_right(f"may not use {', '.join(map(str, error.args))}")
    except KafkaError as error:
        return error
    return None


def lacks_right(what: str) -> BrokerError:
    """Return the error of a worker whose user lacks a right; trying again wouldn't help."""
    return BrokerError(f"the worker's user {what}: see what `lineside topics acls worker` says")
