"""The chaos suite's brokers and its log, and what comes of a case: held against a replay."""

import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from broker import KafkaBroker, run_apart
from chaos_cases import Case
from chaos_job import STILL_SECONDS_MAX, Chaos
from contents import stream
from feeding import Feeder
from heads import Heads
from kafka_workers import LINESIDE, KafkaJob, kafka_job, printed
from outcome import Difference, Outcome, difference, outcome_of_replay
from pod_limit import POD_MB, PodLimit
from runs import OUTCOMES
from streams.topics import INPUTS, OUTPUTS

PARTITIONS: Final = 6
"""Of each input topic: two workers have three of each, three have two."""

TAIL_CHARS: Final = 2_500
"""Of what each worker and the broker have said, where a case has failed."""

AT_LEAST_ONCE, EXACTLY_ONCE = GUARANTEES = ("at_least_once", "exactly_once")


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
    once: bool = False
    """Nothing may be repeated."""
    resumed: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    """Of a worker, resident."""
    seconds: float = 0.0
    failure: str = ""

    @property
    def good(self) -> bool:
        """Whether it came out as promised."""
        return not self.failure and self.difference.none and not (self.once and self.repeated)


@dataclass(frozen=True)
class Size:
    """How much of everything there is in a run."""

    events: int
    """Of the load of each case."""
    session_seconds: float
    scale: float = 1.0
    """Of floods."""
    seed: int = 1
    mb_max: float = POD_MB
    """Of a worker."""


class Suite:
    """A broker, the log, and where all of it lies."""

    def __init__(self, broker: KafkaBroker, folder: Path, size: Size) -> None:
        self.broker = broker
        self.folder = folder
        self.size = size
        self.log = folder / "log.ndjson"
        lineside(
            "simulate", "--seed", size.seed, "--events", size.events, "--plants", 4, "--lines", 4,
            "--out", self.log,
        )  # fmt: skip

    def run(self, case: Case, guarantee: str, faults: int) -> Result:
        """Run a case, and compare. A failure is in the result."""
        once = guarantee == EXACTLY_ONCE or case.in_order
        result = Result(case.name, guarantee, self.size.events, faults, once=once)
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
        size = self.size
        fault_seconds = case.fault_seconds + size.session_seconds
        seconds = result.faults * fault_seconds
        with (
            Heads(job.cluster, job.group, PARTITIONS) as heads,
            Feeder(self.broker.url, self.log, job.folder, seconds) as feeder,
            PodLimit(size.mb_max) as limit,
        ):
            chaos = Chaos(
                broker=self.broker,
                job=job,
                heads=heads,
                feeder=feeder,
                rng=Random(f"{size.seed}/{case.name}/{result.guarantee}"),
                guarantee=result.guarantee,
                session_seconds=size.session_seconds,
                fault_count=result.faults,
                fault_seconds=fault_seconds,
                settings=case.settings,
                scale=size.scale,
                limit=limit,
                tell=lambda told: tell(
                    f"{case.name}, {result.guarantee}: {told}, {heads.processed:,} records"
                ),
            )
            for number in range(case.workers):
                chaos.start(f"w{number}")
            try:
                chaos.wait_until_settled()
                case.run(chaos)
                feeder.finish()
                ends = {(tp.topic, tp.partition): end for tp, end in job.ends(INPUTS).items()}
                heads.wait_until_at(ends, STILL_SECONDS_MAX, chaos.check)
            finally:
                result.resumed, result.peak_mb = chaos.resumed, round(limit.peak_mb, 1)
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


def expected_outcome(job: KafkaJob) -> tuple[Outcome, Mapping[str, int]]:
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
def suite(size: Size) -> Iterator[Suite]:
    """Give a suite with a broker of its own."""
    with tempfile.TemporaryDirectory(prefix="lineside-chaos-") as folder, KafkaBroker() as broker:
        yield Suite(broker, Path(folder), size)


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
