"""Whether a worker with lag makes progress."""

from time import monotonic
from typing import Protocol

from faust.types import TP
from msgspec import Struct

from agents.process_events import Job


class Ends(Protocol):
    """Knows the end offsets of partitions."""

    @property
    def answers(self) -> bool:
        """Whether the log can be reached: no restart of a worker helps while the broker is away."""
        ...

    def committed_end(self, tp: TP) -> int | None:
        """Return the offset after the last committed record, None while it isn't known.

        Records in an open transaction of another producer can't be processed yet.
        """
        ...


class _Seen(Struct):
    lasting: int
    since: float
    """When the partition got to this offset, or last had nothing to do."""


class Liveness:
    """Watches the progress of partitions; somebody has to call `look` now and then."""

    def __init__(self, job: Job, ends: Ends) -> None:
        self._job = job
        self._ends = ends
        self._seen: dict[TP, _Seen] = {}

    def look(self, now: float | None = None) -> float:
        """Return for how many seconds a partition with lag has stood still, the longest of all.

        A partition that waits for its state for the first time doesn't count: readiness reports it.
        One that is opened anew after a loss counts: it has lag, and hasn't moved.
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
