"""What a job's topics hold, and what a replay of its inputs says that they should hold."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from broker import run_apart
from chaos_reference import add_kept, add_reference
from contents import stream
from kafka_workers import LINESIDE, KafkaJob, printed
from outcome import Outcome, outcome_of_replay
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
) -> tuple[Outcome, dict[str, Any]]:
    """Return what a replay gives, added to what was `found`, and its report."""
    out = dump.with_suffix("")
    lineside("replay", dump, "--out", out, "--partitions", partitions)
    report: dict[str, Any] = json.loads((out / "report.json").read_bytes())
    return outcome_of_replay(out, found), report


def expected_outcome(
    job: KafkaJob, aside: Iterable[Path] = (), inputs: bool = True
) -> tuple[Outcome, dict[str, Any]]:
    """Return what should have left of what came in, and the report on the input topics.

    `aside` are dumps of inputs that were there before and are no more: what left of them is there.
    Without `inputs` nothing has left of those that are there now.
    """
    found, report = Outcome(), dict[str, Any]()
    add_kept(job, found)
    for dump in aside:
        outcome_of_dump(dump, job.partitions, found)
    if inputs:
        dump = job.folder / "dump.ndjson"
        dump_inputs(job, dump)
        found, report = outcome_of_dump(dump, job.partitions, found)
    return found, report


def outcome_of_topics(job: KafkaJob) -> Outcome:
    """Return what a reader of committed records finds on the output topics, and in `reference.v1`."""
    found = Outcome()

    async def read() -> None:
        async for tp, records in stream(job.cluster, dict.fromkeys(OUTPUTS, job.partitions)):
            for record in records:
                found.add(tp.topic, record.value)

    run_apart(read())
    add_reference(job, found)
    return found


def lineside(*arguments: object) -> None:
    """Run a command that has to succeed."""
    done = subprocess.run(
        [LINESIDE, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-WORDS_CHARS:]
