"""Topics that are deleted and made anew: inputs, and the changelogs of running workers."""

import uuid
from collections.abc import Collection, Iterator
from typing import Final

from chaos_floods import BEFORE, tick
from chaos_job import Chaos, now_ms
from chaos_outcome import dump_inputs, expected_outcome, lineside, outcome_of_topics
from chaos_reference import settle
from chaos_workers import kill_and_wipe
from clusters import fresh_topics
from feeding import Feeder
from kafka_workers import one_sentence
from outcome import difference
from streams.contract.topics import INPUTS, changelog

PAST: Final = 100
"""So many records more than before a new topic has: what tells it isn't that it's shorter."""

REFUSED_SECONDS_MAX: Final = 60.0
"""A worker has noticed by then: a session, and what clients take to learn of a topic anew."""


def renew_inputs(chaos: Chaos) -> None:
    """Inputs are made anew with other records, under workers or between two runs: refused."""
    assert isinstance(chaos.feeder, Feeder), "this case needs the whole load at once"
    chaos.feeder.finish()
    chaos.steward.finish()
    for number in range(chaos.fault_count):
        settle(chaos)
        aside = chaos.job.folder / f"aside-{number}.ndjson"
        dump_inputs(chaos.job, aside)
        chaos.aside.append(aside)
        names = sorted(chaos.workers)
        live = number % 2 == 1
        if not live:
            for name in names:
                chaos.stop(name)
        before = chaos.job.ends(INPUTS)
        _renew(chaos, INPUTS)
        chaos.put(_elsewhere(chaos, chaos.feeder.lines, number))
        after = chaos.job.ends(INPUTS)
        shorter = max(before[tp] - after[tp] for tp in before)
        chaos.put([tick(BEFORE)] * max(shorter + PAST, 0))
        if not live:
            for name in names:
                chaos.start(name)
        for name in names:
            worker = chaos.workers.pop(name)
            code = worker.wait(REFUSED_SECONDS_MAX)
            sentence = one_sentence(worker)
            assert code == 1, f"worker {name} ended with code {code}: {sentence}"
            assert "made anew" in sentence, f"worker {name} ended with {sentence!r}"
        expected, _ = expected_outcome(chaos.job, chaos.aside, inputs=False)
        found = difference(expected, outcome_of_topics(chaos.job))
        assert found.none, f"before it was refused: {found}"
        since = now_ms()
        chaos.take_group(f"chaos-{uuid.uuid4().hex[:8]}")
        for name in names:
            chaos.start(name)
        chaos.wait_until_settled()
        chaos.get_through(since)
        chaos.tell(f"{number + 1} of {chaos.fault_count} faults")


def renew_changelogs(chaos: Chaos) -> None:
    """Changelogs are made anew under running workers; then the disks are lost."""
    for _ in chaos.faults():
        chaos.wait_until_settled()
        since = now_ms()
        names = [changelog(chaos.job.group, topic) for topic in INPUTS]
        _renew(chaos, names)
        chaos.resume(chaos.partitions, since)
        workers = sorted(chaos.workers)
        kill_and_wipe(chaos, workers)
        for name in workers:
            chaos.start(name)
        chaos.resume(chaos.partitions, now_ms())


def _renew(chaos: Chaos, names: Collection[str]) -> None:
    fresh_topics(chaos.broker, chaos.job.partitions, chaos.job.group, names=names)


def _elsewhere(chaos: Chaos, events: int, number: int) -> Iterator[bytes]:
    """Yield as many events as there were before, of plants that have none yet.

    None is refused: an exception's id is its record's place, and such a place was there before.
    """
    path = chaos.job.folder / "elsewhere.ndjson"
    size = ("--seed", 2 + number, "--events", events, "--plants", 4, "--lines", 4)
    lineside("simulate", "--clean", *size, "--tick-seconds", 0, "--out", path)
    with path.open("rb") as lines:
        for line in lines:
            yield line.replace(b'"plant":"', b'"plant":"N%d-' % number)
