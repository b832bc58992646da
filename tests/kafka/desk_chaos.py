"""Faults on desks and their database, under load, and what the books have in the end.

    python tests/kafka/desk_chaos.py [--events N] [--rate N] [--faults N] [--cases a,b]
                                     [--database sqlite|postgresql] [--out results.json]

What the books hold is held against what the topics say, worked out anew, record by record.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from books.books_of_topics import differences, expected_of
from books.postgres import Postgres
from broker import KafkaBroker
from clusters import Broker, Place
from desk_processes import DeskProcess, topics_of
from kafka_workers import LINESIDE, KafkaJob, WorkerProcess, kafka_job, wait_until
from tables.books.opening import open_books

PARTITIONS: Final = 4

PAUSE_SECONDS: Final = (0.3, 3.0)
"""Between two faults: from the middle of a batch to some batches."""

AWAY_SECONDS: Final = 60.0

WORKER: Final = {
    "tick_seconds": 2, "grace_seconds": 1, "idle_grace_seconds": 5, "summary_window_seconds": 5,
    "posting_window_seconds": 15,
}  # fmt: skip
"""Windows close all the time, so that summaries and transactions come under load, too."""


@dataclass
class Result:
    """What came of a case."""

    case: str
    database: str
    events: int
    faults: int
    seconds: float
    differences: list[str] = field(default_factory=list)
    notes: str = ""

    @property
    def good(self) -> bool:
        return not self.differences


@dataclass
class Run:
    """A job under load, its desks, and the database that they share."""

    job: KafkaJob
    worker: WorkerProcess
    folder: Path
    database: str
    postgres: Postgres | None
    load: "subprocess.Popen[bytes]"
    rng: random.Random
    faults: int
    away: float
    desks: list[DeskProcess] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.postgres.url if self.postgres else f"sqlite:///{self.folder}/desk.db"

    def start_desk(self) -> DeskProcess:
        desk = DeskProcess(self.job, self.folder / f"desk-{len(self.desks)}", self.url)
        self.desks.append(desk)
        return desk

    @property
    def running(self) -> list[DeskProcess]:
        return [desk for desk in self.desks if desk.running]

    def pause(self) -> None:
        time.sleep(self.rng.uniform(*PAUSE_SECONDS))

    @property
    def loading(self) -> bool:
        return self.load.poll() is None


def kill_desks(run: Run) -> str:
    """`kill -9` one desk after the other, at random moments."""
    for _ in range(run.faults):
        run.pause()
        run.rng.choice(run.running).kill()
        run.start_desk()
    return f"{run.faults} desks killed"


def kill_database(run: Run) -> str:
    """`kill -9` of all of PostgreSQL's processes, at random moments."""
    assert run.postgres is not None
    for _ in range(run.faults):
        run.pause()
        run.postgres.kill()
        time.sleep(run.rng.uniform(0, 1))
        run.postgres.start()
    return f"PostgreSQL killed {run.faults} times"


def kill_both(run: Run) -> str:
    """`kill -9` of a worker and a desk in turn: records leave again, under the same ids."""
    for number in range(run.faults):
        run.pause()
        if number % 2:
            run.rng.choice(run.running).kill()
            run.start_desk()
        else:
            run.worker.kill()
            run.worker = run.job.worker("worker", **WORKER)
    return f"{run.faults} workers and desks killed in turn"


def database_away(run: Run) -> str:
    """The database is away: the worker's lag stays what it is."""
    assert run.postgres is not None
    before = processed(run)
    run.postgres.kill()
    began, lags = time.monotonic(), []
    while time.monotonic() - began < run.away:
        time.sleep(min(5.0, run.away / 10))
        lags.append(sum(each["lag"] or 0 for each in run.worker.status()["partitions"]))
    taken = processed(run) - before
    assert all(desk.running for desk in run.desks), "a desk ended"
    run.postgres.start()
    return (
        f"away for {run.away:.0f} s; the worker took {taken:,} records meanwhile, and at most "
        f"{max(lags):,} waited"
    )


