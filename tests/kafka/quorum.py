"""Kafka's question for who is the active controller (KIP-595), which aiokafka doesn't know."""

from typing import Final

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

API_KEY: Final = 55
METADATA: Final = "__cluster_metadata"

REPLICAS: Final = CompactArray(
    ("replica", Int32), ("log_end_offset", Int64), ("tags", TaggedFields)
)


class DescribeQuorumResponse_v0(Response):  # noqa: N801  # aiokafka's way
    API_KEY = API_KEY
    API_VERSION = 0
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("high_watermark", Int64),
                        ("voters", REPLICAS),
                        ("observers", REPLICAS),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeQuorumRequest_v0(RequestStruct):  # noqa: N801  # aiokafka's way
    API_KEY = API_KEY
    API_VERSION = 0
    RESPONSE_TYPE = DescribeQuorumResponse_v0
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                ("partitions", CompactArray(("partition", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeQuorumRequest(Request[DescribeQuorumRequest_v0]):
    """Ask a broker: it asks the active controller, and doesn't answer while there is none."""

    API_KEY = API_KEY

    def build(
        self, request_struct_class: type[DescribeQuorumRequest_v0]
    ) -> DescribeQuorumRequest_v0:
        return request_struct_class([(METADATA, [(0, {})], {})], {})


def leader_of(answer: DescribeQuorumResponse_v0) -> int:
    """Return the node that is the active controller."""
    ((_, ((_, _, leader, *_),), _),) = answer.topics
    assert isinstance(leader, int)
    return leader
