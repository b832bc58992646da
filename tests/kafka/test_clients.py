"""A process's readers and its admin client: lent to one after the other, and closed with it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import pytest

from streams.kafka.clients import IDLE_MAX, Clients
from streams.kafka.cluster import Cluster


class Subscription:
    def __init__(self) -> None:
        self.subscribed = False

    def unsubscribe(self) -> None:
        self.subscribed = False


class Client:
    """A client that only notes whether it runs."""

    def __init__(self) -> None:
        self.running = True
        self._subscription = Subscription()


class Made:
    """Stands in for a cluster: starts clients, and keeps a list of them."""

    def __init__(self) -> None:
        self.readers: list[Client] = []
        self.admins: list[Client] = []

    @asynccontextmanager
    async def _made(self, those: list[Client]) -> AsyncIterator[Client]:
        those.append(client := Client())
        try:
            yield client
        finally:
            client.running = False

    def reader(self, **_: Any) -> Any:
        return self._made(self.readers)

    def admin(self) -> Any:
        return self._made(self.admins)


def made() -> tuple[Made, Clients]:
    cluster = Made()
    return cluster, Clients(cast("Cluster", cluster))


async def test_a_reader_is_the_next_users_and_fetches_nothing_in_between() -> None:
    cluster, clients = made()
    for _ in range(100):
        async with clients.reader() as reader:
            reader._subscription.subscribed = True
        assert not reader._subscription.subscribed
    assert len(cluster.readers) == 1
    await clients.close()
    assert not cluster.readers[0].running


async def test_each_of_several_at_once_has_its_own_and_some_are_kept() -> None:
    cluster, clients = made()
    for _ in range(3):
        async with AsyncExitStack() as stack:
            count = IDLE_MAX + 2
            own = [await stack.enter_async_context(clients.reader()) for _ in range(count)]
            assert len(set(map(id, own))) == count
        assert sum(each.running for each in cluster.readers) == IDLE_MAX
    assert len(cluster.readers) == IDLE_MAX + 3 * 2


async def test_one_whose_use_ended_with_an_error_is_used_no_more() -> None:
    cluster, clients = made()
    for lent in (clients.reader, clients.admin):
        with pytest.raises(KeyError):
            async with lent():
                raise KeyError
    async with clients.reader(), clients.admin():
        pass
    for those in (cluster.readers, cluster.admins):
        assert [each.running for each in those] == [False, True]


async def test_the_admin_client_is_everybodys() -> None:
    cluster, clients = made()
    async with clients.admin() as one, clients.admin() as other:
        assert one is other
    async with clients.admin() as again:
        assert again is one
    await clients.close()
    assert [each.running for each in cluster.admins] == [False]


async def test_what_is_in_use_is_closed_after_its_use() -> None:
    cluster, clients = made()
    async with clients.reader():
        await clients.close()
        assert cluster.readers[0].running
    assert not cluster.readers[0].running
