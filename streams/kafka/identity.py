"""EDGE: what distinguishes topics of one name: their id, their partitions, single records."""

import asyncio
from collections.abc import Iterable
from io import BytesIO
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NodeNotReadyError, UnknownTopicOrPartitionError
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
from msgspec import Struct

from streams.kafka.cluster import read_to
from streams.kafka.fetched import record_of
from streams.log.record import Record
from streams.log.writing import Lost

RECORD_SECONDS_MAX: Final = 10.0
"""Limit for reading a single record; a broker that takes longer is asked again later."""


NO_ID: Final = bytes(16)


class Identity(Struct, frozen=True):
    """A broker's answer about a topic."""

    id: bytes
    """16 bytes, different for each topic that was ever made; empty from brokers before 2.8."""
    partitions: int


class _Uuid(AbstractType[bytes]):  # type: ignore[misc]  # aiokafka's is Any to mypy
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka's is Any to mypy
    API_KEY = 3
    API_VERSION = 11
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]  # aiokafka's is Any to mypy
    """A metadata request of version 11, whose answer has topic ids (brokers from 2.8 on)."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 11
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", _Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _AskTopics(Request[MetadataRequest_v5 | _MetadataRequest]):  # type: ignore[misc]  # aiokafka's is Any to mypy
    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[Any]) -> Any:
        if request_struct_class is _MetadataRequest:
            wanted: list[Any] = [(NO_ID, name, {}) for name in self._names]
            return _MetadataRequest(wanted, False, False, {})
        return request_struct_class(self._names, False)


async def identities(
    client: AIOKafkaClient, names: Iterable[str], node: int | None = None
) -> dict[str, Identity]:
    """Return a broker's answer about topics; `node` is the number of the broker to ask, or any.

    Topics that the broker doesn't know are left out. Raises `KafkaError`.
    """
    asked = client.get_random_node() if node is None or node < 0 else node
    if asked is None:
        raise NodeNotReadyError("no broker is known")
    answer = await client.send(asked, _AskTopics(sorted(names)))
    return {
        topic["topic"]: Identity(topic.get("topic_id", b""), len(topic["partitions"]))
        for topic in answer.to_object()["topics"]
        if not topic["error_code"]
    }


async def identity(reader: AIOKafkaConsumer, tp: TopicPartition) -> Identity:
    """Return the answer of a partition's leader about its topic. Raises `KafkaError`.

    Other brokers may still name a topic for a moment after it was deleted.
    """
    leader = reader._client.cluster.leader_for_partition(tp)
    found = await identities(reader._client, [tp.topic], leader)
    if tp.topic not in found:
        raise UnknownTopicOrPartitionError(tp.topic)
    return found[tp.topic]


async def record_at(reader: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> Record | None:
    """Return the record at an offset below the partition's end, None if it was deleted.

    Raises `Lost` if no answer comes, and `KafkaError`.
    """
    reader.assign([tp])
    reader.seek(tp, offset)
    try:
        async with asyncio.timeout(RECORD_SECONDS_MAX):
            async for _, records in read_to(reader, {tp: offset + 1}):
                return record_of(records[0])
    except TimeoutError:
        raise Lost(f"record {offset} of {tp.topic}/{tp.partition} can't be read") from None
    return None
