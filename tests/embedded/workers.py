"""Worker processes for tests, and what they leave in their embedded log."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from departed import Records, by_line, records_of_replay, sorted_exceptions
from first_version import RUN
from streams.contract.topics import OUTPUTS
from streams.embedded.log import EmbeddedLog
from streams.log.record import Record

LINESIDE = str(Path(sys.executable).with_name("lineside"))
WAIT_SECONDS_MAX = 60

EVENTS = 40_000
"""Of a case's log."""


class WorkerProcess:
    """`lineside worker` in a process of its own, with its data in `folder`."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        code: Path | None = None,
        setup: Callable[[], None] | None = None,
    ) -> None:
        """Start it; `code` is the folder of the first version's packages."""
        self.folder = folder
        environment = {
            **{name: value for name, value in os.environ.items() if "LINESIDE" not in name},
            "LINESIDE_DATA_DIR": str(folder),
            "LINESIDE_PORT": "0",
            "LINESIDE_PARTITIONS": "4",
            **({} if code is None else {"PYTHONPATH": str(code)}),
        }
        self.process = subprocess.Popen(
            [*([LINESIDE] if code is None else RUN), "worker", *arguments],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=setup,
        )
        assert self.process.stderr is not None
        lines = iter(partial(_line, self.process.stderr.fileno()), "")
        self.first_line = next((line for line in lines if " INFO " not in line), "")
        """The page's address, or what is wrong."""

    def status(self) -> dict[str, Any]:
        """Return the status document of the worker."""
        url = self.first_line.split()[2]
        with urllib.request.urlopen(f"{url}api/status", timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
            return document

    def wait_for_records(self, count: int) -> int:
        """Wait until the worker has processed `count` records or has ended; return how many."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        seen = 0
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError):
                seen = self.status()["counts"]["in"]
            if seen >= count:
                break
            time.sleep(0.002)
        return seen

    def wait_for_outputs(self, size: int) -> bool:
        """Wait until what left takes so many bytes on the log; return False if it ended before."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError):
                if sum(path.stat().st_size for path in self._outputs()) >= size:
                    return True
            time.sleep(0.002)
        return False

    def _outputs(self) -> Iterator[Path]:
        for topic in OUTPUTS:
            yield from (self.folder / "log" / topic).glob("*/*.log")

    def end(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()[0]

    def kill(self) -> int:
        """`kill -9`."""
        return self.end(signal.SIGKILL)

    def wait(self) -> tuple[int, str]:
        """Return the exit code and what the worker said on its standard error."""
        _, said = self.process.communicate(timeout=WAIT_SECONDS_MAX)
        return self.process.returncode, self.first_line + said


def _line(descriptor: int) -> str:
    """Read one line and not a byte more: `communicate` reads past what a file has buffered."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(descriptor, 1)):
        line += byte
    return line.decode()


def records_of_log(folder: Path) -> Records:
    """Return what is on the output topics of an embedded log."""
    log = EmbeddedLog(folder / "log")
    values = []
    for topic in OUTPUTS:
        for number in range(log.partitions_of(topic)):
            values += [(topic, record.value or b"") for record in records_of(log, topic, number)]
    log.close()
    return by_line(values)


def records_of(log: EmbeddedLog, topic: str, number: int) -> Iterator[Record]:
    """Yield what is on a partition of an embedded log."""
    partition = log.partition(topic, number)
    offset = partition.start_offset
    while found := partition.read(offset, 1_000):
        yield from found
        offset = found[-1].offset + 1


class Case:
    """A simulated log, and what has to leave for it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log.ndjson"
        simulate = [LINESIDE, "simulate", "--events", str(EVENTS), "--plants", "2", "--lines", "4"]
        subprocess.run([*simulate, "--out", self.log], check=True, capture_output=True)
        replay = [LINESIDE, "replay", self.log, "--out", folder / "out", "--partitions", "4"]
        subprocess.run(replay, check=True, capture_output=True)
        self.expected: Records = sorted_exceptions(records_of_replay(folder / "out"))
        self.report = json.loads((folder / "out" / "report.json").read_bytes())
        self.arguments = ("--feed", str(self.log), "--until-drained")
