"""The soak: hours under load with a fault each minute, and whether anything grows meanwhile.

    python tests/kafka/soak.py [--hours H] [--rate R] [--guarantee g] [--out results.json]
                               [--out page.md]

Two workers on a broker, with master data, rules and holds that change all the time. What left is
held against `lineside replay` of the same input topics; the exit code is 0 if that's exact and all
is flat.
"""

import argparse
import logging
import math
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from broker import KafkaBroker
from chaos_broker import configure_changelogs
from chaos_job import Chaos
from chaos_masters import Steward
from chaos_reference import parked, quiet_tick_seconds, settle
from chaos_suite import EXACTLY_ONCE, GUARANTEES, tails, tell
from heads import Heads
from kafka_workers import KafkaJob, kafka_job
from pod_limit import PodLimit
from soak_faults import MINUTE_SECONDS, harm
from soak_feed import SteadyFeeder
from soak_page import keep, machine, page
from soak_replay import PARKED, READ_SECONDS_MAX, compared_with_a_replay
from soak_samples import LASTING, Samples, flatness

PARTITIONS: Final = 6

EVENTS_PER_SECOND: Final = 27.8
"""Of the log's 16 lines, in the factory's own time: how fast that passes at a rate."""

DAY_SECONDS: Final = 86_400

SESSION_SECONDS: Final = 8.0

SAMPLE_SECONDS: Final = 10.0
SAMPLES_MIN: Final = 40
"""A short soak takes them more often."""

LEDGERS: Final = 0.05
"""Of the soak: what ledgers reach back, so that entries expire nearly all of the time."""

LEDGER_SECONDS_MIN: Final = 600

FLOOD_SCALE: Final = 0.1
"""A bomb each some minutes: of 80 MB unpacked."""

COMPACTED: Final = {
    "segment.bytes": str(16 << 20),
    "segment.ms": "60000",
    "delete.retention.ms": "3600000",
}
"""Of changelogs: compacted within minutes, and tombstones kept no longer than lineside demands."""


def soak(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what came of it, as it is kept."""
    seconds = arguments.hours * 3600
    events = round(seconds * arguments.rate)
    factory_seconds = events / EVENTS_PER_SECOND
    ledger_seconds = max(round(LEDGERS * factory_seconds), LEDGER_SECONDS_MIN)
    settings = {
        "mes_retention_seconds": ledger_seconds,
        "machine_retention_seconds": ledger_seconds,
        "ledger_bucket_seconds": max(ledger_seconds // 20, 60),
    }
    results: dict[str, Any] = {
        "machine": machine(),
        "hours": arguments.hours,
        "rate": arguments.rate,
        "guarantee": arguments.guarantee,
        "events": events,
        "days": math.ceil(factory_seconds / DAY_SECONDS),
        "settings": settings,
        "faults": [],
        "samples": [],
        "failure": "",
    }
    with (
        TemporaryDirectory(prefix="lineside-soak-") as folder,
        KafkaBroker() as broker,
        kafka_job(broker, f"soak-{uuid.uuid4().hex[:8]}", Path(folder), PARTITIONS) as job,
    ):
        try:
            _run(arguments, results, broker, job)
            if not results["failure"]:
                tell("the load has ended: what left is compared")
                results |= compared_with_a_replay(job, settings, results.pop("states"))
        except Exception as failure:
            results["failure"] = f"{type(failure).__name__}: {failure}"
            tell(f"FAILED: {results['failure']}\n{tails(job, broker)}")
    results["flatness"] = flatness(results["samples"])
    once = arguments.guarantee == EXACTLY_ONCE
    results["exact"] = (
        not results["failure"] and not results["differences"] and not (once and results["repeated"])
    )
    return results


def _run(
    arguments: argparse.Namespace, results: dict[str, Any], broker: KafkaBroker, job: KafkaJob
) -> None:
    rng = Random(arguments.seed)
    masters = Steward(
        job.cluster, Random(f"{rng.random()}"), arguments.seed, lasts_days=results["days"]
    )
    with (
        SteadyFeeder(
            broker.url, job.folder, results["events"], arguments.rate, arguments.seed
        ) as feeder,
        masters as steward,
        PodLimit() as limit,
        Chaos(
            broker=broker,
            job=job,
            heads=Heads(job.cluster, job.group, PARTITIONS),
            feeder=feeder,
            rng=rng,
            guarantee=arguments.guarantee,
            session_seconds=SESSION_SECONDS,
            fault_count=1,
            fault_seconds=MINUTE_SECONDS,
            settings={"tick_seconds": quiet_tick_seconds(), **results["settings"]},
            steward=steward,
            scale=FLOOD_SCALE,
            limit=limit,
            under_load=False,
            tell=lambda _: None,
        ) as chaos,
    ):
        configure_changelogs(chaos, COMPACTED)
        for name in (LASTING, "w1"):
            chaos.start(name)
        chaos.wait_until_settled()
        every = min(SAMPLE_SECONDS, arguments.hours * 3600 / SAMPLES_MIN)
        with Samples(chaos, broker.folder, every) as samples:
            try:
                harm(chaos, samples, results["faults"])
                feeder.finish()
                steward.finish()
                chaos.wait_until_processed()
            finally:
                results["samples"] = [asdict(sample) for sample in samples.taken]
                results["peak_mb"] = round(limit.peak_mb, 1)
        settle(chaos, READ_SECONDS_MAX)
        results["states"] = {**chaos.heads.counts(), PARKED: parked(chaos)}
        for name in list(chaos.workers):
            chaos.stop(name)


def arguments_of(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="soak.py", description="Hours of load and faults; 0 if all is exact, and flat."
    )
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--rate", type=float, default=5_000.0, help="events a second")
    parser.add_argument("--guarantee", choices=GUARANTEES, default=EXACTLY_ONCE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--out", type=Path, action="append", default=[], help="a .json or .md file; repeatable"
    )
    return parser.parse_args(given)


def main() -> int:
    """Run what was asked for; return the exit code."""
    arguments = arguments_of()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers that are away are meant
    results = soak(arguments)
    for path in arguments.out:
        keep(path, results)
    print(page(results))
    return 0 if results["exact"] and all(one["flat"] for one in results["flatness"]) else 1


if __name__ == "__main__":
    sys.exit(main())
