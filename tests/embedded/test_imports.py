"""A worker on the embedded log loads nothing of lineside's for Kafka, and no client of its own."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

WORK = """
import asyncio, builtins, json, sys

importers = set()
real_import = builtins.__import__

def noting_import(name, globals=None, *rest, **more):
    if name.split(".")[0] == "aiokafka" and globals is not None:
        importers.add(globals["__name__"].split(".")[0])
    return real_import(name, globals, *rest, **more)

builtins.__import__ = noting_import

from agents.settings.settings import Settings
from agents.worker.run import run_worker

async def until_ready(worker):
    while not worker.job.ready:
        await asyncio.sleep(0.05)

run_worker(Settings(data_dir=sys.argv[1], port=0, tick_seconds=0), "worker", until_ready)
print(json.dumps([sorted(importers), sorted(sys.modules)]))
"""


def test_a_worker_without_a_broker_loads_no_kafka_client(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    importers, modules = json.loads(done.stdout)
    ours = ("streams.kafka", "agents.worker.kafka_")
    assert [name for name in modules if name.startswith(ours)] == []
    # Faust itself takes errors and types from aiokafka: nobody else may.
    assert set(importers) <= {"aiokafka", "faust", "importlib"}
    assert "faust" in importers, "imports weren't noted"
