"""A factory's events on their way into a cluster for hours, at one rate, whatever happens there."""

import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Final, Self

from feeding import produce

LOG: Final = Path(__file__).with_name("soak_log.py")

HOLD_SECONDS: Final = 10.0
"""From one hold to the next, about."""

HELD_SECONDS: Final = 40.0

CHUNK_SECONDS: Final = 5.0

TICK: Final = b'"clock.tick.v1"'
"""Ticks are no events, of which there are so many a second."""

CATCHING_UP: Final = 2.0
"""So many times its rate at most, where it has fallen behind."""


class SteadyFeeder:
    """Produces the soak's log as it is made: it lies nowhere.

    It stops at the first part that can't be produced; `check` and `finish` say why.
    """

    def __init__(self, broker: str, folder: Path, events: int, rate: float, seed: int) -> None:
        """Feed so many events, and ticks and holds with them."""
        self.fed = 0
        """Lines; acknowledged by the broker."""
        self.rate = rate
        self._broker = broker
        self._part = folder / "part.ndjson"
        self._fed_at = time.monotonic()
        self._ending = threading.Event()
        self._failed: str | None = None
        self._thread = threading.Thread(target=self._feed)
        asked = {
            "events": events, "seed": seed,
            "every": round(HOLD_SECONDS * rate), "lasts": round(HELD_SECONDS * rate),
        }  # fmt: skip
        self._factory = subprocess.Popen(
            [sys.executable, LOG, *(f"--{name}={value}" for name, value in asked.items())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._factory.kill()
        self._factory.communicate()

    def last(self, seconds: float) -> None:
        """Its rate is its own."""

    @property
    def still_seconds(self) -> float:
        """For how long no part has been acknowledged."""
        return time.monotonic() - self._fed_at

    @property
    def feeding(self) -> bool:
        """Whether there is more to come."""
        return self._thread.is_alive()

    def check(self) -> None:
        """Fail if it failed."""
        assert self._failed is None, self._failed

    def finish(self) -> None:
        """Wait until the last event is acknowledged."""
        self._thread.join()
        self.check()

    def _feed(self) -> None:
        assert self._factory.stdout is not None
        began, events = time.monotonic(), 0
        while not self._ending.is_set():
            part = list(islice(self._factory.stdout, round(self.rate * CHUNK_SECONDS)))
            if not part:
                return
            self._part.write_bytes(b"".join(part))
            events += sum(TICK not in line for line in part)
            due = began + events / self.rate
            left = max(due - time.monotonic(), len(part) / self.rate / CATCHING_UP)
            try:
                produce(self._broker, self._part, max(len(part) / left, 1.0))
            except (AssertionError, subprocess.TimeoutExpired) as failure:
                self._failed = str(failure)
                return
            self.fed += len(part)
            self._fed_at = time.monotonic()
            self._ending.wait(max(due - time.monotonic(), 0))
