"""Runs a contestant: a process that consumes the input topics, and says how far it is.

Its command line is `run --broker HOST:PORT --group NAME --state DIR --partitions P
[--progress-seconds S]`. It prints lines of JSON, the first of them {"versions": {...}, "settings":
{...}}, then about once a second {"records": consumed so far, "bad": n, "duplicates": n, "late": n}.
It ends on SIGTERM, in order, or by itself at the end of the topics. `run --set-up` makes its
environment.
"""

import json
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec
from bench_kafka import per_event
from measure import Cost, Failed, Watched, median_cost
from rig import ROOT, Rig, tell
from totals import Totals, add_peer, differences

PEERS: Final = ROOT / "benchmarks" / "peers"

SET_UP_SECONDS_MAX: Final = 900
STILL_SECONDS_MAX: Final = 180
"""A contestant that consumes nothing for so long has failed."""

SETTLED_SECONDS: Final = 4.0
"""All is out when the output topic hasn't grown for so long after the last record was consumed."""

STOP_SECONDS_MAX: Final = 90
PROGRESS_SECONDS: Final = 0.25


Lines = queue.SimpleQueue[dict[str, Any] | None]
"""What a contestant prints; None when its output has ended."""


class Run(msgspec.Struct):
    """A run of a contestant whose totals are right."""

    cost: Cost
    broker_cpu_per_event: float | None
    counts: dict[str, int]
    """What it says of itself: bad, duplicates, late."""
    out: dict[str, int]
    """What it wrote, by type."""


class Contestant(msgspec.Struct):
    """One of those that are compared, and what came of it."""

    name: str
    runs: list[Run] = []
    failures: list[str] = []
    said: dict[str, Any] = {}
    """Versions, and the settings that aren't the framework's defaults."""

    @property
    def median(self) -> Cost:
        """Its figures."""
        return median_cost(run.cost for run in self.runs)


def set_up(name: str) -> None:
    """Let a peer make its environment, if it has none yet."""
    tell(f"{name}: setting up")
    done = subprocess.run(
        [PEERS / name / "run", "--set-up"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SET_UP_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{name} can't be set up:\n{(done.stdout + done.stderr)[-2_000:]}")


def run_peer(rig: Rig, contestant: Contestant, group: str, total: int, wanted: Totals) -> Run:
    """Run a contestant of the common command line, and check what it wrote."""
    name, out = contestant.name, f"bench.{contestant.name}.out"
    writes = name != "floor"
    if writes:
        rig.create_topic(out)
    there, before = rig.topics(), rig.broker_cpu()
    try:
        peer, last = consume(rig, contestant, group, out if writes else None, total)
        after = rig.broker_cpu()
        kinds = check(rig, out, wanted) if writes else Counter()
    finally:
        rig.delete_topics(name for name in rig.topics() if name not in there or name == out)
        shutil.rmtree(rig.folder / group, ignore_errors=True)
    return Run(
        cost=peer.cost(total),
        broker_cpu_per_event=per_event(before, after, total, 1e6),
        counts={kind: last.get(kind, 0) for kind in ("bad", "duplicates", "late")},
        out=dict(kinds),
    )


def consume(
    rig: Rig, contestant: Contestant, group: str, out: str | None, total: int
) -> tuple[Watched, dict[str, int]]:
    """Let a contestant consume everything, and end it; return it and the last it said."""
    state = rig.folder / group
    command: list[str | Path] = (
        [sys.executable, ROOT / "benchmarks" / "floor.py"]
        if out is None
        else [PEERS / contestant.name / "run"]
    )
    command += ["--broker", rig.cluster.servers[0], "--group", group, "--state", state]
    command += ["--partitions", str(rig.partitions), "--progress-seconds", str(PROGRESS_SECONDS)]
    log = rig.folder / f"{group}.log"
    with log.open("wb") as errors:
        peer = rig.run(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    own = {str(state): "DIR", rig.cluster.servers[0]: "HOST:PORT", group: "NAME"}
    lines: Lines = queue.SimpleQueue()
    threading.Thread(target=listen, args=(peer, lines, own), daemon=True).start()
    last = watch(peer, contestant, lines, total, log)
    if peer.running and out is not None:
        settle(rig, peer, out)
    before = peer.running
    if before:
        peer.look(total)
    code = peer.end(STOP_SECONDS_MAX)
    if not before and code:
        raise Failed(f"{contestant.name} ended with code {code}\n{tail(log)}")
    while (report := lines.get()) is not None:  # until its output ends
        last = report if "records" in report else last
    if last["records"] != total:
        raise Failed(f"{contestant.name} consumed {last['records']:,} records of {total:,}")
    return peer, last


def watch(
    peer: Watched,
    contestant: Contestant,
    lines: Lines,
    total: int,
    log: Path,
) -> dict[str, int]:
    """Sample a contestant at each line that it prints, until it has consumed everything."""
    records, since = -1, time.monotonic()
    while True:
        try:
            report = lines.get(timeout=1)
        except queue.Empty:
            report = {}
        if report is None:
            raise Failed(f"{contestant.name} ended after {records:,} of {total:,}\n{tail(log)}")
        if "versions" in report:
            contestant.said = report
        if "records" in report:
            if report["records"] != records:
                records, since = report["records"], time.monotonic()
                peer.look(records)
                tell(f"{contestant.name}: {records:,} of {total:,} records")
            if records >= total:
                return report
        if time.monotonic() - since > STILL_SECONDS_MAX:
            raise Failed(
                f"{contestant.name} has consumed {max(records, 0):,} of {total:,} records, and "
                f"nothing more for {STILL_SECONDS_MAX} s\n{tail(log)}"
            )


def listen(peer: Watched, lines: Lines, own: dict[str, str]) -> None:
    """Pass on what a contestant prints, then None; what isn't JSON is passed over.

    What is of this run only (`own`) goes by its name on the command line.
    """
    for line in peer.process.stdout or ():
        for value, name in own.items():
            line = line.replace(value, name)
        try:
            report = json.loads(line)
        except ValueError:
            continue
        if isinstance(report, dict):
            lines.put(report)
    lines.put(None)


def settle(rig: Rig, peer: Watched, out: str) -> None:
    """Wait until a contestant has written nothing more for a while, or has ended."""
    ends, since = rig.ends([out]), time.monotonic()
    while peer.running and time.monotonic() - since < SETTLED_SECONDS:
        time.sleep(0.5)
        now = rig.ends([out])
        if now != ends:
            ends, since = now, time.monotonic()


def check(rig: Rig, out: str, wanted: Totals) -> "Counter[str]":
    """Return how many records of each type were written; raises `Failed` on wrong totals."""
    found, kinds = Totals(), Counter[str]()

    def take(_: str, values: list[bytes]) -> None:
        kinds.update(add_peer(found, values))

    try:
        rig.read(dict.fromkeys(rig.tps([out]), 0), take)
    except (ValueError, KeyError) as error:
        raise Failed(f"a record on {out} can't be read: {error!r}") from None
    wrong = differences(wanted, found)
    if wrong:
        raise Failed(f"the totals are wrong: {'; '.join(wrong)}")
    return kinds


def tail(log: Path) -> str:
    """Return the end of what a contestant has said to its standard error."""
    return log.read_text("utf-8", "replace")[-1_500:].strip() or "it said nothing"
