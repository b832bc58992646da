"""Whether a worker that has something to do gets on with it."""

from time import monotonic
from typing import Protocol

from faust.types import TP
from msgspec import Struct

from agents.process_events import Job


class Ends(Protocol):
    """Who knows how far partitions reach."""

    @property
    def answers(self) -> bool:
        """Whether the log can be reached: a worker whose broker is away has nothing to mend."""
        ...

    def committed_end(self, tp: TP) -> int | None:
        """Return the offset after the last committed record, None while it isn't known.

        What is in an open transaction of somebody else's can't be processed yet.
        """
        ...


class _Seen(Struct):
    lasting: int
    since: float
    """When the partition was there, or had nothing more to do."""


class Liveness:
    """Watches how far the partitions are: has to `look` now and then."""

    def __init__(self, job: Job, ends: Ends) -> None:
        self._job = job
        self._ends = ends
        self._seen: dict[TP, _Seen] = {}

    def look(self, now: float | None = None) -> float:
        """Return for how many seconds a partition with lag has stood still, the longest of them.

        One whose state is awaited for the first time isn't looked at: that's what readiness is for.
        One that is opened anew after a loss is: it has lag, and it hasn't moved.
        """
        at = monotonic() if now is None else now
        seen, self._seen = self._seen, {}
        for tp, task in self._job.tasks.items():
            if task.partition is None and not task.lasting:
                continue
            end = self._ends.committed_end(tp)
            before = seen.get(tp)
            if (
                before is None
                or task.lasting != before.lasting
                or end is None
                or end <= task.lasting
                or not self._ends.answers
            ):
                before = _Seen(task.lasting, at)
            self._seen[tp] = before
        return max((at - one.since for one in self._seen.values()), default=0.0)