def resend_halfway(run: Run) -> str:
    """Many exceptions are sent again, and the desk dies halfway: each goes once."""
    desk = run.running[0]
    wait_until("there are exceptions", lambda: desk.get("exceptions?code=key_conflict")["items"])
    sent = 0
    for _ in range(run.faults):
        asked = subprocess.Popen(
            [sys.executable, "-c", ASK, desk.url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(run.rng.uniform(0.05, 0.5))
        desk.kill()
        asked.wait()
        desk = run.start_desk()
        sent += 1
    return f"{sent} bulk resends cut off by the death of the desk"


ASK: Final = """
import json, sys, urllib.request
body = json.dumps({"filter": {"status": "open"}, "act": "resend", "why": "chaos", "dry_run": False})
ask = urllib.request.Request(sys.argv[1] + "api/v1/exceptions/act", body.encode(),
                             {"Content-Type": "application/json"})
urllib.request.urlopen(ask, timeout=30).read()
"""


def processed(run: Run) -> int:
    """Return how many records the worker has processed."""
    return sum(each["offset"] for each in run.worker.status()["partitions"])


CASES: Final[dict[str, tuple[Callable[[Run], str], Sequence[str], int, int]]] = {
    "kill": (kill_desks, ("sqlite", "postgresql"), 20, 1),
    "two-desks": (kill_desks, ("postgresql",), 20, 2),
    "database": (kill_database, ("postgresql",), 20, 1),
    "both-kill": (kill_both, ("sqlite", "postgresql"), 20, 1),
    "away": (database_away, ("postgresql",), 1, 1),
    "resend": (resend_halfway, ("sqlite", "postgresql"), 5, 1),
}
"""What is done, on which databases, how often, and with how many desks."""


@contextmanager
def started(
    broker: Place, case: str, database: str, arguments: argparse.Namespace
) -> Iterator[Run]:
    _, _, faults, desks = CASES[case]
    group = f"desk-{case}-{database}"
    with tempfile.TemporaryDirectory(prefix="lineside-desk-") as name:
        folder = Path(name)
        postgres = Postgres(fsync="on") if database == "postgresql" else None
        try:
            with kafka_job(broker, group, folder, PARTITIONS) as job:
                worker = job.worker("worker", **WORKER)
                wait_until("the worker is ready", lambda: worker.ready() == 200)
                load = subprocess.Popen(
                    [LINESIDE, "simulate", "--broker", broker.url, "--rate", str(arguments.rate),
                     "--events", str(arguments.events), "--seed", str(arguments.seed)],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                run = Run(
                    job, worker, folder, database, postgres, load,
                    random.Random(arguments.seed), arguments.faults or faults, arguments.away,
                )  # fmt: skip
                try:
                    for _ in range(desks):
                        run.start_desk()
                    yield run
                finally:
                    load.kill()
                    load.wait()
                    for desk in run.desks:
                        desk.kill()
        finally:
            if postgres is not None:
                postgres.close()


def run_case(broker: Place, case: str, database: str, arguments: argparse.Namespace) -> Result:
    """Run a case, and hold its books against the topics."""
    began = time.monotonic()
    harm = CASES[case][0]
    with started(broker, case, database, arguments) as run:
        notes = harm(run)
        if not run.loading and case != "resend":
            notes += "; the load had ended before the last fault"
        assert run.load.wait(timeout=3_600) == 0
        run.job.wait_until_processed()
        assert run.worker.end() == 0  # it writes no more ticks
        run.running[0].wait_until_it_has_all(run.job)
        expected = expected_of(topics_of(run.job))
        engine = open_books(run.url)
        try:
            told = differences(engine, expected)
        finally:
            engine.dispose()
        records = len(expected.outcomes)
        return Result(
            case, database, records, run.faults, round(time.monotonic() - began, 1), told, notes
        )


def main() -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="desk_chaos.py", description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--faults", type=int, help="of each case, instead of its own number")
    parser.add_argument("--away", type=float, default=AWAY_SECONDS, help="seconds of `away`")
    parser.add_argument("--cases", type=lambda text: text.split(","), default=list(CASES))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    results = []
    with KafkaBroker() as broker:
        for case in arguments.cases:
            for database in CASES[case][1]:
                if arguments.database not in (None, database):
                    continue
                result = run_case(Broker(broker.url), case, database, arguments)
                results.append(result)
                became = "0 differences" if result.good else "; ".join(result.differences)
                print(
                    f"{case} on {database}: {result.events:,} records, {result.notes}, "
                    f"{result.seconds:.0f} s: {became}",
                    flush=True,
                )
                if arguments.out:
                    arguments.out.write_text(json.dumps([asdict(one) for one in results], indent=1))
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
