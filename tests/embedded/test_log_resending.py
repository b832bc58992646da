"""Refused events go again on the embedded log, once for each exception, whatever is cut off."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from agents.resend_events import Resender, resend_events
from masters import lacking, master
from runs import consumed
from streams.contract.topics import ERP_MASTER, EXCEPTIONS, MES_EVENTS
from streams.embedded.log import EmbeddedLog
from streams.embedded.resending import NOTES, LogResending
from streams.embedded.transport import Broker
from streams.log.headers import STRUCTURED
from streams.log.lineage import RESENT_FOR, RESENT_FROM
from streams.log.record import Record, partition_of
from streams.log.resending import Resent
from streams.log.writing import Lost
from tables.reference.spreading import Noted
from tables.reference.standing import Standing
from workers import WAIT_SECONDS_MAX, WorkerProcess

PARTITIONS = 4


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    log = EmbeddedLog(tmp_path)
    yield Broker(log, PARTITIONS)
    log.close()


def home(line: str) -> int:
    return partition_of(f"DE01/{line}".encode(), PARTITIONS)


def refuse(broker: Broker, *lines: str, item: str = "I1") -> None:
    """Let there be an event of each line, and the exception of it, since its item isn't known."""
    for line in lines:
        key, value, number = f"DE01/{line}".encode(), consumed(1, item=item, line=line), home(line)
        offset = broker.append(MES_EVENTS, number, [(None, key, value, (STRUCTURED,))])
        record = Record(offset, None, key, value, (STRUCTURED,))
        told = lacking(record, item, number, line=line)
        broker.append(EXCEPTIONS, number, [(None, key, told, (STRUCTURED,))])


def resent(broker: Broker) -> Counter[tuple[int, str, str]]:
    """Return (partition, exception, offset of the record) of what was sent again."""
    found: Counter[tuple[int, str, str]] = Counter()
    for number in range(PARTITIONS):
        for record in broker.log.partition(MES_EVENTS, number).read(0, 10**6):
            said = dict(record.headers)
            if RESENT_FROM in said:
                origin, reason = said[RESENT_FROM], said[RESENT_FOR]
                assert origin is not None
                assert reason is not None
                found[number, origin.decode(), reason.decode()] += 1
    return found


def learnt(standing: Standing, offset: int, item: str = "I1") -> None:
    """Let an item be known, and be in all partitions."""
    value = json.dumps({"data": {"item": item, "base_uom": "kg"}}).encode()
    standing.known.learn(f"item|DE01|{item}".encode(), value, offset)
    standing.learnt = offset + 1
    standing.copied = dict.fromkeys(range(PARTITIONS), Noted(offset + 1, frozenset({"DE01"})))


async def test_an_event_goes_to_its_partition_as_it_was_with_its_lineage(broker: Broker) -> None:
    standing = Standing()
    refuse(broker, "L1", "L2")
    resender = await Resender.begun(LogResending(broker), standing)
    await resender.round()
    assert not resent(broker)
    learnt(standing, 7)
    await resender.round()
    await resender.round()
    assert resent(broker) == Counter({
        (home("L1"), f"mes.events.v1/{home('L1')}/0", "7"): 1,
        (home("L2"), f"mes.events.v1/{home('L2')}/0", "7"): 1,
    })  # fmt: skip
    first, again = broker.log.partition(MES_EVENTS, home("L1")).read(0, 9)
    assert (first.key, first.value) == (again.key, again.value)
    assert list(again.headers)[:1] == list(first.headers)
    assert resender.count == 2


class CutOff(Exception):
    """`kill -9`: nothing after it is written."""


