"""EDGE: the admin client and the readers of a process: each is used by one after the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from msgspec import Struct

from streams.kafka.cluster import Cluster

FETCH_WAIT_MS: Final = 50
"""A broker keeps a fetch that finds nothing for so long, and the connection's next request with it:
whoever uses a reader next doesn't wait for what the one before had asked for."""

IDLE_MAX: Final = 4
"""Readers that are kept for the next users: as many as partitions that are opened at a time."""


class Access(Protocol):
    """Who gives admin clients and readers: a `Cluster` new ones, `Clients` those of a process."""

    def admin(self) -> AbstractAsyncContextManager[AIOKafkaAdminClient]:
        """Give a started admin client. Raises `Unreachable`."""
        ...

    def reader(self, **options: Any) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
        """Give a started consumer with options of aiokafka's, no group, and no partitions."""
        ...


C = TypeVar("C")

Options = tuple[tuple[str, Any], ...]
"""Of a reader, by name."""


class _Kept(Struct, Generic[C]):
    client: C
    stack: AsyncExitStack
    """Closing it closes the client."""


class Clients:
    """Keeps what it has started: a partition that opens needs no connections of its own.

    A reader has positions, so it has one user at a time; another one is started only where several
    need one at once. A client whose use ended with an error may be stuck, and isn't used again.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._readers: dict[Options, list[_Kept[AIOKafkaConsumer]]] = {}
        """Those that nobody uses, by their options."""
        self._admin: _Kept[AIOKafkaAdminClient] | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    @asynccontextmanager
    async def reader(self, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
        """Give a reader that nobody else uses meanwhile. Raises `Unreachable`."""
        idle = self._readers.setdefault(tuple(sorted(options.items())), [])
        kept = idle.pop() if idle else await self._new_reader(options)
        try:
            yield kept.client
        except BaseException:
            await kept.stack.aclose()
            raise
        kept.client._subscription.unsubscribe()  # it fetches no more
        if self._closed or len(idle) >= IDLE_MAX:
            await kept.stack.aclose()
        else:
            idle.append(kept)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """Give the admin client, which others may use meanwhile. Raises `Unreachable`."""
        async with self._starting:
            kept = self._admin
            if kept is None:
                stack = AsyncExitStack()
                kept = _Kept(await stack.enter_async_context(self._cluster.admin()), stack)
                self._admin = kept
        try:
            yield kept.client
        except BaseException:
            if self._admin is kept:
                self._admin = None
            await kept.stack.aclose()
            raise

    async def _new_reader(self, options: dict[str, Any]) -> _Kept[AIOKafkaConsumer]:
        stack = AsyncExitStack()
        reader = self._cluster.reader(fetch_max_wait_ms=FETCH_WAIT_MS, **options)
        return _Kept(await stack.enter_async_context(reader), stack)

    async def close(self) -> None:
        """Close all but the readers that are in use: those are closed after their use."""
        self._closed = True
        readers, self._readers = self._readers, {}
        admin, self._admin = self._admin, None
        for kept in chain.from_iterable(readers.values()):
            await kept.stack.aclose()
        if admin is not None:
            await admin.stack.aclose()


if TYPE_CHECKING:
    _new: type[Access] = Cluster
    _kept: type[Access] = Clients
