"""A worker from its settings to its end: log, job, Faust app, page, and an orderly stop."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

import uvloop

from agents.process_events import Job
from agents.serve.access import access_of
from agents.serve.job_metrics import JobMetrics
from agents.serve.liveness import Liveness
from agents.serve.metrics import Exposition
from agents.serve.probes import add_probes
from agents.serve.status import Host, JobStatus
from agents.serve.web import create_web, serve, url_of
from agents.settings.settings import Settings, rules_of
from agents.topology import App
from agents.worker.descriptors import allow_all
from agents.worker.embedded_host import EmbeddedHost
from agents.worker.garbage import collect_seldom
from agents.worker.logs import Refusals, set_up_logs
from streams.core import core_of
from streams.embedded.transport import Broker
from streams.trouble import Trouble

if TYPE_CHECKING:
    from agents.desk.running import RunningDesk

STOP_SECONDS_MAX: Final = 10.0
"""A stop takes no longer than this, however much is still to be processed."""

FAUST_SECONDS_MAX: Final = 3.0
"""The part of a stop that Faust and its consumer may take after the partitions are closed."""

WATCH_SECONDS: Final = 5.0
STALLED_CHECKS_MAX: Final = 12
"""After this many checks without a poll the consumer counts as dead, and the worker ends with an
error."""

WAITING_SECONDS: Final = 15.0
"""A worker that gets no partition logs that this often."""

log = logging.getLogger("lineside.worker")


class StalledError(Trouble):
    """The worker no longer asks for records."""


class _StoppedEarly(Exception):
    """A signal came before the worker had started."""


class Worker:
    """A running worker, for those who feed it or wait for it."""

    def __init__(
        self, job: Job, host: Host, job_status: JobStatus, url: str, stopping: asyncio.Event
    ) -> None:
        self.job = job
        self.host = host
        self.job_status = job_status
        self.url = url
        self.stopping = stopping
        self.desk: RunningDesk | None = None
        """The desk in this process, if there is one."""

    async def unless_stopped(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do `work`, and cut it short when the worker has to stop."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()  # raises the error of `work`
        finally:
            await _cancel(task, stopped)

    @property
    def broker(self) -> Broker:
        """The embedded log; a worker on Kafka has none."""
        assert isinstance(self.host, EmbeddedHost)
        return self.host.broker

    async def opened(self) -> None:
        """Wait until every partition has its state; raises the error if one can't be opened."""
        while not self.job.ready:
            if self.job.failed.done():
                self.job.failed.result()
            await asyncio.sleep(0.005)

    async def drained(self, seconds_max: float) -> bool:
        """Wait until every record has been processed; return False if that took too long."""
        deadline = asyncio.get_running_loop().time() + seconds_max
        while self.job_status.lag() != 0 or not self.job.ready:
            if asyncio.get_running_loop().time() > deadline or self.job.failed.done():
                return False
            await asyncio.sleep(0.05)
        return True


T = TypeVar("T")

Main = Callable[[Worker], Coroutine[Any, Any, Any]]


def run_worker(
    settings: Settings,
    name: str,
    main: Main,
    *,
    keeps_master: bool | None = None,
    desk: bool = False,
) -> Any:
    """Run a worker until `main` ends or a signal comes; return what `main` returned, if it did.

    On the embedded log `keeps_master` says whether it keeps and copies master data; None: if it
    ticks. `desk`: it has the desk in its process, too. Raises the error that ended the job, if one
    did.
    """
    collect_seldom()
    allow_all()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, name, main, keeps_master, desk))


async def _run(
    settings: Settings, name: str, main: Main, keeps_master: bool | None, desk: bool
) -> Any:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # before anything starts that could miss one
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        async with _running(settings, name, stopping, keeps_master, desk) as worker:
            result = await _until_stopped(worker, main)
    except _StoppedEarly:
        return None
    if worker.job.failed.done():  # it failed while it was being stopped
        worker.job.failed.result()
    return result


async def _until_stopped(worker: Worker, main: Main) -> Any:
    work = asyncio.ensure_future(main(worker))
    stopped = asyncio.ensure_future(worker.stopping.wait())
    try:
        await asyncio.wait([work, stopped, worker.job.failed], return_when=asyncio.FIRST_COMPLETED)
        if worker.job.failed.done():
            worker.job.failed.result()  # raises
        if not work.done():  # a `main` that watches `stopping` ends by itself
            await asyncio.wait(
                [work, worker.job.failed],
                timeout=STOP_SECONDS_MAX,
                return_when=asyncio.FIRST_COMPLETED,
            )
        return work.result() if work.done() else None
    finally:
        await _cancel(work, stopped)


