"""The chaos suite: faults on a real broker and real workers, and what came of it, in a table.

    python tests/kafka/chaos.py [--events N] [--kills N] [--rebalances N] [--cases a,b]
                                [--guarantee g] [--out results.json] [--out page.md]

What left is held against `lineside replay` of the same input topics, record by record.
"""

import argparse
import json
import logging
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

import chaos_cases
from broker import KafkaBroker, run_apart
from chaos_cases import Chaos
from contents import stream
from feeding import Feeder
from heads import Heads
from kafka_workers import LINESIDE, KafkaJob, kafka_job, printed
from outcome import Difference, Outcome, difference, outcome_of_replay
from runs import OUTCOMES
from streams.topics import INPUTS, OUTPUTS

PARTITIONS: Final = 6
"""Of each input topic: two workers have three of each, three have two."""

STILL_SECONDS_MAX: Final = 120.0
"""A job that processes nothing for so long, though there is something, has failed."""

TAIL_CHARS: Final = 2_500
"""Of what each worker and the broker have said, where a case has failed."""

SESSION_SECONDS: Final = 8.0
"""A worker's default."""

AT_LEAST_ONCE, EXACTLY_ONCE = GUARANTEES = ("at_least_once", "exactly_once")


@dataclass(frozen=True)
class Case:
    """A kind of fault, and how much of it."""

    name: str
    run: Callable[[Chaos], None]
    faults: int
    """In a long run."""
    fault_seconds: float
    """How long one takes, besides a session; for the rate of the load."""
    workers: int = 2
    standbys: int = 0
    in_order: bool = False
    """Nothing is repeated, whatever the guarantee."""

    @property
    def what(self) -> str:
        return (self.run.__doc__ or "").strip().partition("\n")[0]


CASES: Final = {
    case.name: case
    for case in (
        Case("kill", chaos_cases.kill_workers, 50, 4),
        Case("rebalance", chaos_cases.rebalance, 30, 4, standbys=1),
        Case("zombie", chaos_cases.wake_zombies, 8, 6),
        Case("broker-kill", chaos_cases.kill_broker, 5, 12),
        Case("broker-freeze", chaos_cases.freeze_broker, 3, 60),
        Case("wipe", chaos_cases.wipe, 8, 6),
        Case("compact", chaos_cases.compact, 5, 10),
        Case("full-disk", chaos_cases.fill_disk, 6, 12),
        Case("sigterm", chaos_cases.terminate, 10, 8, in_order=True),
        Case("rolling", chaos_cases.roll, 9, 8, workers=3, standbys=1),
    )
}


@dataclass
class Result:
    """What came of a case."""

    case: str
    guarantee: str
    events: int
    faults: int
    records: int = 0
    """That should have left."""
    difference: Difference = field(default_factory=Difference)
    repeated: int = 0
    resumed: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""

    @property
    def good(self) -> bool:
        """Whether it came out as promised."""
        once = self.guarantee == EXACTLY_ONCE or CASES[self.case].in_order
        return not self.failure and self.difference.none and not (once and self.repeated)


