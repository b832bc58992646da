"""EDGE: the names of aiokafka's that are replaced, each with its reason; applied with `cluster`."""

from pkgutil import resolve_name
from typing import Any, Final

from msgspec import Struct

from streams.kafka import client, fetched, hang, security
from streams.kafka.accumulator import Accumulator

VERSION: Final = "0.14.0"
"""The aiokafka that all of these were written for, and are tested with. Any version may do without
names that are its own: before this is raised, what each takes the place of is read again."""

TRANSACTION_PAUSE_SECONDS: Final = 0.002
"""Before a producer asks again whether the broker has done with its last transaction."""


class Patch(Struct, frozen=True, kw_only=True):
    """One name that is replaced."""

    where: str
    """The module, or `module:class`."""
    name: str
    ours: Any
    why: str
    added: bool = False
    """Whether aiokafka has no such name: it must have none, or both would use it."""


CLIENT: Final = "aiokafka.client:AIOKafkaClient"
CONNECTION: Final = "aiokafka.conn:AIOKafkaConnection"
FETCHER: Final = "aiokafka.consumer.fetcher"

PATCHES: Final = (
    Patch(
        where=CONNECTION,
        name="send",
        ours=hang.send_and_look,
        why="A broker that hangs is noticed within seconds, and not after request_timeout_ms; and "
        "where uvloop says that a connection is closed, that's an error that clients know.",
    ),
    Patch(
        where=CONNECTION,
        name="_looking",
        ours=False,
        added=True,
        why="Whether somebody is looking at what a connection waits for: a note of `send`.",
    ),
    Patch(
        where=CONNECTION,
        name="close",
        ours=security.close_at_once,
        why="uvloop waits 30 s for the end of TLS, which Kafka's brokers never say.",
    ),
    Patch(
        where="aiokafka.client",
        name="create_conn",
        ours=security.create_or_refuse,
        why="A connection that one side refuses is told in a sentence; none is in plaintext to a "
        "host that doesn't allow it, whichever host the cluster names.",
    ),
    Patch(
        where=CLIENT,
        name="bootstrap",
        ours=client.bootstrap,
        why="A client comes up by the first server that answers, and not after each that hangs.",
    ),
    Patch(
        where=CLIENT,
        name="_get_conn",
        ours=client.get_conn,
        why="Connections to several brokers are opened at a time, none to one that hangs.",
    ),
    Patch(
        where=CLIENT,
        name="get_random_node",
        ours=client.get_random_node,
        why="Metadata are asked of a broker that answers.",
    ),
    Patch(
        where=CLIENT,
        name="coordinator_lookup",
        ours=client.look_up_or_again,
        why="A connection that breaks meanwhile is no end of a producer: it asks once more.",
    ),
    Patch(
        where=CLIENT,
        name="close",
        ours=client.close_for_good,
        why="Whoever waits for metadata of a client that is closed would wait for ever.",
    ),
    Patch(
        where=CLIENT,
        name="force_metadata_update",
        ours=client.force_unless_closed,
        why="The same, for whoever asks for metadata afterwards.",
    ),
    Patch(
        where=CLIENT,
        name="_closed",
        ours=False,
        added=True,
        why="Whether a client is closed: a note of `close`.",
    ),
    Patch(
        where=FETCHER,
        name="MemoryRecords",
        ours=fetched.Kept,
        why="What was fetched keeps its bytes, which blocks point into.",
    ),
    Patch(
        where=FETCHER,
        name="PartitionRecords",
        ours=fetched.Unpacked,
        why="A batch is unpacked in pieces, as it's taken: 35 KB can hold gigabytes.",
    ),
    Patch(
        where=FETCHER,
        name="FetchResult",
        ours=fetched.Fetched,
        why="What is handed over at once is bounded in bytes, and in time.",
    ),
    Patch(
        where=f"{FETCHER}:Fetcher",
        name="fetched_records",
        ours=fetched.fetched_within_bounds,
        why="The bound in bytes is for all partitions of a call together.",
    ),
    Patch(
        where="aiokafka.producer.producer",
        name="MessageAccumulator",
        ours=Accumulator,
        why="A batch that was given up isn't sent after all, and doesn't stop the sender.",
    ),
    Patch(
        where="aiokafka.producer.sender",
        name="BACKOFF_OVERRIDE",
        ours=TRANSACTION_PAUSE_SECONDS,
        why="A transaction takes the broker some milliseconds, and a pause of 20 ms is latency.",
    ),
)


def apply() -> None:
    """Replace the names. Raises `AttributeError` where this aiokafka has one of them no more."""
    for patch in PATCHES:
        place = resolve_name(patch.where)
        if not patch.added:
            getattr(place, patch.name)
        setattr(place, patch.name, patch.ours)
