"""Books that a real job has filled: of a factory of two plants, or of the lines of a log."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

JOB = """
import asyncio, json, sys
from pathlib import Path
from agents.settings import settings
from agents.simulate.factory import Plan
from agents.worker import demo, feed
from agents.worker.run import run_worker
from streams.contract.topics import INPUTS, OUTPUTS
from tables.books.positions import positions

folder, database, log = sys.argv[1:]

async def main(worker):
    if log:
        await feed.feed_file(worker, Path(log))
    else:
        plan = Plan(
            plants=2, lines=2, start=demo.demo_start(), works_always=True, master_data=True
        )
        await feed.feed_factory(worker, plan, 3_000, 6)
    drained = await worker.drained(60)
    ends = {
        (topic, number): worker.broker.log.partition(topic, number).end_offset
        for topic in (*INPUTS, *OUTPUTS)
        for number in range(worker.broker.partitions)
    }
    desk = worker.desk.desk
    while not worker.desk.failed.done():
        there = await desk.read(positions) if desk.ready else {}
        if all(there.get(at, 0) >= end for at, end in ends.items()):
            break
        await asyncio.sleep(0.05)
    print(json.dumps({"drained": drained, "start": demo.demo_start()}))

own = settings.Settings(
    data_dir=folder, database=database, port=0, desk_port=0, tick_seconds=0, partitions=4
)
run_worker(own, "demo", main, keeps_master=not log, desk=True)
"""

WAIT_SECONDS_MAX = 120


def fill(folder: Path, database: str = "", lines: Sequence[bytes] = ()) -> dict[str, Any]:
    """Let a job fill books: `desk.db` in a folder, or another database.

    Its events are those of a factory, or `lines` of a log. Return what the job said, `start` with
    the moment at which the factory's clock began.
    """
    log = folder / "log.ndjson"
    if lines:
        log.write_bytes(b"\n".join(lines) + b"\n")
    done = subprocess.run(
        [sys.executable, "-c", JOB, folder, database, log if lines else ""],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert said["drained"], done.stderr
    return said