class Suite:
    """The broker, the log, and where all of it lies."""

    def __init__(
        self, broker: KafkaBroker, folder: Path, events: int, session_seconds: float, seed: int
    ) -> None:
        self.broker = broker
        self.folder = folder
        self.events = events
        self.session_seconds = session_seconds
        self.seed = seed
        self.log = folder / "log.ndjson"
        lineside(
            "simulate", "--seed", seed, "--events", events, "--plants", 4, "--lines", 4,
            "--out", self.log,
        )  # fmt: skip

    def run(self, case: Case, guarantee: str, faults: int) -> Result:
        """Run a case, and compare. A failure is in the result."""
        result = Result(case.name, guarantee, self.events, faults)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            self.broker.revive()
            group = f"chaos-{uuid.uuid4().hex[:8]}"
            with kafka_job(self.broker, group, Path(folder), PARTITIONS) as job:
                try:
                    self._run(case, result, job)
                except Exception as failure:
                    result.failure = f"{type(failure).__name__}: {failure}"
                    tell(f"{case.name}, {guarantee}: FAILED: {result.failure}")
                    tell(tails(job, self.broker))
        result.seconds = round(time.monotonic() - began, 1)
        return result

    def _run(self, case: Case, result: Result, job: KafkaJob) -> None:
        fault_seconds = case.fault_seconds + self.session_seconds
        seconds = result.faults * fault_seconds
        with (
            Heads(job.cluster, job.group, PARTITIONS) as heads,
            Feeder(self.broker.url, self.log, job.folder, seconds) as feeder,
        ):
            chaos = Chaos(
                broker=self.broker,
                job=job,
                heads=heads,
                feeder=feeder,
                rng=Random(f"{self.seed}/{case.name}/{result.guarantee}"),
                guarantee=result.guarantee,
                session_seconds=self.session_seconds,
                fault_count=result.faults,
                fault_seconds=fault_seconds,
                standbys=case.standbys,
                tell=lambda told: tell(
                    f"{case.name}, {result.guarantee}: {told}, {heads.processed:,} records"
                ),
            )
            for number in range(case.workers):
                chaos.start(f"w{number}")
            chaos.wait_until_settled()
            case.run(chaos)
            result.resumed = chaos.resumed
            feeder.finish()
            ends = {(tp.topic, tp.partition): end for tp, end in job.ends(INPUTS).items()}
            heads.wait_until_at(ends, STILL_SECONDS_MAX)
            counts = heads.counts()
            for name in list(chaos.workers):
                try:
                    chaos.stop(name)
                except AssertionError as failure:  # told, and what has left is compared anyway
                    result.failure = str(failure)
                    tell(
                        f"{case.name}, {result.guarantee}: FAILED: {failure}\n{tails(job, self.broker)}"
                    )
        expected, wanted = expected_outcome(job)
        found = outcome_of_topics(job)
        assert counts == wanted, f"the states have counted {counts}, a replay {wanted}"
        result.records = expected.records
        result.difference = difference(expected, found)
        result.repeated = found.repeated
        chaos.tell(
            f"{result.records:,} records, {result.repeated} repeated, "
            f"{result.difference.first or 'no difference'}"
        )


def expected_outcome(job: KafkaJob) -> tuple[Outcome, dict[str, int]]:
    """Return what a replay of the input topics gives, and how many records became what."""
    dump, out = job.folder / "dump.ndjson", job.folder / "replayed"
    run_apart(_dump(job, dump))
    lineside("replay", dump, "--out", out, "--partitions", PARTITIONS)
    dump.unlink()
    counts = json.loads((out / "report.json").read_bytes())["counts"]
    return outcome_of_replay(out), {name: counts[name] for name in OUTCOMES}


async def _dump(job: KafkaJob, path: Path) -> None:
    with path.open("wb") as file:
        async for tp, records in stream(job.cluster, dict.fromkeys(INPUTS, PARTITIONS)):
            file.writelines(printed(tp.topic, record) + b"\n" for record in records)


def outcome_of_topics(job: KafkaJob) -> Outcome:
    """Return what a reader of committed records finds on the output topics."""

    async def read() -> Outcome:
        found = Outcome()
        async for tp, records in stream(job.cluster, dict.fromkeys(OUTPUTS, PARTITIONS)):
            for record in records:
                found.add(tp.topic, record.value)
        return found

    return run_apart(read())


