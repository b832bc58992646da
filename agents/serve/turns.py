"""Long work for those who watch, in slices: between two of them the job has its turn."""

import asyncio
from collections.abc import Coroutine, Generator
from time import perf_counter, thread_time
from typing import Any, Final, TypeVar

T = TypeVar("T")

TIME_SHARE_MAX: Final = 0.04
"""Looking at the lines takes no more of the event loop than this, however many there are."""

BURST_SECONDS_MAX: Final = 0.05
"""What is shorter is done at once, and makes the next wait."""

SLICE_SECONDS: Final = 0.003
"""Work should go so far before it yields; heartbeats and batches wait for no more."""

Work = Generator[None, None, T]
"""Yields between slices, and returns what came of it."""


class Turns:
    """Lets works follow one another, in no more than a share of the event loop's time."""

    def __init__(self, share: float = TIME_SHARE_MAX) -> None:
        self._share = share
        self._one = asyncio.Lock()
        self._paid_at = 0.0
        """When all the time that was taken is paid for: by as much time for others."""

    async def run(self, work: Work[T]) -> T:
        """Do a work, slice by slice, each after one of every other's; return what it returns."""
        while True:
            async with self._one:  # it's given out in the order of asking
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
    """Awaits something, and knows what time that took itself, without what others did meanwhile."""

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
            except BaseException as raised:  # a cancellation above all: it's for what is awaited
                error = raised
