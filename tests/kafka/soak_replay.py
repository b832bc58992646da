"""What a soak has left, held against a replay of its inputs; hours of it, and nothing is kept."""

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any, Final

from broker import run_apart
from chained import Chained, chained_of_files, differences
from chaos_reference import add_kept, add_reference, copies_in
from contents import stream
from kafka_workers import LINESIDE, KafkaJob, printed
from runs import OUTCOMES
from streams.contract.topics import INPUTS, OUTPUTS

PARKED: Final = "parked"
"""Beside `OUTCOMES` in what the states have counted: events that a hold keeps from the ERP."""

READ_SECONDS_MAX: Final = 7_200.0
"""36 million records and what they make leave: a quarter of an hour where nothing else runs."""


def compared_with_a_replay(
    job: KafkaJob, settings: Mapping[str, object], states: Mapping[str, int]
) -> dict[str, Any]:
    """Return how many records left, how many of them again, and a sentence on each difference.

    `states` are what the states have counted, by outcome, and how many events they have parked.
    """
    out = job.folder / "replayed"
    _replay(job, settings, out)
    report = json.loads((out / "report.json").read_bytes())
    expected, found = chained_of_files(out), _left(job)
    add_kept(job, expected)
    add_reference(job, found)
    sentences = differences(expected, found)
    if report["conservation"]["error"] != "0":
        sentences.append(f"a replay's conservation error is {report['conservation']['error']}")
    wanted = {name: report["counts"][name] for name in OUTCOMES} | {PARKED: report[PARKED]}
    sentences += [
        f"{name}: the states have {states[name]}, a replay {count}"
        for name, count in wanted.items()
        if states[name] != count
    ]
    return {
        "records": expected.records,
        "counts": dict(states),
        "copies": copies_in(job, READ_SECONDS_MAX),
        "repeated": found.repeated,
        "differences": sentences,
    }


def _replay(job: KafkaJob, settings: Mapping[str, object], out: object) -> None:
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    environment = {f"LINESIDE_{name.upper()}": str(value) for name, value in settings.items()}
    command = [LINESIDE, "replay", "-", "--out", str(out), "--partitions", str(job.partitions)]
    with subprocess.Popen(
        command, env=own | environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as replay:
        assert replay.stdin is not None
        assert replay.stderr is not None
        into = replay.stdin

        async def dump() -> None:
            topics = dict.fromkeys(INPUTS, job.partitions)
            async for tp, records in stream(job.cluster, topics, READ_SECONDS_MAX):
                into.writelines(printed(tp.topic, record) + b"\n" for record in records)

        run_apart(dump())
        into.close()
        said = replay.stderr.read()
    assert replay.returncode == 0, said.decode()


def _left(job: KafkaJob) -> Chained:
    """Return what a reader of committed records finds on the output topics."""

    async def read() -> Chained:
        found = Chained()
        topics = dict.fromkeys(OUTPUTS, job.partitions)
        async for tp, records in stream(job.cluster, topics, READ_SECONDS_MAX):
            for record in records:
                found.add(tp.topic, record.value)
        return found

    return run_apart(read())
