"""What a soak looks at again and again: memory, descriptors, disks, changelogs, lag; and if it's flat."""

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from aiokafka.errors import KafkaError

from chaos_job import Chaos
from streams.contract.topics import INPUTS
from streams.kafka.cluster import BrokerError

LASTING: Final = "w0"
"""The worker that lives from the first minute to the last; the others are killed and stopped."""


@dataclass
class Sample:
    """A look at all."""

    seconds: float
    """Since the load began."""
    memory_mb: dict[str, float] = field(default_factory=dict)
    """Resident, by worker."""
    descriptors: dict[str, int] = field(default_factory=dict)
    disk_mb: float = 0.0
    """Of the workers' data."""
    changelogs_mb: float = 0.0
    """On the broker's disk."""
    lag: int | None = None
    """Records that are on the inputs and in no state; None where the broker is away."""


@dataclass(frozen=True)
class Flatness:
    """A figure, and how much higher its median may be in the last quarter than in an earlier one."""

    name: str
    unit: str
    of: Callable[[Mapping[str, Any]], float | None]
    """Of a sample, as it is kept."""
    times: float
    plus: float
    """In its unit: what doesn't count."""
    since: int = 1
    """The quarter that it's held against, of 0 to 3."""


FLATNESS: Final = (
    Flatness("memory of the lasting worker", "MB", lambda sample: sample["memory_mb"].get(LASTING), 1.1, 20),
    Flatness("its descriptors", "", lambda sample: sample["descriptors"].get(LASTING), 1.1, 20),
    Flatness("disk of all workers", "MB", lambda sample: sample["disk_mb"], 1.25, 50),
    # Tombstones are kept for an hour: at their full number only in the second half of two hours.
    Flatness("changelogs", "MB", lambda sample: sample["changelogs_mb"], 1.25, 100, since=2),
    Flatness("lag", "records", lambda sample: sample["lag"], 1.5, 10_000),
)  # fmt: skip
"""The first quarter is warming up: ledgers and caches fill. A leak goes on, and shows."""


class Samples:
    """Takes a sample every so many seconds, in a thread of its own."""

    def __init__(self, chaos: Chaos, broker_folder: Path, every_seconds: float) -> None:
        self.taken: list[Sample] = []
        self._chaos = chaos
        self._broker_folder = broker_folder
        self._every_seconds = every_seconds
        self._began = time.monotonic()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._take)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    @property
    def seconds(self) -> float:
        """Since the first sample."""
        return time.monotonic() - self._began

    def _take(self) -> None:
        while not self._ending.wait(self._every_seconds):
            self.taken.append(self._sample())

    def _sample(self) -> Sample:
        sample = Sample(round(self.seconds, 1))
        workers = dict(self._chaos.workers)
        for name, worker in workers.items():
            with contextlib.suppress(OSError, StopIteration):  # it has ended just now
                folder = Path(f"/proc/{worker.process.pid}")
                sample.memory_mb[name] = resident_mb(folder)
                sample.descriptors[name] = sum(1 for _ in (folder / "fd").iterdir())
        sample.disk_mb = size_mb(self._chaos.job.folder.glob("w*/**/*"))
        sample.changelogs_mb = size_mb(self._broker_folder.glob("data/*-changelog-*/*.log"))
        with contextlib.suppress(KafkaError, BrokerError, OSError, TimeoutError):
            ends = self._chaos.job.ends(INPUTS)
            at = {place: head.offset + 1 for place, head in list(self._chaos.heads.heads.items())}
            sample.lag = sum(max(end - at.get(tuple(tp), 0), 0) for tp, end in ends.items())
        return sample


def resident_mb(process: Path) -> float:
    """Return what a process has in memory; raises `OSError`, or `StopIteration` for a zombie."""
    status = (process / "status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def size_mb(paths: Iterable[Path]) -> float:
    """Return what files take together; one that goes meanwhile counts nothing."""
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            if path.is_file():
                total += path.stat().st_size
    return round(total / 1e6, 1)


def flatness(samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each figure its medians in two quarters, its most, and whether it's flat."""
    verdicts = []
    end = samples[-1]["seconds"] if samples else 0.0
    for rule in FLATNESS:
        quarters: list[list[float]] = [[], [], [], []]
        for sample in samples:
            found = rule.of(sample)
            if found is not None:
                quarters[min(int(sample["seconds"] / end * 4), 3)].append(found)
        before, last = (statistics.median(quarters[n] or [0.0]) for n in (rule.since, 3))
        most = max((figure for quarter in quarters for figure in quarter), default=0.0)
        bound = before * rule.times + rule.plus
        verdicts.append(
            {
                "figure": rule.name, "unit": rule.unit, "against": f"{rule.since + 1} of 4",
                "before": before, "last": last, "most": most, "bound": round(bound, 1),
                "flat": bool(quarters[rule.since] and quarters[3]) and last <= bound,
            }
        )  # fmt: skip
    return verdicts
