"""The chaos suite's brokers and its log, and what comes of a case: held against a replay."""

import re
import sys
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final, Self

from broker import KafkaBroker
from chaos_cases import Case
from chaos_job import Chaos
from chaos_log import write_chaos_log
from chaos_masters import Steward
from chaos_outcome import expected_outcome, outcome_of_topics
from chaos_reference import copies_in, parked, quiet_tick_seconds, settle
from feeding import Feeder
from heads import Heads
from kafka_cluster import KafkaCluster
from kafka_workers import KafkaJob, kafka_job
from outcome import Difference, difference
from pod_limit import POD_MB, PodLimit
from runs import OUTCOMES

PARTITIONS: Final = 6
"""Of each input topic: two workers have three of each, three have two."""

FIRST_DAY: Final = date(2026, 1, 5)
"""Of the simulator's logs."""

DATE: Final = re.compile(rb'"time":"(\d{4}-\d\d-\d\d)T')

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
    parked: int = 0
    """Events that a hold keeps from the ERP at the end."""
    copies: int = 0
    """Of master data in the input: each is a record like a tick."""
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

    def __init__(self, broker: KafkaBroker | KafkaCluster, folder: Path, size: Size) -> None:
        self.broker = broker
        self.folder = folder
        self.size = size
        self.log = folder / "log.ndjson"
        write_chaos_log(self.log, size.seed, size.events)

    def _log_of(self, case: Case) -> tuple[Path, timedelta]:
        """Return the load of a case, and how much later than in the factory's log it is."""
        if not case.recent:
            return self.log, timedelta()
        recent = self.folder / "recent.ndjson"
        days = datetime.now(UTC).date() - timedelta(days=1) - FIRST_DAY
        with self.log.open("rb") as lines, recent.open("wb") as moved:
            moved.writelines(DATE.sub(partial(_moved, days), line) for line in lines)
        return recent, days

    def run(self, case: Case, guarantee: str, faults: int) -> Result:
        """Run a case, and compare. A failure is in the result."""
        once = (guarantee == EXACTLY_ONCE and not case.repeats) or case.in_order
        result = Result(case.name, guarantee, self.size.events, faults, once=once)
        began = time.monotonic()
        with TemporaryDirectory(dir=self.folder) as folder:
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
        log, days = self._log_of(case)
        rng = Random(f"{size.seed}/{case.name}/{result.guarantee}")
        with (
            Feeder(self.broker.url, log, job.folder, seconds) as feeder,
            Steward(job.cluster, Random(f"{rng.random()}"), size.seed, days) as steward,
            PodLimit(size.mb_max) as limit,
        ):
            chaos = Chaos(
                broker=self.broker,
                job=job,
                heads=Heads(job.cluster, job.group, PARTITIONS),
                feeder=feeder,
                rng=rng,
                guarantee=result.guarantee,
                session_seconds=size.session_seconds,
                fault_count=result.faults,
                fault_seconds=fault_seconds,
                settings={"tick_seconds": quiet_tick_seconds(), **case.settings},
                steward=steward,
                scale=size.scale,
                limit=limit,
                under_load=case.under_load,
                tell=lambda text: tell(
                    f"{case.name}, {result.guarantee}: {text}, {chaos.heads.processed:,} records"
                ),
            )
            with chaos:
                for number in range(case.workers):
                    chaos.start(f"w{number}")
                try:
                    chaos.wait_until_settled()
                    case.run(chaos)
                    feeder.finish()
                    steward.finish()
                    settle(chaos)
                    result.parked = parked(chaos)
                finally:
                    result.resumed, result.peak_mb = chaos.resumed, round(limit.peak_mb, 1)
                counts = chaos.heads.counts()
            for name in list(chaos.workers):
                try:
                    chaos.stop(name)
                except AssertionError as failure:  # told, and what has left is compared anyway
                    result.failure = str(failure)
                    tell(
                        f"{case.name}, {result.guarantee}: FAILED: {failure}\n{tails(job, self.broker)}"
                    )
        expected, report = expected_outcome(job, chaos.aside)
        found = outcome_of_topics(job)
        result.records = expected.records
        result.difference = difference(expected, found)
        result.repeated = found.repeated
        chaos.tell(
            f"{result.records:,} records, {result.repeated} repeated, "
            f"{result.difference.first or 'no difference'}"
        )
        wanted = {name: report["counts"][name] for name in OUTCOMES}
        assert counts == wanted, f"the states have counted {counts}, a replay {wanted}"
        assert result.parked == report["parked"], (
            f"the states have parked {result.parked}, a replay {report['parked']}"
        )
        result.copies = copies_in(job)


def _moved(days: timedelta, found: re.Match[bytes]) -> bytes:
    day = date.fromisoformat(found[1].decode()) + days
    return b'"time":"%sT' % day.isoformat().encode()


class Suites:
    """A suite for cases of one broker, and one for those of three: each is made when it's needed."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._made: dict[int, Suite] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, case: Case) -> Suite:
        """Return the suite of a case."""
        if case.brokers not in self._made:
            folder = self._stack.enter_context(TemporaryDirectory(prefix="lineside-chaos-"))
            broker = KafkaBroker() if case.brokers == 1 else KafkaCluster()
            self._stack.enter_context(broker)
            self._made[case.brokers] = Suite(broker, Path(folder), self.size)
        return self._made[case.brokers]


def tails(job: KafkaJob, broker: KafkaBroker | KafkaCluster) -> str:
    """Return what the workers and the broker have said last."""
    logs = {worker.log: worker.process.poll() for worker in job.workers}
    worker_logs = {
        f"{log.parent.name}, code {code}": log for log, code in logs.items() if log.exists()
    }
    nodes = broker.nodes.values() if isinstance(broker, KafkaCluster) else [broker]
    brokers = {f"broker {number}": node.log for number, node in enumerate(nodes, 1)}
    return "\n".join(
        f"--- {name} ---\n{log.read_text('utf-8', 'replace')[-TAIL_CHARS:]}"
        for name, log in (worker_logs | brokers).items()
    )


def tell(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)
