"""Long work for the page and metrics, in slices: the job goes on between two slices."""

import asyncio
from collections.abc import Coroutine, Generator
from time import perf_counter, thread_time
from typing import Any, Final, TypeVar

T = TypeVar("T")

TIME_SHARE_MAX: Final = 0.04
"""Surveys of lines take at most this share of the event loop, however many lines there are."""

BURST_SECONDS_MAX: Final = 0.05
"""Work that is shorter is done at once; the next work waits longer for it."""

SLICE_SECONDS: Final = 0.003
"""Work should yield after this long: heartbeats and batches wait meanwhile."""

Work = Generator[None, None, T]
"""Yields between slices, and returns its result."""


class Turns:
    """Runs works in turns, within a share of the event loop's time."""

    def __init__(self, share: float = TIME_SHARE_MAX) -> None:
        self._share = share
        self._one = asyncio.Lock()
        self._paid_at = 0.0
        """When other work will have had its share for all the time that was taken."""

    async def run(self, work: Work[T]) -> T:
        """Do a work, slice by slice, in turns with all others; return its result."""
        while True:
            async with self._one:  # asyncio's lock is granted in the order of asking
                rest = self._paid_at - perf_counter() - BURST_SECONDS_MAX / self._share
                await asyncio.sleep(max(rest, 0))
                began = thread_time()
                try:
                    next(work)
                except StopIteration as done:
                    result: T = done.value
                    return result
                finally:
                    price = (thread_time() - began) / self._share
                    self._paid_at = max(self._paid_at, perf_counter()) + price


class Timed:
    """Awaits something, and measures its own time, without that of other tasks meanwhile."""

    def __init__(self, what: Coroutine[Any, Any, T]) -> None:
        self._what = what
        self.seconds = 0.0

    def __await__(self) -> Generator[Any, Any, Any]:
        given: Any = None
        error: BaseException | None = None
        while True:
            began = thread_time()
            try:
                asked = self._what.send(given) if error is None else self._what.throw(error)
            except StopIteration as done:
                return done.value
            finally:
                self.seconds += thread_time() - began
            try:
                given, error = (yield asked), None
            except BaseException as raised:  # also a cancellation: it's for what is awaited
                error = raised
