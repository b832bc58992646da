"""Surveys of all lines of a worker: sums, states, and the lines that a status lists."""

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
"""Rates are averages over about this long."""

Seen = dict[tuple[str, int, int, bytes], int]
"""Accepted events by topic, partition, number of the partition's opening, and line."""


class Survey(Struct, frozen=True, kw_only=True):
    """The result of a survey."""

    figures: dict[str, Any]
    """The survey's part of the status document."""
    newest: int
    """The highest watermark of all lines."""
    seen: Seen
    """Accepted events of the listed lines."""
    at: float


NOT_LISTED: Final[dict[str, Any]] = {"lines": [], "line_count": None, "line_states": None}
NOT_ADDED_UP: Final[dict[str, Any]] = {
    "surveyed": None, "late": None, "open_windows": None, "waiting_finals": None, "parked": None,
    "parked_since": None, "waiting_ends": None, "overlong_episodes": None,
    "forgotten_open_seconds": None, "episodes": [], "idle_holds": None,
    "releases_without_hold": None, "holds": [], "conservation": None,
}  # fmt: skip
"""The survey's part of the status until the first survey has ended."""


class Surveys:
    """Surveys all lines again and again while somebody asks, within a share of the time."""

    def __init__(self, job: Job, turns: Turns) -> None:
        self.newest_watermark = 0
        self._figures = NOT_LISTED | NOT_ADDED_UP
        self._job = job
        self._turns = turns
        self._running: asyncio.Task[None] | None = None
        self._before: deque[Survey] = deque()

    async def newest(self, seconds_max: float) -> dict[str, Any]:
        """Return the result of a survey that starts now, or the last one if that takes too long.

        It is the part of the status document that is about lines.
        """
        if self._running is None:
            self._running = asyncio.ensure_future(self._look())
        running = self._running
        await asyncio.wait([running], timeout=seconds_max)
        if running.done():
            self._running = None
            running.result()  # raises the survey's error
        return self._figures

    async def close(self) -> None:
        """Stop surveying."""
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
        self._figures = self._figures | listed.figures  # adding up takes ten times as long
        self._figures = self._figures | await self._turns.run(self._add_up(partitions))

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
        figures = {
            "lines": entries,
            "line_count": states.total() + stored,
            "line_states": {state: states[state] for state in STATES} | {"stored": stored},
        }
        return Survey(figures=figures, newest=newest, seen=seen, at=at)

    def _add_up(self, partitions: Sequence[Partition]) -> Work[dict[str, Any]]:
        totals = Totals()
        for found in walk(partitions):
            if found is None:
                yield
                continue
            for line, partition in found[1]:
                totals.add(line, partition.rules)
        own = {id(partition) for partition in self._job.partitions.values()}
        for partition in partitions:  # some may have become another's between two slices
            totals.add_partition(partition, closed=id(partition) not in own)
        return {"surveyed": instant.text(round(time()) * instant.SECOND), **totals.as_dict()}

    def _rate(self, now: Seen, at: float) -> float | None:
        """Return how many events of a line this process accepts a second.

        Each half counts from the oldest survey of the last seconds that saw the same opening of its
        partition: events that were counted before that opening don't belong to this process.
        """
        rates = []
        for one, accepted in now.items():
            since = next((each for each in self._before if one in each.seen), None)
            if since is not None:
                rates.append(max(accepted - since.seen[one], 0) / max(at - since.at, 1e-3))
        return sum(rates) if rates else None