def lineside(*arguments: object) -> None:
    """Run a command that has to succeed."""
    done = subprocess.run(
        [LINESIDE, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-TAIL_CHARS:]


@contextmanager
def suite(events: int, session_seconds: float, seed: int = 1) -> Iterator[Suite]:
    """Give a suite with a broker of its own."""
    with tempfile.TemporaryDirectory(prefix="lineside-chaos-") as folder, KafkaBroker() as broker:
        yield Suite(broker, Path(folder), events, session_seconds, seed)


def tails(job: KafkaJob, broker: KafkaBroker) -> str:
    """Return what the workers and the broker have said last."""
    logs = {worker.log: worker.process.poll() for worker in job.workers}
    told = {f"{log.parent.name}, code {code}": log for log, code in logs.items() if log.exists()}
    return "\n".join(
        f"--- {name} ---\n{log.read_text('utf-8', 'replace')[-TAIL_CHARS:]}"
        for name, log in {**told, "broker": broker.log}.items()
    )


def tell(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)


def document(results: Sequence[Result], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return results as they are kept."""
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "session_timeout_seconds": arguments.session,
        "partitions": PARTITIONS,
        "results": [asdict(result) for result in results],
    }


COLUMNS: Final = (
    "case", "guarantee", "events", "faults", "lost", "extra, altered, out of order",
    "totals error", "repeated (at_least_once)", "repeated, read_committed (exactly_once)",
    "seconds to resume: median, most",
)  # fmt: skip


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return results as a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for one in results:
        told = one["difference"]
        once = one["guarantee"] == EXACTLY_ONCE
        repeated = f"{one['repeated']:,}"
        resumed = one["resumed"]
        cells = (
            CASES[one["case"]].what, one["guarantee"], f"{one['events']:,}", str(one["faults"]),
            f"{told['lost']:,}", f"{told['extra'] + told['altered'] + told['disordered']:,}",
            told["totals_error"], "" if once else repeated, repeated if once else "",
            f"{statistics.median(resumed):.1f}, {max(resumed):.1f}" if resumed else "",
        )  # fmt: skip
        if one["failure"]:
            cells = (*cells[:-1], f"{cells[-1]} **failed**: {one['failure'].splitlines()[0]}")
        if not one["records"]:
            cells = (*cells[:4], *[""] * 5, cells[-1])  # it didn't come to a comparison
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def keep(path: Path, told: dict[str, Any]) -> None:
    """Write results to a JSON file, or their table into a Markdown page between its marks."""
    if path.suffix == ".json":
        path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        return
    text = f"{BEGIN}\n\n{table(told['results'])}\n\n{END}"
    page = path.read_text("utf-8") if path.exists() else f"{BEGIN}\n{END}\n"
    path.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: text, page, flags=re.DOTALL), "utf-8")


BEGIN, END = "<!-- chaos -->", "<!-- /chaos -->"


def merged(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the results of both, the new ones first choice, in the order of the cases."""
    by = {(one["case"], one["guarantee"]): one for one in [*old, *new]}
    return [
        by[name, guarantee]
        for name in CASES
        for guarantee in GUARANTEES
        if (name, guarantee) in by
    ]  # fmt: skip


def arguments_of(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="chaos.py", description="Faults on a real broker and real workers; 0 if all is exact."
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="of each case's log")
    parser.add_argument("--kills", type=int, default=CASES["kill"].faults)
    parser.add_argument("--rebalances", type=int, default=CASES["rebalance"].faults)
    parser.add_argument("--faults", type=int, help="of each other case, instead of its own number")
    parser.add_argument(
        "--cases", type=lambda text: text.split(","), default=list(CASES),
        help=", ".join(CASES),
    )  # fmt: skip
    parser.add_argument("--guarantee", choices=GUARANTEES, help="only this one")
    parser.add_argument(
        "--session", type=float, default=SESSION_SECONDS, help="session_timeout_seconds"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        help="a .json or .md file; repeatable; what a .json file has of other cases is kept",
    )
    told = parser.parse_args(given)
    for name in told.cases:
        if name not in CASES:
            parser.error(f"--cases: {name!r} is none of {', '.join(CASES)}")
    return told


def main() -> int:
    """Run what was asked for; return the exit code."""
    arguments = arguments_of()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers that are away are meant
    counts = {"kill": arguments.kills, "rebalance": arguments.rebalances}
    results: list[Result] = []
    earlier = [
        one
        for path in arguments.out
        if path.suffix == ".json" and path.exists()
        for one in json.loads(path.read_bytes())["results"]
    ]
    with suite(arguments.events, arguments.session, arguments.seed) as running:
        for name in arguments.cases:
            for guarantee in [arguments.guarantee] if arguments.guarantee else GUARANTEES:
                case = CASES[name]
                faults = counts.get(name, arguments.faults or case.faults)
                results.append(running.run(case, guarantee, faults))
                told = document(results, arguments)
                told["results"] = merged(earlier, told["results"])
                for path in arguments.out:
                    keep(path, told)
    print(table([asdict(result) for result in results]))
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
