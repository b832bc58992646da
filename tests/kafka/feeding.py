"""A log on its way into a cluster while something else happens: at a rate that fits that."""

import subprocess
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Self

from kafka_workers import LINESIDE

CHUNK_SECONDS = 5.0
"""So often the rate is chosen anew."""

RATE_MIN = 200.0
RATE_MAX = 50_000.0
RESERVE = 0.05
"""Of the log: kept for when all takes longer than was thought, at the lowest rate."""

SLACK = 1.25
"""The log is to last so much longer than what happens meanwhile."""

FIRST_SECONDS = 3_600.0
"""It begins slowly: how fast it has to be is said when the workers are up."""

CHUNK_SECONDS_MAX = 300.0
NOT_BEGUN = (
    "no Kafka broker answers",
    "didn't answer a question",
    "hung up before it had answered",
)
"""What `lineside simulate` says when it has sent nothing."""


class Feeder:
    """Produces a log with `lineside simulate --broker --log`, part by part, in a thread.

    It stops at the first part that can't be produced; `check` and `finish` say why.
    """

    def __init__(self, broker: str, log: Path, folder: Path, seconds: float) -> None:
        """Let the log last for about so many seconds, until `last` says otherwise."""
        with log.open("rb") as file:
            self.lines = sum(1 for _ in file)
        self.fed = 0
        """Lines; acknowledged by the broker."""
        self._fed_at = time.monotonic()
        self._broker = broker
        self.log = log
        self._part = folder / "part.ndjson"
        self._until = time.monotonic() + FIRST_SECONDS
        self._hurry = threading.Event()
        self._ending = threading.Event()
        self._failed: str | None = None
        self._thread = threading.Thread(target=self._feed)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def last(self, seconds: float) -> None:
        """Let the rest of the log last a little longer than so many seconds from now."""
        self._until = time.monotonic() + seconds * SLACK

    @property
    def feeding(self) -> bool:
        """Whether there is more to come."""
        return self._failed is None and self.fed < self.lines

    @property
    def still_seconds(self) -> float:
        """For how long no part of the log has been acknowledged."""
        return time.monotonic() - self._fed_at

    def check(self) -> None:
        """Fail if it failed."""
        assert self._failed is None, self._failed

    def finish(self) -> None:
        """Produce the rest as fast as it goes."""
        self._hurry.set()
        self._thread.join()
        assert self._failed is None, self._failed

    def _feed(self) -> None:
        with self.log.open("rb") as log:
            while not self._ending.is_set():
                rate = self._rate()
                seconds = min(CHUNK_SECONDS, max(self._until - time.monotonic(), 1.0))
                part = list(islice(log, None if rate is None else max(1, round(rate * seconds))))
                if not part:
                    return
                self._part.write_bytes(b"".join(part))
                try:
                    produce(self._broker, self._part, rate)
                except (AssertionError, subprocess.TimeoutExpired) as failure:
                    self._failed = str(failure)
                    return
                self.fed += len(part)
                self._fed_at = time.monotonic()

    def _rate(self) -> float | None:
        if self._hurry.is_set():
            return None
        left = max(self._until - time.monotonic(), CHUNK_SECONDS)
        return min(max((self.lines * (1 - RESERVE) - self.fed) / left, RATE_MIN), RATE_MAX)


def produce(broker: str, part: Path, rate: float | None) -> None:
    """Produce a part of a log, at a rate or as fast as it goes, once a broker is there.

    Raises `AssertionError` where that fails: a part of it may be there, then.
    """
    arguments: list[str | Path] = ["--broker", broker, "--log", part]
    arguments += [] if rate is None else ["--rate", f"{rate:.0f}"]
    deadline = time.monotonic() + CHUNK_SECONDS_MAX
    while True:
        done = subprocess.run(
            [LINESIDE, "simulate", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CHUNK_SECONDS_MAX,
        )
        if done.returncode == 0:
            return
        away = any(words in done.stderr for words in NOT_BEGUN)
        assert away, done.stderr
        assert time.monotonic() < deadline, done.stderr
