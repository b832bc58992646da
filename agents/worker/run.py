"""A worker from its settings to its end: log, job, Faust app, page, and an orderly stop."""

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import uvloop
from faust.types import TP

from agents.process_events import Job
from agents.topology import create_app
from agents.worker.settings import Settings, SettingsError, rules_of
from agents.worker.views import Views
from agents.worker.web import create_web, serve, url_of
from streams.embedded import Broker
from streams.embedded_log import EmbeddedLog
from streams.topics import INPUTS, MES_EVENTS

GC_THRESHOLD: Final = 50_000
"""Allocations between two collections; the default of 700 costs a tenth of the time."""

STOP_SECONDS_MAX: Final = 10.0
"""A stop takes no longer than this, whatever is still to be processed."""


class Worker:
    """A running worker: what those who feed it or wait for it need."""

    def __init__(self, job: Job, broker: Broker, views: Views, url: str) -> None:
        self.job = job
        self.broker = broker
        self.views = views
        self.url = url
        self.stopping = asyncio.Event()

    async def unless_stopped(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do `work`, but no longer than until the worker is to stop."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()  # raises what it raised
        finally:
            await _cancel(task, stopped)

    async def drained(self, seconds_max: float) -> bool:
        """Wait until every record has been processed; return whether it came to that."""
        deadline = asyncio.get_running_loop().time() + seconds_max
        while self.views.lag():
            if asyncio.get_running_loop().time() > deadline or self.job.failed.done():
                return False
            await asyncio.sleep(0.05)
        return True


Main = Callable[[Worker], Coroutine[Any, Any, Any]]


def run_worker(settings: Settings, name: str, main: Main) -> Any:
    """Run a worker until `main` ends or a signal comes; return what `main` returned, if it did.

    Raises the error that ended the job, if one did.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 50, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, name, main))


async def _run(settings: Settings, name: str, main: Main) -> Any:
    async with _running(settings, name) as worker:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, worker.stopping.set)
        work = asyncio.ensure_future(main(worker))
        stopped = asyncio.ensure_future(worker.stopping.wait())
        try:
            await asyncio.wait(
                [work, stopped, worker.job.failed], return_when=asyncio.FIRST_COMPLETED
            )
            if worker.job.failed.done():
                worker.job.failed.result()  # raises
            if not work.done():  # a main that looks at `stopping` ends by itself
                await asyncio.wait(
                    [work, worker.job.failed],
                    timeout=STOP_SECONDS_MAX,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            return work.result() if work.done() else None
        finally:
            await _cancel(work, stopped)


@contextlib.asynccontextmanager
async def _running(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open the log, start app and page; stop them and close the state at the end."""
    logging.getLogger("mode").setLevel(logging.ERROR)
    logging.getLogger("faust").setLevel(logging.WARNING)
    folder = Path(settings.data_dir)
    rules = rules_of(settings)
    async with contextlib.AsyncExitStack() as stack:
        log = EmbeddedLog(folder / "log")
        stack.callback(log.close)
        broker = Broker(log, _partitions(log, settings))
        job = Job(rules, folder / "state")
        stack.callback(job.close)
        views = Views(name, job, broker)
        page = await serve(create_web(views.status), settings.host, settings.port)
        stack.push_async_callback(page.cleanup)
        app = create_app(job, broker, str(folder / "faust"), settings.tick_seconds)
        for topic in INPUTS:
            for number in range(broker.partitions):
                job.open(TP(topic, number))  # an unreadable state is told before anything starts
        stack.push_async_callback(_stop, app.stop)
        await app.start()
        yield Worker(job, broker, views, url_of(page))


def _partitions(log: EmbeddedLog, settings: Settings) -> int:
    found = log.partitions_of(MES_EVENTS)
    if found not in (0, settings.partitions):
        raise SettingsError(
            f"partitions is {settings.partitions}, but the log in {settings.data_dir} has {found}: "
            "set it to that, or choose another data_dir"
        )
    return settings.partitions


async def _stop(stop: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop(), STOP_SECONDS_MAX)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