@pytest.mark.parametrize("at", range(9))
async def test_whatever_append_is_the_last_each_goes_once(
    broker: Broker, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["L1", "L2", "L3", "L5"]
    refuse(broker, *lines)
    refuse(broker, "L4", item="I2")
    left = at
    appends = type(broker.log.partition(NOTES, 0)).append

    def append(self: object, entries: Sequence[object]) -> int:
        nonlocal left
        if left == 0:
            raise CutOff
        left -= 1
        return appends(self, entries)  # type: ignore[arg-type]

    standing = Standing()
    learnt(standing, 7)
    resender = await Resender.begun(LogResending(broker), standing)
    with monkeypatch.context() as patched:
        patched.setattr(type(broker.log.partition(NOTES, 0)), "append", append)
        try:
            await resender.round()
            learnt(standing, 8, "I2")
            await resender.round()
        except CutOff:
            pass
    for _ in range(2):  # the second one has nothing left to do
        learnt(standing, 8, "I2")
        resender = await Resender.begun(LogResending(broker), standing)
        await resender.round()
    assert set(resent(broker).values()) == {1}
    assert {origin for _, origin, _ in resent(broker)} == {
        json.loads(record.value or b"")["id"]
        for number in range(PARTITIONS)
        for record in broker.log.partition(EXCEPTIONS, number).read(0, 99)
    }


class Breaking(LogResending):
    """Loses its log once, at the first write of events."""

    lost = False

    async def send(self, events: Sequence[Resent], notes: Mapping[int, bytes]) -> None:
        if events and not self.lost:
            self.lost = True
            raise Lost("cut off")
        await super().send(events, notes)


async def test_the_task_begins_anew_when_its_log_was_lost(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    standing = Standing()
    learnt(standing, 7)
    refuse(broker, "L1")
    task = asyncio.ensure_future(resend_events(Breaking(broker), standing)())
    try:
        async with asyncio.timeout(20):
            while not resent(broker):  # noqa: ASYNC110  # the log tells nobody in a test
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert list(resent(broker).values()) == [1]
    assert caplog.messages == ["refused events weren't sent again: cut off"]


def test_a_workers_refused_events_are_posted_once_their_master_data_has_come(
    tmp_path: Path,
) -> None:
    first, second = f"DE01/{'L1'}", f"DE01/{'L2'}"
    said = [
        master("plant", "DE01", require=["item", "order"]), master("line", "DE01", line="L1"),
        master("line", "DE01", line="L2"),
    ]  # fmt: skip
    _append(tmp_path, ERP_MASTER, None, *said)
    _work(tmp_path, lambda: all(_has(tmp_path, MES_EVENTS, number, b'"L2"') for number in _homes()))
    _append(tmp_path, MES_EVENTS, first, consumed(1), consumed(2, id="b", item="I9"))
    _append(tmp_path, MES_EVENTS, second, consumed(1, line="L2", id="c"))
    _work(tmp_path, lambda: _count(tmp_path, EXCEPTIONS) == 3)
    _append(tmp_path, ERP_MASTER, None, master("item", "*", item="I1", base_uom="kg"))
    _work(tmp_path, lambda: _count(tmp_path, EXCEPTIONS) == 5)  # now it's the order
    order = master("order", "DE01", order="O1", status="released", item="I1")
    _append(tmp_path, ERP_MASTER, None, order)
    worker = WorkerProcess(tmp_path)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline and worker.status()["counts"]["accepted"] < 2:
        time.sleep(0.05)
    time.sleep(1.5)  # nothing more comes
    status = worker.status()
    worker.kill()
    assert status["counts"]["accepted"] == 2
    assert status["counts"]["duplicate"] == 0
    assert _count(tmp_path, EXCEPTIONS) == 5


def _homes() -> set[int]:
    return {home("L1"), home("L2")}


def _append(folder: Path, topic: str, key: str | None, *values: bytes) -> None:
    log = EmbeddedLog(folder / "log")
    given = None if key is None else key.encode()
    broker = Broker(log, PARTITIONS)
    number = partition_of(given, broker.partitions_of(topic))
    broker.append(topic, number, [(None, given, value, (STRUCTURED,)) for value in values])
    log.close()


def _work(folder: Path, done: object) -> None:
    """Let a worker work until this is so, and kill it."""
    assert callable(done)
    worker = WorkerProcess(folder)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline and not done():
        time.sleep(0.05)
    worker.kill()
    assert done(), worker.first_line


def _has(folder: Path, topic: str, number: int, text: bytes) -> bool:
    files = (folder / "log" / topic / str(number)).glob("*.log")
    return any(text in file.read_bytes() for file in files)


def _count(folder: Path, topic: str) -> int:
    """Return how many exceptions there are."""
    files = (folder / "log" / topic).glob("*/*.log")
    return sum(file.read_bytes().count(b'"type":"exception.raised.v1"') for file in files)
