"""How fast a simulated factory delivers."""

from time import time
from typing import Final

from agents.simulate.factory import Plan, arrivals
from agents.simulate.mess import Arrival

PULSE_SECONDS: Final = 0.05
"""It delivers so often."""

OWED_SECONDS_MAX: Final = 1.0
"""What was held back for longer isn't made up for."""


class Pace:
    """Hands out what a factory delivers: so many a second, and nothing before it happens.

    Its clock runs as fast as the rate asks for, but never past the real one.
    """

    def __init__(self, plan: Plan, rate: float) -> None:
        self.rate = rate
        """Arrivals a second, ticks among them; whoever paces may change it."""
        self._factory = arrivals(plan)
        self._waiting = next(self._factory)
        self._owed = 0.0
        self._since: float | None = None

    @property
    def at(self) -> int:
        """The factory time of the next arrival, in epoch microseconds."""
        return self._waiting.at

    def due(self, elapsed: float, room: int) -> list[Arrival]:
        """Return what is to be delivered `elapsed` seconds after the start: `room` at most."""
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
