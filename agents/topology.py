"""Which agent reads, remembers and writes what: read this first.

    mes.events.v1 ────┐                        ┌──▶ erp.transactions.v1
                      ├──▶ process_events ─────┼──▶ summary.*.v1
    machine.events.v1 ┘      │        ▲        └──▶ exceptions.v1
          ▲                  ▼        │
          │             one state for each input partition:
     tick_clock         ledger, windows, episodes, offset

Keys are `plant/line`, so a line's events are in one partition of each input topic, and in order.
"""

from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.types import TP

from agents.process_events import Job, process_events
from agents.tick_clock import tick_clock
from streams.batches import BatchSchema
from streams.embedded import Broker
from streams.topics import INPUTS

BATCHES_WAITING_MAX = 2
"""Batches that wait for an agent; past that its partitions aren't read: bounds memory."""


class _Boot(BootStrategy):  # type: ignore[misc]  # Faust's base is Any to mypy
    enable_web = False  # Faust's own pages show keys and values to anyone


class App(faust.App):  # type: ignore[misc]  # Faust's base is Any to mypy
    """The Faust app of a worker; the transport asks it for its log and where to go on."""

    BootStrategy = _Boot

    job: Job
    broker_of_log: Broker

    def resume_offset(self, tp: TP) -> int:
        """Return the offset at which a partition goes on."""
        return self.job.resume_offset(tp)


def create_app(job: Job, broker: Broker, data_dir: str, tick_seconds: float) -> App:
    """Return the app: its agents, their topics, and the clock."""
    app = App(
        "lineside",
        broker="embedded://",
        datadir=data_dir,
        store="memory://",
        topic_partitions=broker.partitions,
        topic_disable_leader=True,
        stream_buffer_maxsize=BATCHES_WAITING_MAX,
        stream_wait_empty=False,
        web_enabled=False,
    )
    app.job, app.broker_of_log = job, broker

    async def deliver(*args: Any) -> None:
        await app.producer.deliver(*args)

    for topic in INPUTS:
        channel = app.topic(topic, schema=BatchSchema(), partitions=broker.partitions)
        app.agent(channel, name=f"process-{topic}")(process_events(job, deliver))
    if tick_seconds:
        app.task(tick_clock(broker, tick_seconds))
    return app
