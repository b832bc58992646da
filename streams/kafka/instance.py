"""EDGE: static membership of a consumer group: whether another worker has taken a member's name."""

import asyncio
from typing import Final

from aiokafka.errors import KafkaError

from streams.kafka.clients import Access
from streams.kafka.cluster import BrokerError
from streams.trouble import Trouble

UUID_CHARS: Final = 37
"""A broker calls a static member by its `group.instance.id`, a dash, and a UUID (KIP-345)."""

PAUSE_SECONDS: Final = 0.5
"""Pause before a broker that didn't answer is asked again."""


class InstanceError(Trouble):
    """Two workers have the same instance name."""


async def displacement(
    clients: Access, group: str, instance: str, member_id: str
) -> InstanceError | None:
    """Return an error if another member of the group has this member's name.

    Call this for a member that its group no longer knows. Either its session has expired, and it
    may join again; or another worker has joined under its name, and the two would displace each
    other in turns. Waits until a broker answers.
    """
    while True:
        try:
            async with clients.admin() as admin:
                answers = await admin.describe_consumer_groups([group])
            break
        except (KafkaError, BrokerError):
            await asyncio.sleep(PAUSE_SECONDS)
    for answer in answers:
        for described in answer.groups:
            for other, _, host, *_ in described[5]:
                if other[:-UUID_CHARS] == instance and other != member_id:
                    return InstanceError(
                        f"another worker, at {host.lstrip('/')}, has joined the group {group!r} as "
                        f"instance {instance!r}, and has this one's partitions: give each worker "
                        "an instance of its own"
                    )
    return None
