"""The soak: hours under load with a fault each minute, and whether anything grows meanwhile.

    python tests/kafka/soak.py [--hours H] [--rate R] [--guarantee g] [--out results.json]
                               [--out page.md]

Two workers on a broker. What left is held against `lineside replay` of the same input topics; the
exit code is 0 if that's exact and all is flat.
"""

import argparse
import logging
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from broker import KafkaBroker
from chaos_bombs import drop_bomb
from chaos_broker import configure_changelogs, freeze_broker, kill_broker
from chaos_floods import flood_exceptions
from chaos_hosts import hold_connections
from chaos_job import Chaos
from chaos_suite import EXACTLY_ONCE, GUARANTEES, tails, tell
from chaos_workers import kill_workers, terminate, wake_zombies, wipe
from heads import Heads
from kafka_workers import KafkaJob, kafka_job
from pod_limit import PodLimit
from soak_feed import SteadyFeeder
from soak_page import keep, machine, page
from soak_replay import compared_with_a_replay
from soak_samples import LASTING, Samples, flatness

PARTITIONS: Final = 6

PLANTS, LINES = 4, 4
EVENTS_PER_SECOND: Final = 27.8
"""Of so many lines, in the factory's own time: how fast that passes at a rate."""

MINUTE_SECONDS: Final = 60.0

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

Fault = Callable[[Chaos], None]


def come_and_go(chaos: Chaos) -> None:
    """A third worker comes, and goes again."""
    chaos.start("third")
    chaos.wait_until_settled()
    chaos.stop("third")
    chaos.wait_until_settled()


ENDING: Final[dict[str, Fault]] = {"kill": kill_workers, "sigterm": terminate, "wipe": wipe}
"""Faults that end a worker, and spare one that is to last."""

PASSING: Final[dict[str, Fault]] = {
    "zombie": wake_zombies,
    "broker-kill": kill_broker,
    "broker-freeze": freeze_broker,
    "third-worker": come_and_go,
    "bomb": lambda chaos: drop_bomb(chaos, len(chaos.resumed)),
    "exceptions": flood_exceptions,
    "idle-connections": hold_connections,
}
"""Those that all workers live through."""


def soak(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what came of it, as it is kept."""
    seconds = arguments.hours * 3600
    events = round(seconds * arguments.rate)
    ledger_seconds = max(
        round(LEDGERS * seconds * arguments.rate / EVENTS_PER_SECOND), LEDGER_SECONDS_MIN
    )
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
                results |= compared_with_a_replay(job, settings, results.pop("counts"))
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
    size = ("--seed", arguments.seed, "--plants", PLANTS, "--lines", LINES)
    with (
        SteadyFeeder(broker.url, job.folder, results["events"], arguments.rate, *size) as feeder,
        PodLimit() as limit,
        Chaos(
            broker=broker,
            job=job,
            heads=Heads(job.cluster, job.group, PARTITIONS),
            feeder=feeder,
            rng=Random(arguments.seed),
            guarantee=arguments.guarantee,
            session_seconds=SESSION_SECONDS,
            fault_count=1,
            fault_seconds=MINUTE_SECONDS,
            settings=results["settings"],
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
                _harm(chaos, feeder, samples, results["faults"])
                feeder.finish()
                chaos.wait_until_processed()
            finally:
                results["samples"] = [asdict(sample) for sample in samples.taken]
                results["peak_mb"] = round(limit.peak_mb, 1)
        results["counts"] = chaos.heads.counts()
        for name in list(chaos.workers):
            chaos.stop(name)


def _harm(
    chaos: Chaos, feeder: SteadyFeeder, samples: Samples, faults: list[dict[str, Any]]
) -> None:
    """Do harm each minute, as long as there is a load."""
    done: list[str] = []
    while True:
        minute = samples.seconds // MINUTE_SECONDS + 1
        while samples.seconds < minute * MINUTE_SECONDS and feeder.feeding:
            feeder.check()
            chaos.check()
            time.sleep(0.2)
        if not feeder.feeding:
            return
        names = [name for name in (*ENDING, *PASSING) if name not in done[-len(PASSING) :]]
        name = chaos.rng.choice(names)
        done.append(name)
        began, went_on = samples.seconds, len(chaos.resumed)
        chaos.spared = {LASTING} if name in ENDING else set()
        (ENDING | PASSING)[name](chaos)
        chaos.wait_until_settled()
        faults.append(
            {
                "name": name,
                "seconds": round(began, 1),
                "went_on": max(chaos.resumed[went_on:], default=None),
            }
        )
        tell(_line(chaos, samples, name))


def _line(chaos: Chaos, samples: Samples, name: str) -> str:
    last = samples.taken[-1] if samples.taken else None
    memory = ", ".join(
        f"{each} {mb:.0f} MB" for each, mb in (last.memory_mb if last else {}).items()
    )
    return (
        f"minute {samples.seconds / MINUTE_SECONDS:.0f}: {name}; "
        f"{chaos.heads.processed:,} records; {memory}; lag {last.lag if last else None}"
    )


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
