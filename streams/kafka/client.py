"""EDGE: aiokafka's client, made to start with brokers that answer and to avoid those that hang.

aiokafka's own tries the given servers one after the other, opens one connection at a
time, and asks a broker that hangs as readily as the others. What is here takes the place of methods
of its: see streams/kafka/aiokafka_patches.py.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka import client as clients
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError
from aiokafka.protocol.metadata import MetadataRequest

from streams.kafka.hang import CONNECT_SECONDS_MAX, Address, give_up, is_hanging, pass_over
from streams.log.cancellation import asked_to_end

NEXT_SECONDS: Final = 0.5
"""A client that starts asks another server if one hasn't answered within this."""

CLOSE_SECONDS_MAX: Final = 1.0
"""Closing a client whose broker is away is given up after this."""

HANG_UP_SECONDS_MAX: Final = 0.25
"""For closing its connections after that: it needs no answer from the broker."""

log = logging.getLogger("aiokafka")


async def bootstrap(self: AIOKafkaClient) -> None:
    """Read the cluster's metadata from the first server that answers, as aiokafka's `bootstrap`."""
    servers = sorted([(host, port) for host, port, _ in self.hosts], key=is_hanging)
    connection, metadata = await _first_metadata(self, servers)
    self.cluster.update_metadata(metadata)
    if self.cluster.brokers():
        connection.close()
    else:  # a cluster without topics may name no broker
        self._conns["bootstrap", ConnectionGroup.DEFAULT] = connection
    if self._sync_task is None:
        self._sync_task = asyncio.create_task(self._md_synchronizer())


async def _first_metadata(
    client: AIOKafkaClient, servers: list[Address]
) -> tuple[AIOKafkaConnection, Any]:
    """Return a connection to the first server that answered, and the metadata that it gave.

    The next server is asked when one has failed, or hasn't answered within `NEXT_SECONDS`.
    """
    left = list(servers)
    running: set[asyncio.Task[tuple[AIOKafkaConnection, Any]]] = set()
    chosen = None
    try:
        while left or running:
            if left:
                running.add(asyncio.create_task(_metadata_of(client, *left.pop(0))))
            done, _ = await asyncio.wait(
                running,
                timeout=NEXT_SECONDS if left else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            chosen = next((one for one in done if one.exception() is None), None)
            if chosen is not None:
                return chosen.result()
            running -= done
        raise KafkaConnectionError(f"Unable to bootstrap from {servers}")
    finally:
        others = running - {chosen}
        for one in others:
            one.cancel()
        for came in await asyncio.gather(*others, return_exceptions=True):
            if not isinstance(came, BaseException):
                came[0].close()


async def _metadata_of(
    client: AIOKafkaClient, host: str, port: int
) -> tuple[AIOKafkaConnection, Any]:
    connection = await clients.create_conn(host, port, **_options(client))
    try:
        return connection, await connection.send(MetadataRequest([]))
    except BaseException:
        connection.close()
        raise


def _options(client: AIOKafkaClient) -> dict[str, Any]:
    return {
        "client_id": client._client_id,
        "request_timeout_ms": client._request_timeout_ms,
        "ssl_context": client._ssl_context,
        "security_protocol": client._security_protocol,
        "max_idle_ms": client._connections_max_idle_ms,
        "sasl_mechanism": client._sasl_mechanism,
        "sasl_plain_username": client._sasl_plain_username,
        "sasl_plain_password": client._sasl_plain_password,
    }


async def get_conn(
    self: AIOKafkaClient,
    node_id: Any,
    *,
    group: ConnectionGroup = ConnectionGroup.DEFAULT,
) -> AIOKafkaConnection | None:
    """Return a connection to a broker or None, without long waits; as aiokafka's `_get_conn`."""
    conn_id = node_id, group
    there = _connected(self, conn_id)
    if there is not None:
        return there
    if self._closed:
        raise asyncio.CancelledError  # nobody waits for a closed client's work
    broker = self.cluster.broker_metadata(node_id)
    if broker is None or is_hanging((broker.host, broker.port)):
        self.force_metadata_update()
        return None
    opening: dict[Any, asyncio.Lock] = self.__dict__.setdefault("_opening", {})
    async with opening.setdefault(conn_id, asyncio.Lock()):
        if (there := _connected(self, conn_id)) is not None:
            return there
        options = _options(self)
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                opened = await clients.create_conn(
                    broker.host, broker.port, on_close=self._on_connection_closed, **options
                )
        except (OSError, TimeoutError, KafkaError) as error:
            if isinstance(error, TimeoutError):
                pass_over(AIOKafkaConnection(broker.host, broker.port, **options))
            else:
                log.error("Unable connect to node with id %s: %s", node_id, error)
            self.force_metadata_update()
            return None
        if self._closed:
            opened.close()
            raise asyncio.CancelledError
        self._conns[conn_id] = opened
        return opened


_close = AIOKafkaClient.close


async def close_for_good(self: AIOKafkaClient) -> None:
    """Close a client, and end the tasks that wait for its metadata: none will come."""
    self._closed = True
    waited, self._md_update_fut = self._md_update_fut, None
    if waited is not None and not waited.done():
        waited.set_result(False)
    await _close(self)


_force_metadata_update = AIOKafkaClient.force_metadata_update


def force_unless_closed(self: AIOKafkaClient) -> Any:
    if self._closed:
        untold = self._loop.create_future()
        untold.set_result(False)
        return untold
    return _force_metadata_update(self)


def _connected(client: AIOKafkaClient, conn_id: tuple[Any, int]) -> AIOKafkaConnection | None:
    there = client._conns.get(conn_id)
    if there is None:
        return None
    if there.connected() and not is_hanging((there.host, there.port)):
        return there
    give_up(there)  # one that nothing waited for when its broker began to hang
    client._conns.pop(conn_id, None)
    return None


_coordinator_lookup = AIOKafkaClient.coordinator_lookup


async def look_up_or_again(self: AIOKafkaClient, *what: Any) -> Any:
    """Look up a coordinator; ask once more if the connection breaks meanwhile.

    aiokafka's producers would treat the break as fatal, and log a traceback.
    """
    try:
        return await _coordinator_lookup(self, *what)
    except KafkaConnectionError as error:
        raise NodeNotReadyError(str(error)) from error


def get_random_node(self: AIOKafkaClient) -> Any:
    """Return a broker to ask: one that doesn't hang, if there is one, None if there is none."""
    brokers = self.cluster.brokers()
    there = [one for one in brokers if not is_hanging((one.host, one.port))] or list(brokers)
    return random.choice(there).nodeId if there else None  # noqa: S311  # nosec B311  # no secret


async def let_go(client: AIOKafkaClient, stop: Callable[[], Awaitable[None]]) -> None:
    """Stop the user of a client; if its broker is away, cut the stop short and close connections.

    A connection that is dropped while it waits for an answer would log a traceback.
    """
    for end, seconds in ((stop, CLOSE_SECONDS_MAX), (client.close, HANG_UP_SECONDS_MAX)):
        try:
            async with asyncio.timeout(seconds):
                await end()
        except (TimeoutError, KafkaError):
            pass
        except asyncio.CancelledError:
            if asked_to_end():
                raise
    for connection in list(client._conns.values()):
        connection.close(reason=CloseReason.SHUTDOWN)
