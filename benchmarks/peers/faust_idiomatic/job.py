"""The benchmark's job on Faust, as its documentation teaches: an agent for each topic, tables.

Its windowed tables and `on_window_close` lose windows (they close by the clock on the wall, and all
partitions share their state). So a plain table has the open windows of each line, and event time
closes them. Values are decoded in the agent: one that Faust itself couldn't decode would be
acknowledged and thrown into the agent, which starts again 5 s later.
"""

import asyncio
import logging
import sys
from collections.abc import Iterator
from typing import Any

import events
import faust
import outcomes
from contestant import Counts, Options, Progress, introduce, read_options, spare_the_collector
from outcomes import Movement

WINDOW_MS = outcomes.WINDOW_SECONDS * 1000
GRACE_MS = outcomes.GRACE_SECONDS * 1000

SETTINGS = {
    "store": "rocksdb://, which is rocksdict here, as the documentation asks of production "
    "(default: memory://)",
    "topic_partitions": "as the input topics have: changelogs need as many (default: 8)",
    "producer_linger": "0.05 s: by default (0) nearly each record is a request of its own",
    "web_enabled": "False: nobody looks (default: True)",
    "worker_redirect_stdouts": "False: progress lines aren't logs (default: True)",
    "value_serializer of inputs": "raw, decoded in the agent with msgspec, typed, as all Python "
    "contestants (default: json)",
    "loglevel": "WARNING, as all contestants; the root logger, which Faust leaves at DEBUG at "
    "this level, too",
    "gc": "frozen after start-up, thresholds 50,000/50/50, as lineside",
}

counts = Counts()


def main() -> None:
    options = read_options("faust_idiomatic")
    packages = ("faust-streaming", "aiokafka", "rocksdict", "msgspec", "orjson")
    introduce(packages, SETTINGS)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(make_changelogs(make_app(options)))
    # Progress lines have stdout for themselves: Faust's spinner spins elsewhere.
    worker = faust.Worker(make_app(options), loglevel="WARNING", stdout=sys.stderr, loop=loop)
    with Progress(counts, options.progress_seconds):
        worker.execute_from_commandline()


async def make_changelogs(app: faust.App) -> None:
    """Make the changelogs that aren't there.

    A worker makes them, too, but doesn't wait until it sees them: where events wait for it already,
    its agents crash on a changelog that "has 0 partitions", again and again.
    """
    async with app.producer:
        for table in app.tables.values():
            await table.changelog_topic.declare()


def make_app(options: Options) -> faust.App:
    """Return the app with both agents and their tables."""
    app = faust.App(
        options.group,
        broker=f"kafka://{options.broker}",
        store="rocksdb://",
        datadir=options.state,
        topic_partitions=options.partitions,
        producer_linger=0.05,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    mes, machine = (
        app.topic(name, key_type=bytes, value_type=bytes, value_serializer="raw")
        for name in events.INPUTS
    )
    out = app.topic(options.out, key_serializer="raw", value_serializer="json")
    lines = Lines(app)
    machine_seen = app.Table("machine-seen", key_type=str, value_type=int)

    @app.agent(mes)
    async def process_mes(values: faust.Stream) -> None:
        async for value in values:
            for place, record in lines.process(value):
                await out.send(key=place, value=record)

    @app.agent(machine)
    async def process_machine(values: faust.Stream) -> None:
        async for value in values:
            event = decoded(events.decode_machine, value)
            if event is not None and event.__class__ is not events.MachineTelemetry:
                is_new(machine_seen, event)

    @app.task
    async def settle() -> None:
        logging.getLogger().setLevel(logging.WARNING)
        spare_the_collector()

    return app


class Lines:
    """The state of the lines of `mes.events.v1`, in three tables."""

    def __init__(self, app: faust.App) -> None:
        self.seen = app.Table("mes-seen", key_type=str, value_type=int)
        """Identities."""
        self.halves = app.Table("episodes", key_type=str)
        """The halves of episodes that wait for the other."""
        self.windows = app.Table("windows", key_type=str)
        """By line: the greatest time that came, and the rows of the windows that are open."""

    def process(self, value: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what leaves because of a value, each with the line."""
        event = decoded(events.decode_mes, value)
        if event is None or not is_new(self.seen, event):
            return
        place = f"{event.plant}/{event.line}"
        kind = event.__class__
        if kind is events.ProductionConfirmed:
            yield place, outcomes.confirmation(event)
            return
        moved = self.movement(place, event)
        if moved is not None:
            for record in self.into_window(place, moved):
                yield place, record

    def movement(self, place: str, event: events.Event) -> Movement | None:
        """Return what goes into a window, if anything does."""
        kind = event.__class__
        if kind is events.MaterialConsumed or kind is events.ScrapDeclared:
            return outcomes.movement(event)
        if kind is events.OperationStarted:
            return outcomes.passing(event)
        if kind is events.DowntimeStarted or kind is events.DowntimeEnded:
            return self.paired(place, event)
        return None

    def paired(
        self, place: str, event: events.DowntimeStarted | events.DowntimeEnded
    ) -> Movement | None:
        """Return what an episode adds if this is its second half, else keep the first."""
        key = f"{place}|{event.data.episode}"
        now = outcomes.half(event)
        before = self.halves.get(key)
        if before is None:
            self.halves[key] = now
            return None
        del self.halves[key]
        return outcomes.stop(before, now)

    def into_window(self, place: str, moved: Movement) -> Iterator[dict[str, Any]]:
        """Add to a window that is open, and yield the records of those that this closes."""
        line = self.windows.get(place) or {"latest": 0, "open": {}}
        start = moved.at - moved.at % WINDOW_MS
        if is_over(start, line["latest"]):
            if moved.row:
                counts.late += 1
                yield outcomes.late(place, moved)
            return
        rows = line["open"]
        if moved.row:
            outcomes.add(rows.setdefault(str(start), {}), moved)
        line["latest"] = latest = max(moved.at, line["latest"])
        for text in sorted(rows):
            if is_over(int(text), latest):
                yield from outcomes.closed(place, int(text), rows.pop(text))
        self.windows[place] = line


def decoded(decode: Any, value: bytes) -> events.Event | None:
    """Return an event; what isn't one is counted."""
    counts.records += 1
    try:
        event: events.Event = decode(value)
    except ValueError:
        counts.bad += 1
        return None
    return event


def is_new(seen: faust.Table, event: events.Event) -> bool:
    """Whether an event's identity wasn't seen before on its line; it is from now on."""
    key = f"{event.plant}/{event.line}|{event.source}|{event.id}"
    if key in seen:
        counts.duplicates += 1
        return False
    seen[key] = 1
    return True


def is_over(start: int, latest: int) -> bool:
    """Whether the window that starts there is closed."""
    return start + WINDOW_MS + GRACE_MS <= latest


if __name__ == "__main__":
    main()
