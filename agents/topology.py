"""Which agent reads, remembers and writes what: read this first.

    mes.events.v1 ────┐                        ┌──▶ erp.transactions.v1
                      ├──▶ process_events ─────┼──▶ summary.*.v1
    machine.events.v1 ┘      │        ▲        └──▶ exceptions.v1
          ▲                  ▼        │
          │             one state for each input partition:
     tick_clock         ledger, windows, episodes, offset

    erp.master.v1 ──▶ keep_reference ──▶ reference.v1 ──▶ spread_reference ──▶ mes.events.v1
                             │                ▲                                      ▲
                             ▼                │                                      │
                       exceptions.v1    announce_plants                              │
                             │                                                       │
                             └──────────▶ resend_events ─────────────────────────────┘

Keys are `plant/line`, so a line's events are in one partition of each input topic, and in order.
Master data are told once, on `erp.master.v1`, and copied into each partition that needs them.
Events that were refused since they lacked some go back to their partitions once it has come.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import faust
from faust.app.base import BootStrategy
from faust.types import TP

from agents.announce_plants import announce_plants
from agents.keep_reference import keep_reference
from agents.process_events import Job, process_events
from agents.resend_events import resend_events
from agents.spread_reference import spread_reference
from agents.tick_clock import Ticker, tick_clock
from streams.contract.topics import INPUTS
from streams.log.batches import BatchSchema
from streams.log.owner import Owner, Tasks
from streams.log.reference import ReferenceLog
from streams.log.resending import ResendingLog
from tables.reference.keeping import Terms
from tables.reference.standing import Standing

BATCHES_WAITING_MAX = 2
"""Batches on their way to an agent, which hands them on at once; the tasks bound what waits."""


class _Boot(BootStrategy):  # type: ignore[misc]  # Faust's base is Any to mypy
    enable_web = False  # Faust's own pages show keys and values to anyone


class App(faust.App):  # type: ignore[misc]  # Faust's base is Any to mypy
    """The Faust app of a worker: to its transport it is a `streams.log.owner.App`."""

    BootStrategy = _Boot

    job: Job
    host: Owner

    def _crash(self, reason: BaseException) -> None:
        """End the job when any service of Faust's has crashed: it would stand still else."""
        self.job.fail(reason)
        super()._crash(reason)


def create_app(
    job: Job,
    host: Owner,
    ticker: Ticker,
    tick_seconds: float,
    broker: str,
    data_dir: str,
    name: str = "lineside",
    master: Callable[[], ReferenceLog] | None = None,
    resending: ResendingLog | None = None,
    terms: Terms | None = None,
    **options: Any,
) -> App:
    """Return the app: its agents, their topics, the clock, and the keeping of master data.

    `broker` is the URL that names the transport: `embedded://` or `batches://`. `master` returns an
    agent's way to master data; without it none is kept or copied. By `resending` events that were
    refused since they lacked some are sent again.
    """
    app = App(
        name,
        broker=broker,
        datadir=data_dir,
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_buffer_maxsize=BATCHES_WAITING_MAX,
        stream_wait_empty=False,
        web_enabled=False,
        **options,
    )
    app.job, app.host = job, host
    job.seek = _seek(app)
    for topic in INPUTS:
        channel = app.topic(topic, schema=BatchSchema())
        app.agent(channel, name=f"process-{topic}")(process_events(job))
    if tick_seconds:
        app.task(tick_clock(ticker, tick_seconds))
    if master is not None:
        standing = Standing()
        app.task(keep_reference(master(), terms or Terms(), standing))
        app.task(spread_reference(master(), standing))
        if resending is not None:
            app.task(resend_events(resending, standing))
        app.task(announce_plants(master(), lambda: job.partitions))
    return app


if TYPE_CHECKING:  # Faust hands the app to the transport, and leaves it Any: so mypy is asked here
    _tasks: type[Tasks] = Job


def _seek(app: App) -> Callable[[TP, int], Awaitable[None]]:
    async def seek(tp: TP, offset: int) -> None:
        await app.consumer.seek(tp, offset)

    return seek
