"""What a process costs, sampled from /proc, and how figures of several rounds are kept.

CPU is user and system time of a process and all its descendants, in seconds, as the kernel counts
it (ticks of 10 ms). Memory is the sum of their peaks (VmHWM), in MB. The cost of an event is the
slope between 20 % and 95 % of the records: start-up and the end don't count; a whole run's CPU,
with both, stands beside it.
"""

import contextlib
import json
import os
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

RESULTS: Final = Path(__file__).parent / "results"

FROM, TO = 0.20, 0.95
"""Of the records: where the slope begins and ends."""

TICKS: Final = os.sysconf("SC_CLK_TCK")

PACKAGES: Final = (
    "lineside", "faust-streaming", "aiokafka", "msgspec", "orjson", "rocksdict", "uvloop",
)  # fmt: skip


class Failed(Exception):
    """A benchmark that can't go on; its text is the sentence for whoever runs it."""


class Sample(msgspec.Struct):
    """A look at a process and its descendants."""

    seconds: float
    """Since it started."""
    cpu: float
    """Seconds."""
    mb: float
    """Peak."""
    threads: int
    records: int
    """Consumed so far."""


class Cost(msgspec.Struct):
    """What a run costs; microseconds, unless it says so."""

    cpu_per_event: float
    """Slope."""
    wall_per_event: float
    """Slope."""
    whole_cpu_per_event: float
    whole_seconds: float
    """From the start of the process to its last record."""
    peak_mb: float
    threads: int
    """At most."""
    samples: int
    """That the slope spans."""

    @property
    def events_per_second(self) -> float:
        """Wall-clock, by the slope."""
        return 1e6 / self.wall_per_event

    @property
    def events_per_core(self) -> float:
        """Events a second of CPU."""
        return 1e6 / self.cpu_per_event


class Watched:
    """A process that a benchmark has started, and what was seen of it; ended with `end`."""

    def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
        """Start `command`; `options` are those of Popen."""
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, **options
        )
        self.samples: list[Sample] = []
        self.usage: resource.struct_rusage | None = None
        """When it has ended."""
        self.ended = 0.0

    def look(self, records: int) -> Sample:
        """Sample it, as of this moment."""
        cpu, mb, threads = cost_of(self.process.pid)
        seconds = time.monotonic() - self.began
        found = Sample(round(seconds, 3), round(cpu, 2), round(mb, 1), threads, records)
        self.samples.append(found)
        return found

    def look_back(self, records: int) -> Sample:
        """Sample it as of its end, once it has ended."""
        assert self.usage is not None
        cpu, mb = self.usage.ru_utime + self.usage.ru_stime, self.usage.ru_maxrss / 1024
        seconds = self.ended - self.began
        found = Sample(round(seconds, 3), round(cpu, 2), round(mb, 1), 0, records)
        self.samples.append(found)
        return found

    @property
    def running(self) -> bool:
        """Whether it has not ended yet; collects its usage once it has."""
        if self.usage is None:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.usage, self.ended = usage, time.monotonic()
                self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.usage is None

    def end(self, seconds_max: float = 60) -> int:
        """Ask it to end, and kill it and its children if it doesn't; return the exit code."""
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(seconds_max)

    def wait(self, seconds_max: float) -> int:
        """Wait until it ends by itself, no longer than that; return the exit code."""
        deadline = time.monotonic() + seconds_max
        while self.running:
            if time.monotonic() > deadline:
                os.killpg(self.process.pid, signal.SIGKILL)
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):  # what it has left behind
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.returncode or 0

    def cost(self, records: int) -> Cost:
        """Return what it has cost, once it has ended and consumed `records`."""
        assert self.usage is not None
        # A descendant that its parent doesn't wait for is in the samples only.
        whole = max(self.usage.ru_utime + self.usage.ru_stime, *(one.cpu for one in self.samples))
        return cost(self.samples, records, whole)


def cost(samples: Sequence[Sample], records: int, whole_cpu: float) -> Cost:
    """Return the cost of a run; raises `Failed` where samples are too few for a slope."""
    inside = [one for one in samples if FROM * records <= one.records <= TO * records]
    if len(inside) < 2 or inside[-1].records == inside[0].records:
        raise Failed(
            f"only {len(inside)} samples between {FROM:.0%} and {TO:.0%} of {records:,} records: "
            "give it more --events"
        )
    first, last = inside[0], inside[-1]
    done = next(one for one in samples if one.records >= records)
    events = last.records - first.records
    return Cost(
        cpu_per_event=round((last.cpu - first.cpu) / events * 1e6, 3),
        wall_per_event=round((last.seconds - first.seconds) / events * 1e6, 3),
        whole_cpu_per_event=round(whole_cpu / records * 1e6, 3),
        whole_seconds=done.seconds,
        peak_mb=max(one.mb for one in samples),
        threads=max(one.threads for one in samples),
        samples=len(inside),
    )


def median_cost(costs: Iterable[Cost]) -> Cost:
    """Return the median of each figure."""
    all_costs = list(costs)
    return Cost(
        **{
            name: round(statistics.median(getattr(one, name) for one in all_costs), 3)
            for name in Cost.__struct_fields__
        }
    )


def cost_of(pid: int) -> tuple[float, float, int]:
    """Return (CPU seconds, peak MB, threads) of a process and all its descendants, 0 if it's gone.

    What has ended counts with the parent that has waited for it.
    """
    cpu, mb, threads = 0.0, 0.0, 0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{one}/status").read_text()
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
                threads += 1
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu += (
            sum(map(int, fields[11:15])) / TICKS
        )  # utime, stime, and those of waited-for children
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        mb += int(peak[1]) / 1024 if peak else 0
    return cpu, mb, threads


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpu": model[1] if model else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory[1]) / 2**20) if memory else None,
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "java": java(),
        "lineside": commit(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def java() -> str:
    """Return the first line that Java says of its version, or "" where there is none."""
    try:
        done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stderr.splitlines()[0]


def commit() -> str:
    """Return the commit that is measured, with a + where files differ from it."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        paths = ("../streams", "../tables", "../agents")
        return git("rev-parse", "--short", "HEAD") + "+" * bool(git("status", "-s", "--", *paths))
    except (OSError, subprocess.CalledProcessError):
        return ""


def keep(folder: Path, name: str, found: Mapping[str, Any], page: str) -> None:
    """Write NAME.json and NAME.md, and print the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n")
    (folder / f"{name}.md").write_text(page)
    print(page)
    print(f"kept in {os.path.relpath(folder / name)}.json and .md", file=sys.stderr)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; the first column is text, the others are figures."""
    lines = [
        f"| {' | '.join(head)} |",
        f"| --- | {' | '.join('---:' for _ in head[1:])} |",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def resident_mb() -> float:
    """Return what this process has resident."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def about(found: Mapping[str, Any]) -> str:
    """Return the sentence that says on what it was measured."""
    machine = found["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return (
        f"{machine['measured']}, {machine['cores']} cores of {machine['cpu']}, "
        f"{machine['memory_gb']} GB, Linux {machine['kernel']}, {machine['python']}, "
        f"{machine['java']}; lineside {machine['lineside']}; {packages}.\n"
    )
