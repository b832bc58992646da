"""EDGE: brokers that hang: noticed within seconds, and their connections closed.

A broker whose process or host stands still keeps its connections, and answers nobody; aiokafka
waits for each answer until `request_timeout_ms`. `send_and_look` takes the place of its `send`: see
streams/kafka/aiokafka_patches.py.
"""

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Coroutine
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

LOOK_SECONDS: Final = 1.5
"""If the same request waits at two checks in a row, the broker is probed by a new connection."""

CONNECT_SECONDS_MAX: Final = 3.0
"""A broker that hasn't accepted a new connection by then hangs: accepting takes milliseconds."""

AGAIN_SECONDS: Final = 1.0
"""Pause between two tries to reach a broker that hangs."""

log = logging.getLogger("lineside.kafka")

Address = tuple[str, int]

_hanging: set[Address] = set()
"""Brokers that accept no connection: one task of this process tries them, and nobody else waits."""

_asked: set[Address] = set()
"""Brokers that are being probed."""

_tasks: set[asyncio.Task[None]] = set()


def _begin(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)  # asyncio keeps only a weak reference
    task.add_done_callback(_tasks.discard)


def is_hanging(address: Address) -> bool:
    """Return whether a broker accepts no connection."""
    return address in _hanging


def pass_over(connection: AIOKafkaConnection) -> None:
    """Avoid the broker of a connection until it accepts connections again."""
    address = connection.host, connection.port
    if address not in _hanging:
        _hanging.add(address)
        log.warning(
            "the broker at %s:%d hangs: it lets in no connection within %.0f s, and is passed over "
            "until it does",
            *address,
            CONNECT_SECONDS_MAX,
        )
        _begin(_wait_for(connection))


async def _wait_for(connection: AIOKafkaConnection) -> None:
    address = connection.host, connection.port
    try:
        while True:
            try:
                await _ask(connection)
            except TimeoutError:
                await asyncio.sleep(AGAIN_SECONDS)
            except OSError:  # no process listens any more: clients get an error at once
                break
            else:
                break
        log.warning("the broker at %s:%d is tried again", *address)
    finally:
        _hanging.discard(address)


async def _ask(connection: AIOKafkaConnection) -> None:
    """Probe a broker: connect as this connection did, and close.

    Raises `TimeoutError` if the broker doesn't accept it, `OSError` if no process listens; a broker
    that refuses the login has answered.
    """
    probe = AIOKafkaConnection(
        connection.host,
        connection.port,
        client_id=connection._client_id,
        ssl_context=connection._ssl_context,
        security_protocol=connection._security_protocol,
        sasl_mechanism=connection._sasl_mechanism,
        sasl_plain_username=connection._sasl_plain_username,
        sasl_plain_password=connection._sasl_plain_password,
    )
    probe._looking = True  # it has a limit of its own
    with contextlib.suppress(KafkaError):
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            await probe.connect()
        probe.close()


_send = AIOKafkaConnection.send


def send_and_look(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:
    """Send a request, and watch that nobody waits for a broker that hangs.

    uvloop raises `RuntimeError` for a closed transport where asyncio's own loop raises nothing or
    an `OSError`; aiokafka knows the latter only, and its client would wait for metadata for ever.
    """
    try:
        answer = _send(self, request, expect_response)
    except RuntimeError as error:
        if isinstance(error, KafkaError):
            raise
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken") from error
    if not self._looking:
        _look_later(self)
    return answer


def _look_later(connection: AIOKafkaConnection) -> None:
    waiting = connection._requests
    connection._looking = bool(waiting)
    if waiting:
        connection._loop.call_later(LOOK_SECONDS, _look, weakref.ref(connection), waiting[0][0])


def _look(reference: "weakref.ref[AIOKafkaConnection]", first: int | None) -> None:
    connection = reference()
    if connection is None or connection._writer is None:
        return
    address = connection.host, connection.port
    if not connection._requests or connection._requests[0][0] != first or address in _asked:
        _look_later(connection)
    elif is_hanging(address):
        give_up(connection)
    else:
        _begin(_look_into(connection, address))


async def _look_into(connection: AIOKafkaConnection, address: Address) -> None:
    """Probe the broker: a request that waits may just take long (to join a group does)."""
    _asked.add(address)
    try:
        await _ask(connection)
    except TimeoutError:
        pass_over(connection)
        give_up(connection)
    except OSError:
        give_up(connection)
    else:
        _look_later(connection)
    finally:
        _asked.discard(address)


def give_up(connection: AIOKafkaConnection) -> None:
    """Close a connection; its unanswered requests raise `KafkaConnectionError`."""
    writer = connection._writer
    if writer is not None:
        connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
        writer.transport.abort()  # unsent bytes would keep it open
