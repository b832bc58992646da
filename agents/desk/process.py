"""The desk as a process of its own, beside the workers of a job on Kafka."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from secrets import token_hex
from typing import Any

import uvloop

from agents.desk.access import access_of
from agents.desk.desk import cancel
from agents.desk.running import running
from agents.provision.topics import partitions_of
from agents.settings.cluster import cluster_of
from agents.settings.settings import Settings
from streams.kafka.books import KafkaBooks
from streams.kafka.clients import Clients
from streams.kafka.desk import KafkaDesk

log = logging.getLogger("lineside.desk")

Say = Callable[[str], Any]


def run_desk(settings: Settings, say: Say) -> None:
    """Run a desk on a cluster until a signal comes; `say` is told where it answers.

    Raises the error that ended what fills the books, if one did.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signal(settings, say))


async def _until_signal(settings: Settings, say: Say) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # before anything starts that could miss one
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await _unless(stopping, _run(settings, say))


async def _run(settings: Settings, say: Say) -> None:
    """Run until cancelled."""
    access = access_of(settings)
    cluster = cluster_of(settings)
    async with AsyncExitStack() as stack:
        counts = await partitions_of(cluster)
        clients = Clients(cluster)
        stack.push_async_callback(clients.close)
        desk_log = KafkaDesk(cluster, clients, settings.group, counts, token_hex(8))
        books_log = KafkaBooks(cluster, settings.group)
        stack.push_async_callback(books_log.close)
        desk = await stack.enter_async_context(
            running(settings, books_log, desk_log, access=access)
        )
        say(f"lineside desk: {desk.url} - on broker {settings.broker}")
        await desk.failed


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, and cut it short when a signal comes; raises its error."""
    working = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        await cancel(stopped, working)
