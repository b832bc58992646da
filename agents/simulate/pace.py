"""The rate at which a simulated factory delivers its events."""

from time import time
from typing import Final

from agents.simulate.factory import Plan, arrivals
from agents.simulate.mess import Arrival

PULSE_SECONDS: Final = 0.05
"""The time between two deliveries."""

OWED_SECONDS_MAX: Final = 1.0
"""A delay beyond this isn't caught up."""


class Pace:
    """Hands out a factory's arrivals at a given rate, and none before it happens.

    The factory's clock runs as fast as the rate requires, but never past the real time.
    """

    def __init__(self, plan: Plan, rate: float) -> None:
        self.rate = rate
        """Arrivals a second, ticks included; the caller may change it."""
        self._factory = arrivals(plan)
        self._waiting = next(self._factory)
        self._owed = 0.0
        self._since: float | None = None

    @property
    def at(self) -> int:
        """The factory time of the next arrival, in epoch microseconds."""
        return self._waiting.at

    def due(self, elapsed: float, room: int) -> list[Arrival]:
        """Return the arrivals that are due `elapsed` seconds after the start, at most `room`."""
        passed = elapsed if self._since is None else elapsed - self._since
        self._since = elapsed
        self._owed += self.rate * passed
        now = clock()
        due: list[Arrival] = []
        while len(due) < min(self._owed, room) and self._waiting.at <= now:
            due.append(self._waiting)
            self._waiting = next(self._factory)
        self._owed = min(self._owed - len(due), self.rate * OWED_SECONDS_MAX)
        return due


def clock() -> int:
    """Return the real time in epoch microseconds, in whole milliseconds."""
    return round(time() * 1e3) * 1000
