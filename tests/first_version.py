"""The first version of lineside that ran on Kafka: its wheel is in tests/upgrades."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

RUN: Final = (sys.executable, "-P", "-c", "from agents.worker.cli import main; main()")
"""`lineside` of that version: its modules lay elsewhere."""

WHEEL: Final = Path(__file__).parent / "upgrades" / "lineside-0.1.0-py3-none-any.whl"


def unpack(folder: Path) -> Path:
    """Unpack it; with what is returned as PYTHONPATH, `RUN` is that version."""
    with zipfile.ZipFile(WHEEL) as wheel:
        wheel.extractall(folder)
    where = "import agents, streams, tables; print(*agents.__path__, *streams.__path__)"
    told = subprocess.run(
        [sys.executable, "-c", where],
        env=os.environ | {"PYTHONPATH": str(folder)},
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert told == [str(folder / "agents"), str(folder / "streams")], told
    return folder
