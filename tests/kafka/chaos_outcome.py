"""What a job's topics hold, and what a replay of its inputs says that they should hold."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from broker import run_apart
from contents import stream
from kafka_workers import LINESIDE, KafkaJob, printed
from outcome import Outcome, outcome_of_replay
from runs import OUTCOMES
from streams.contract.topics import INPUTS, OUTPUTS

WORDS_CHARS: Final = 2_500
"""Of what a command says that has failed."""


def dump_inputs(job: KafkaJob, path: Path) -> None:
    """Write what the input topics hold to a file, as `lineside replay` reads it."""

    async def dump() -> None:
        with path.open("wb") as file:
            async for tp, records in stream(job.cluster, dict.fromkeys(INPUTS, job.partitions)):
                file.writelines(printed(tp.topic, record) + b"\n" for record in records)

    run_apart(dump())


def outcome_of_dump(
    dump: Path, partitions: int, found: Outcome | None = None
) -> tuple[Outcome, Mapping[str, int]]:
    """Return what a replay gives, added to what was `found`, and how many records became what."""
    out = dump.with_suffix("")
    lineside("replay", dump, "--out", out, "--partitions", partitions)
    counts = json.loads((out / "report.json").read_bytes())["counts"]
    return outcome_of_replay(out, found), {name: counts[name] for name in OUTCOMES}


def expected_outcome(
    job: KafkaJob, aside: Iterable[Path] = ()
) -> tuple[Outcome, Mapping[str, int]]:
    """Return what should have left of the input topics, and how many of their records became what.

    `aside` are dumps of inputs that were there before and are no more: what left of them is there.
    """
    found = Outcome()
    for dump in aside:
        outcome_of_dump(dump, job.partitions, found)
    dump = job.folder / "dump.ndjson"
    dump_inputs(job, dump)
    return outcome_of_dump(dump, job.partitions, found)


def outcome_of_topics(job: KafkaJob) -> Outcome:
    """Return what a reader of committed records finds on the output topics."""

    async def read() -> Outcome:
        found = Outcome()
        async for tp, records in stream(job.cluster, dict.fromkeys(OUTPUTS, job.partitions)):
            for record in records:
                found.add(tp.topic, record.value)
        return found

    return run_apart(read())


def lineside(*arguments: object) -> None:
    """Run a command that has to succeed."""
    done = subprocess.run(
        [LINESIDE, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-WORDS_CHARS:]
