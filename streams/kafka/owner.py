"""EDGE: what a consumer on Kafka asks of its app, and of the host behind it."""

from typing import Protocol

from streams.kafka.clients import Access
from streams.kafka.cluster import Cluster
from streams.kafka.producer import Outputs
from streams.log.owner import App, Owner


class ClusterOwner(Owner, Protocol):
    """An owner that knows its cluster, and the clients that all its partitions share."""

    @property
    def cluster(self) -> Cluster: ...

    @property
    def clients(self) -> Access: ...

    @property
    def outputs(self) -> Outputs: ...


class ClusterApp(App, Protocol):
    """An app of such an owner."""

    @property
    def host(self) -> ClusterOwner: ...
