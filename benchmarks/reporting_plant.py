"""A worker, a plant of `factory.py` that reports to it, and a look at what it does."""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from factory import Reporting, line_on
from measure import Watched
from rig import Rig

from streams.contract.topics import ERP_TRANSACTIONS, MES_EVENTS
from streams.kafka.producer import Outputs

TICK_SECONDS: Final = 1
"""Master data is kept and copied by a worker that ticks."""

POSTED_SECONDS_MAX: Final = 60

POLL_MS: Final = 20

ID: Final = re.compile(rb'"id": ?"([^"]+)"')


class Plant:
    """A worker, a plant that reports to it, and a look at what it does."""

    def __init__(self, rig: Rig, group: str, outputs: Outputs) -> None:
        self.rig, self.group, self.outputs = rig, group, outputs
        self.lines = [line_on(number, rig.partitions) for number in range(rig.partitions)]
        self.reporting: Reporting
        self.posted: Watching
        """By the ids of what leaves for the ERP."""
        self.copied: Watching
        """By `partition key` of records of holds in the input topic."""

    def worker(self, guarantee: str) -> Watched:
        """Start a worker that ticks."""
        folder = self.rig.folder / self.group
        return self.rig.worker(self.group, folder, guarantee, tick_seconds=TICK_SECONDS)

    async def settled(self) -> None:
        """Wait until all of the flow has left."""
        await asyncio.gather(
            *(self.posted.wait(id, POSTED_SECONDS_MAX) for id in self.reporting.sent)
        )


@asynccontextmanager
async def watched_plant(rig: Rig, group: str) -> AsyncIterator[Plant]:
    """Give a plant without a worker yet; all topics are new."""
    await asyncio.to_thread(rig.renew, group)
    async with AsyncExitStack() as stack:
        outputs = Outputs(rig.cluster)
        stack.push_async_callback(outputs.close)
        plant = Plant(rig, group, outputs)
        plant.reporting = Reporting(await outputs.producer(), rig.partitions)
        tasks = []
        for topic, name_of in ((ERP_TRANSACTIONS, _posted), (MES_EVENTS, _held)):
            reader = await stack.enter_async_context(rig.cluster.reader())
            reader.assign(rig.tps([topic]))
            await reader.seek_to_end()
            tasks.append(Watching(reader, name_of))
        plant.posted, plant.copied = tasks
        running = [asyncio.ensure_future(each.watch()) for each in tasks]
        try:
            yield plant
        finally:
            for each in running:
                each.cancel()
            await asyncio.wait(running)


def _posted(record: Any) -> str | None:
    found = ID.search(record.value[:200])
    return None if found is None else found[1].decode()


def _held(record: Any) -> str | None:
    is_hold = record.key is not None and record.key.startswith(b"hold|")
    return f"{record.partition} {record.key.decode()}" if is_hold else None


class Watching:
    """Reads partitions from now on; whoever waits for a name is told when it was seen."""

    def __init__(self, reader: AIOKafkaConsumer, name_of: Callable[[Any], str | None]) -> None:
        self.seen: dict[str, tuple[float, float]] = {}
        """By name: the record's timestamp and when it was seen, in milliseconds."""
        self._reader = reader
        self._name_of = name_of
        self._waiting: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def watch(self) -> None:
        """Read until it's cancelled."""
        while True:
            polled = await self._reader.getmany(timeout_ms=POLL_MS)
            now = time.time() * 1000
            for records in polled.values():
                for record in records:
                    name = self._name_of(record)
                    if name is not None and name not in self.seen:
                        self.seen[name] = (record.timestamp, now)
                        self._waiting[name].set()

    async def wait(self, name: str, seconds_max: float) -> tuple[float, float]:
        """Return when a name was written and seen."""
        async with asyncio.timeout(seconds_max):
            await self._waiting[name].wait()
        return self.seen[name]
