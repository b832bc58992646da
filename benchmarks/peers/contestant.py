"""The command line of the Python peers, and what they print: settings once, then progress."""

import argparse
import gc
import json
import platform
import threading
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

GC_THRESHOLDS: Final = (50_000, 50, 50)
"""As lineside's: the default looks at all young objects after every 700 new ones."""


class Options(argparse.Namespace):
    """What the driver says, and who is asked."""

    peer: str
    broker: str
    group: str
    state: Path
    partitions: int
    progress_seconds: float

    @property
    def out(self) -> str:
        """The topic that the peer writes to; the driver has made it."""
        return f"bench.{self.peer}.out"


class Counts:
    """What has become of the records so far; each peer counts, the printing thread reads."""

    records = 0
    bad = 0
    duplicates = 0
    late = 0


def read_options(peer: str) -> Options:
    """Return what the command line of `peer` says."""
    parser = argparse.ArgumentParser(description=f"The benchmark's job on {peer}.")
    parser.add_argument("--broker", required=True, metavar="HOST:PORT")
    parser.add_argument("--group", required=True, help="consumer group, and name of the job")
    parser.add_argument("--state", required=True, type=Path, metavar="DIR")
    parser.add_argument("--partitions", required=True, type=int, help="of each topic")
    parser.add_argument("--progress-seconds", type=float, default=1.0)
    return parser.parse_args(namespace=Options(peer=peer))


def introduce(packages: tuple[str, ...], settings: Mapping[str, str]) -> None:
    """Print versions, and the settings that aren't the framework's defaults, with their reasons."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
    _tell({"versions": versions, "settings": dict(settings)})


def spare_the_collector() -> None:
    """Keep what is loaded out of the garbage collector's sight, and let it look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


class Progress:
    """Prints the counts every so many seconds, and once more at the end."""

    def __init__(self, counts: Counts, seconds: float) -> None:
        self.counts = counts
        self.seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._print, name="progress", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()
        self._tell()

    def _print(self) -> None:
        while not self._over.wait(self.seconds):
            self._tell()

    def _tell(self) -> None:
        counts = self.counts
        _tell(
            {
                "records": counts.records,
                "bad": counts.bad,
                "duplicates": counts.duplicates,
                "late": counts.late,
            }
        )


def _tell(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)