@contextlib.asynccontextmanager
async def _running(
    settings: Settings, name: str, stopping: asyncio.Event, keeps_master: bool | None, desk: bool
) -> AsyncIterator[Worker]:
    """Start the page, the app on its host, the desk; stop them and close the states at the end."""
    set_up_logs(settings.log_format)
    rules = rules_of(settings)
    async with contextlib.AsyncExitStack() as stack:
        access = access_of(settings)
        host = await _unless_stopped(_host(settings, keeps_master), stopping)
        stack.push_async_callback(host.close)
        job = Job(rules, host.open)
        job_status = JobStatus(name, job, host)
        refusals = Refusals()
        job.watchers.append(refusals.log_exceptions)
        stack.callback(refusals.log_rest)
        liveness = Liveness(job, host)
        web = create_web(job_status.status, job_status.ready, access, job_status.lines)
        readings = JobMetrics(job, host, liveness, settings.data_dir, settings.tick_seconds)
        exposition = Exposition(readings.read)
        still_max = settings.no_progress_seconds_max
        add_probes(web, job_status.ready, liveness.look, still_max, exposition)
        page = await serve(web, settings.host, settings.port)
        stack.push_async_callback(page.cleanup)
        app = host.create_app(job)
        stack.push_async_callback(_stop, app.stop)
        await _unless_stopped(_unless_failed(app.start(), job), stopping)
        stack.push_async_callback(_release, app)
        watching = asyncio.ensure_future(_watch(app, job, liveness, refusals))
        stack.push_async_callback(_cancel, watching)
        worker = Worker(job, host, job_status, url_of(page), stopping)
        if isinstance(host, EmbeddedHost):  # an unreadable state is reported before anything starts
            await _unless_stopped(worker.opened(), stopping)
            if desk:
                from agents.desk.embedding import embedded_desk  # a database isn't every worker's

                at_desk = embedded_desk(settings, host.broker, worker.url, job_status.status)
                worker.desk = await stack.enter_async_context(at_desk)
        stack.push_async_callback(job_status.end)
        log.info("core: %s", core_of().text)
        yield worker


async def _host(settings: Settings, keeps_master: bool | None) -> Host:
    if not settings.broker:
        return EmbeddedHost(settings, keeps_master=keeps_master)
    from agents.worker.kafka_host import KafkaHost

    return await KafkaHost.connect(settings)


async def _unless_stopped(start: Coroutine[Any, Any, T], stopping: asyncio.Event) -> T:
    """Do a part of the start; raise `_StoppedEarly` as soon as a signal comes."""
    starting = asyncio.ensure_future(start)
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([starting, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            raise _StoppedEarly
        return starting.result()
    finally:
        await _cancel(starting, stopped)


async def _unless_failed(start: Coroutine[Any, Any, Any], job: Job) -> None:
    """Start the app; raise if the job fails: a worker that its group refuses gets no partitions."""
    starting = asyncio.ensure_future(start)
    try:
        await asyncio.wait([starting, job.failed], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            job.failed.result()  # raises
        await starting
    finally:
        await _cancel(starting)


async def _watch(app: App, job: Job, liveness: Liveness, refusals: Refusals) -> None:
    """End the job if the consumer stands still: a process that only looks alive helps nobody."""
    polls, checks, waited = -1, 0, 0.0
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        liveness.look()
        refusals.log_rest()
        waited = 0.0 if job.joined else waited + WATCH_SECONDS
        if waited and waited % WAITING_SECONDS == 0:
            log.warning("no partitions for %.0f s: the group's coordinator doesn't answer", waited)
        still = job.joined and app.consumer.polls == polls
        polls, checks = app.consumer.polls, checks + 1 if still else 0
        if checks >= STALLED_CHECKS_MAX:
            spell = f"{checks * WATCH_SECONDS:.0f} s"
            job.fail(StalledError(f"no records were asked for in {spell}: restart the worker"))


async def _release(app: App) -> None:
    """Finish the writes that have begun, and commit the offsets to the group."""
    app.job.ending = True
    await app.consumer._commit(await app.host.release())


async def _stop(stop: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop(), FAUST_SECONDS_MAX)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
