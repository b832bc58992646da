"""A limit of memory as a pod has one: a worker that passes it is killed at once."""

import subprocess
import threading
import time
from pathlib import Path
from typing import Final, Self

from starter import Started

Watched = subprocess.Popen[bytes] | Started

POD_MB: Final = 2_048
"""The chart's limit."""

LOOK_SECONDS: Final = 0.02
"""A worker that unpacks a gigabyte a second is 20 MB further at the next look."""


class PodLimit:
    """Looks at processes in a thread of its own, and kills those that are past the limit."""

    def __init__(self, mb_max: float = POD_MB) -> None:
        self.mb_max = mb_max
        self.peak_mb = 0.0
        """Of any of them, resident, since it was started."""
        self.killed: dict[int, str] = {}
        """By process id: what is to be said of its end."""
        self._watched: list[Watched] = []
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look_again_and_again)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def watch(self, process: Watched) -> None:
        """Look at a process from now on, until it has ended."""
        with self._lock:
            self._watched.append(process)

    def _look_again_and_again(self) -> None:
        while not self._ending.is_set():
            with self._lock:
                self._watched = [each for each in self._watched if self._within(each)]
            time.sleep(LOOK_SECONDS)

    def _within(self, process: Watched) -> bool:
        """Return whether a process is still to be looked at."""
        peak = peak_mb(process.pid)
        if peak is None:
            return False
        self.peak_mb = max(self.peak_mb, peak)
        if peak <= self.mb_max:
            return True
        self.killed[process.pid] = f"at {peak:,.0f} MB, past the limit of {self.mb_max:,.0f}"
        process.kill()
        return False


def peak_mb(pid: int) -> float | None:
    """Return the most that a process has had in memory, None where it's gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return None  # a zombie has no memory
