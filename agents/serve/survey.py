"""A look at every line of a worker: sums, states, and the lines that are listed."""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from time import monotonic, time
from typing import Any, Final

from msgspec import Struct

from agents.process_events import Job
from agents.serve.lines import (
    STATES,
    Shortlist,
    entry,
    natural,
    newest_watermark,
    state_of,
    walk,
)
from agents.serve.turns import Turns, Work
from streams.contract.topics import INPUTS
from streams.values import instant
from tables.partition.partition import Partition
from tables.report import Totals

RATE_SECONDS: Final = 5.0
"""Rates are over about so long."""

Seen = dict[tuple[str, int, int, bytes], int]
"""Accepted events by topic, partition, the how manyth opening of that, and line."""


class Survey(Struct, frozen=True, kw_only=True):
    """What a look has listed."""

    told: dict[str, Any]
    """Its part of the status document."""
    newest: int
    """The watermark that is ahead of all others."""
    seen: Seen
    """Of the lines that are listed."""
    at: float


NOT_LISTED: Final[dict[str, Any]] = {"lines": [], "line_count": None, "line_states": None}
NOT_ADDED_UP: Final[dict[str, Any]] = {
    "surveyed": None, "late": None, "open_windows": None, "waiting_ends": None,
    "overlong_episodes": None, "episodes": [], "conservation": None,
}  # fmt: skip
"""What is said of the lines before the first look has come so far."""


class Surveys:
    """Looks at all lines again and again, as long as somebody asks and as time allows."""

    def __init__(self, job: Job, turns: Turns) -> None:
        self.newest_watermark = 0
        self._told = NOT_LISTED | NOT_ADDED_UP
        self._job = job
        self._turns = turns
        self._running: asyncio.Task[None] | None = None
        self._before: deque[Survey] = deque()

    async def newest(self, seconds_max: float) -> dict[str, Any]:
        """Return what a look from now on finds, or the last one if it isn't there in time.

        It is the part of the status document that is of lines.
        """
        if self._running is None:
            self._running = asyncio.ensure_future(self._look())
        running = self._running
        await asyncio.wait([running], timeout=seconds_max)
        if running.done():
            self._running = None
            running.result()  # raises what it raised
        return self._told

    async def close(self) -> None:
        """Look no more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _look(self) -> None:
        partitions = list(self._job.partitions.values())
        listed = await self._turns.run(self._list(partitions))
        before = self._before
        while len(before) > 1 and listed.at - before[1].at >= RATE_SECONDS:
            before.popleft()
        if not before or listed.at - before[-1].at >= RATE_SECONDS / 10:
            before.append(listed)
        self.newest_watermark = listed.newest
        self._told = self._told | listed.told  # adding up takes ten times as long
        self._told = self._told | await self._turns.run(_add_up(partitions))

    def _list(self, partitions: Sequence[Partition]) -> Work[Survey]:
        openings = self._job.meter.openings.copy()
        newest = yield from newest_watermark(partitions)
        shortlist, states = Shortlist(), Counter[str]()
        for found in walk(partitions):
            if found is None:
                yield
                continue
            key, halves = found
            state, _ = state_of(halves, newest)
            states[state] += 1
            shortlist.show((int(state != "down"), natural(key.decode())), key, halves)
        stored = max(
            sum(one.cold.count for one in partitions if one.topic == topic) for topic in INPUTS
        )
        at, seen, entries = monotonic(), Seen(), []
        for _, key, halves in shortlist.first():
            own = {
                (one.topic, one.number, openings[one.topic, one.number], key): line.accepted_events
                for line, one in halves
            }
            seen |= own
            entries.append(entry(halves, newest, self._rate(own, at)))
        told = {
            "lines": entries,
            "line_count": states.total() + stored,
            "line_states": {state: states[state] for state in STATES} | {"stored": stored},
        }
        return Survey(told=told, newest=newest, seen=seen, at=at)

    def _rate(self, now: Seen, at: float) -> float | None:
        """Return how many events of a line this process accepts in a second.

        Of each half since the oldest look of the last seconds in which it was open as it is now:
        what a partition had counted before it came here is none of it.
        """
        rates = []
        for one, accepted in now.items():
            since = next((each for each in self._before if one in each.seen), None)
            if since is not None:
                rates.append(max(accepted - since.seen[one], 0) / max(at - since.at, 1e-3))
        return sum(rates) if rates else None


def _add_up(partitions: Sequence[Partition]) -> Work[dict[str, Any]]:
    totals = Totals()
    for found in walk(partitions):
        if found is None:
            yield
            continue
        for line, partition in found[1]:
            totals.add(line, partition.rules)
    for partition in partitions:
        totals.add_cold(partition.cold)
    return {"surveyed": instant.text(round(time()) * instant.SECOND), **totals.told()}
