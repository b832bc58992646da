"""Inputs sent again on a real broker: each once, wherever it is cut off, and by one at a time."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from acts.refusals import encoded, event
from agents.desk import resending
from agents.desk.resending import Resender
from broker import run_apart
from contents import read, write
from kafka_workers import KafkaJob
from streams.contract.reruns import Chosen, rerun_of
from streams.contract.topics import AUDIT, INPUTS, MES_EVENTS
from streams.kafka.reruns import KafkaReruns
from streams.log.desk import Again
from streams.log.record import Record
from streams.log.writing import Fenced

EVENTS = 120
HOUR = 3_600_000_000


class CutOff(Exception):
    """The process ends here."""


def fill(job: KafkaJob) -> Chosen:
    """Let the MES send events; return a choice of them all."""
    for number in range(job.partitions):
        records = [
            Record(0, None, b"DE01/L3", encoded(event(attributes={"id": f"{n}"})), [("by", b"mes")])
            for n in range(number, EVENTS, job.partitions)
        ]
        run_apart(write(job.cluster, {(MES_EVENTS, number): records}))
    now = round(time.time() * 1e6)
    return Chosen(now - HOUR, now + HOUR, INPUTS, plant="DE01")


def log_of(job: KafkaJob) -> KafkaReruns:
    return KafkaReruns(job.cluster, job.group, {**dict.fromkeys(INPUTS, job.partitions), AUDIT: 1})


def sent(job: KafkaJob) -> Counter[str]:
    """Return how often each record was sent again, each to where it was."""
    found: Counter[str] = Counter()
    for tp, records in job.read([MES_EVENTS]).items():
        for one in records:
            origin = dict(one.headers).get("lineside_resent_from")
            if origin is not None:
                topic, number, _ = origin.decode().split("/")
                assert (topic, int(number)) == (tp.topic, tp.partition)
                found[origin.decode()] += 1
    return found


def test_a_rerun_that_is_cut_off_goes_on_and_sends_each_once(
    job: KafkaJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = fill(job)
    monkeypatch.setattr(resending, "TOGETHER_MAX", 25)

    async def work() -> None:
        writes = 0
        for cut in (0, 1, 2, 9):
            log, left = log_of(job), cut
            write = log.send

            async def send(events: Sequence[Again], note: bytes | None = None, write=write) -> None:
                nonlocal left, writes
                if events and left == 0:
                    raise CutOff
                await write(events, note)
                left, writes = left - bool(events), writes + bool(events)

            log.send = send  # type: ignore[method-assign]  # as if the process ended there
            try:
                await Resender(log, chosen).send("anna", chosen.begin, lambda _: None)
            except CutOff:
                assert cut < 9
            finally:
                await log.close()
        assert writes == 5
        log = log_of(job)
        foreseen = await Resender(log, chosen).foresee(None)
        assert (foreseen.count, foreseen.before) == (0, EVENTS)
        await log.close()

    run_apart(work())
    assert len(sent(job)) == EVENTS
    assert set(sent(job).values()) == {1}
    (notes,) = run_apart(read(job.cluster, {AUDIT: 1})).values()
    (rerun,) = [rerun_of(one.value) for one in notes]
    assert rerun is not None
    assert (rerun.who, rerun.chosen) == ("anna", chosen)


def test_who_begins_the_same_shuts_out_who_had_begun(job: KafkaJob) -> None:
    chosen = fill(job)

    async def work() -> None:
        first, second = log_of(job), log_of(job)
        one, other = Resender(first, chosen), Resender(second, chosen)
        await first.take(one.run)
        result = await other.send("ben", chosen.begin, lambda _: None)
        assert result.count == EVENTS
        with pytest.raises(Fenced):
            await first.send([Again(MES_EVENTS, 0, b"k", b"{}", ())])
        for log in (first, second):
            await log.close()

    run_apart(work())
    assert set(sent(job).values()) == {1}


def test_records_of_another_time_stay(job: KafkaJob) -> None:
    chosen = fill(job)
    earlier = Chosen(chosen.begin - 2 * HOUR, chosen.begin, INPUTS)

    async def work() -> int:
        log = log_of(job)
        await asyncio.sleep(0)
        found = await Resender(log, earlier).foresee(None)
        await log.close()
        return found.count

    assert run_apart(work()) == 0
