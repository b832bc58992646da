"""A command loads what it needs: only those that run a job or ask a broker load Faust and its like."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runs import consumed

HEAVY = {"faust", "mode", "aiokafka", "aiohttp"}
"""Two thirds of the time that a worker's start takes are theirs."""

RUN = """
import sys
from agents.cli.main import main
try:
    main(sys.argv[1:], "lineside")
except SystemExit as end:
    print("ended", end.code, *sorted(sys.modules), file=sys.stderr)
"""


def loaded(code: int, *arguments: str | Path) -> set[str]:
    """Return the modules that are there when a command has ended with this code."""
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], env=own, capture_output=True, text=True, timeout=60
    )
    *_, last = done.stderr.splitlines()
    words = last.split()
    assert words[:2] == ["ended", str(code)], done.stderr
    return set(words[2:])


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("--help", 0),
        ("worker --help", 0),
        ("policy show", 0),
        ("simulate --events 10 --out -", 0),
        ("worker --broker localhost:9092", 2),
        ("worker --broker kafka://localhost:9092 --feed log.ndjson", 2),
        ("demo --host a..b", 2),
        ("audit", 2),
        ("topics create", 2),
    ],
)
def test_what_runs_no_job_loads_neither_faust_nor_a_client(command: str, code: int) -> None:
    assert not HEAVY & loaded(code, *command.split())


def test_a_replay_loads_neither(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    log.write_bytes(consumed(0))
    assert not HEAVY & loaded(0, "replay", log, "--out", tmp_path / "out")


def test_a_worker_loads_them(tmp_path: Path) -> None:
    """Or the others would pass whatever they load."""
    log = tmp_path / "log.ndjson"
    log.write_bytes(consumed(0))
    data = ("--data-dir", tmp_path / "data", "--port", "0")
    assert loaded(0, "worker", "--feed", log, "--until-drained", *data) >= HEAVY
