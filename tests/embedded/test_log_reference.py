"""Master data on the embedded log: kept once, copied to where it's needed, whatever is cut off."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from faust.types import TP

from agents import spread_reference as spread_reference_
from agents.announce_plants import Seen
from agents.keep_reference import Keeper, keep_reference
from agents.spread_reference import UNTAKEN_MAX, spread_reference
from masters import master
from runs import consumed, new_task, placed
from streams.codec.decode import decode
from streams.contract.reference import Reference
from streams.contract.topics import CLOCK, ERP_MASTER, EXCEPTIONS, MES_EVENTS, REFERENCE
from streams.embedded.log import EmbeddedLog
from streams.embedded.reference import LogReference
from streams.embedded.transport import Broker
from streams.log.record import Outgoing, Record, partition_of
from streams.log.reference import Pair
from streams.log.writing import Lost
from tables.reference.keeping import Terms
from tables.reference.spreading import seen_record

PARTITIONS = 4


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    log = EmbeddedLog(tmp_path)
    yield Broker(log, PARTITIONS)
    log.close()


def on(broker: Broker, topic: str, number: int = 0) -> list[Record]:
    log = broker.log.partition(topic, number)
    return log.read(log.start_offset, 10**6)


def say(broker: Broker, *values: bytes) -> None:
    broker.append(ERP_MASTER, 0, [(None, None, value, ()) for value in values])


def kinds(broker: Broker) -> list[str]:
    return [
        json.loads(record.value or b"")["type"].split(".")[1] for record in on(broker, REFERENCE)
    ]


def copied(broker: Broker, number: int) -> list[tuple[str, str, int]]:
    """Return (plant, what of, seq) of the copies in a partition."""
    found = []
    for record in on(broker, MES_EVENTS, number):
        read = decode(record.value, record.headers, MES_EVENTS)
        assert isinstance(read, Reference)
        assert read.seq is not None
        found.append((read.plant, "/".join(map(str, read.id)), read.seq))
    return found


@asynccontextmanager
async def running(*agents: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run agents; raise what one of them raises."""
    tasks = [asyncio.ensure_future(agent()) for agent in agents]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for done in ended:
        assert isinstance(done, asyncio.CancelledError), done


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not there():  # noqa: ASYNC110  # the log tells nobody in a test
            await asyncio.sleep(0.01)


def home(plant: str, line: str) -> int:
    return partition_of(f"{plant}/{line}".encode(), PARTITIONS)


async def test_what_a_source_says_is_in_its_plants_partitions_within_two_seconds(
    broker: Broker,
) -> None:
    log = LogReference(broker)
    async with running(keep_reference(log, Terms()), spread_reference(log)):
        await asyncio.sleep(0.1)
        begun = asyncio.get_running_loop().time()
        say(broker, master("line", line="L1"), master("item", item="I", base_uom="kg"))
        say(broker, master("reason", "*", reason="r"), master("item", "Q", item="I", base_uom="kg"))
        own = home("P", "L1")
        other = (own + 1) % PARTITIONS
        await until(lambda: len(copied(broker, own)) == 3)
        assert asyncio.get_running_loop().time() - begun < 2
    assert [each[:2] for each in copied(broker, own)] == [("P", "L1"), ("P", "I"), ("*", "r")]
    assert [each[:2] for each in copied(broker, other)] == [("*", "r")]
    offsets = {record.key: record.offset for record in on(broker, REFERENCE)}
    assert dict(
        zip([b"line|P|L1", b"item|P|I"], [each[2] for each in copied(broker, own)], strict=False)
    ) == {key: offsets[key] for key in (b"line|P|L1", b"item|P|I")}


async def test_a_refused_record_is_one_exception_and_the_others_go_on(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    log = LogReference(broker)
    say(broker, b"{", master("line", line="L1"), master("work_unit", line="L9", work_unit="W"))
    async with running(keep_reference(log, Terms())):
        await until(lambda: len(on(broker, REFERENCE)) == 2)
    assert kinds(broker) == ["line", "progress"]
    found = [record for number in range(PARTITIONS) for record in on(broker, EXCEPTIONS, number)]
    assert [json.loads(record.value or b"")["id"] for record in found] == [
        "erp.master.v1/0/0", "erp.master.v1/0/2",
    ]  # fmt: skip
    (said,) = caplog.messages
    assert said.startswith("2 records of erp.master.v1 were refused, the first as malformed: ")


async def test_all_of_the_master_data_said_again_changes_nothing(broker: Broker) -> None:
    log = LogReference(broker)
    said = [master("line", line="L1"), master("item", item="I", base_uom="kg")]
    say(broker, *said)
    async with running(keep_reference(log, Terms())):
        await until(lambda: len(on(broker, REFERENCE)) == 3)
        say(broker, *said)
        await until(lambda: len(on(broker, REFERENCE)) == 4)
    assert kinds(broker) == ["line", "item", "progress", "progress"]


class Breaking(LogReference):
    """Loses its log at the n-th write; the write may have arrived before."""

    def __init__(self, broker: Broker, at: int, arrives: bool) -> None:
        super().__init__(broker)
        self.left, self.arrives = at, arrives

    def _breaks(self) -> bool:
        self.left -= 1
        return self.left == 0

    async def keep(self, exceptions: Sequence[Outgoing], records: Sequence[Outgoing]) -> None:
        breaks = self._breaks()
        if not breaks or self.arrives:
            await super().keep(exceptions, records)
        if breaks:
            raise Lost("cut off")

    async def copy(self, copies: Mapping[int, Sequence[Pair]]) -> None:
        breaks = self._breaks()
        if breaks and self.arrives:  # a part of it
            await super().copy(dict(list(copies.items())[:1]))
        if breaks:
            raise Lost("cut off")
        await super().copy(copies)

    async def note(self, notes: Mapping[int, bytes]) -> None:
        if self._breaks():
            raise Lost("cut off")
        await super().note(notes)


class Crowded(LogReference):
    """Has copies that wait, until `looks` were taken at them."""

    def __init__(self, broker: Broker, looks: int) -> None:
        super().__init__(broker)
        self.looks = looks
        self.copied_at: list[int] = []
        """How many looks were left when something was copied."""

    def untaken(self) -> int:
        self.looks -= self.looks > 0
        return UNTAKEN_MAX + 1 if self.looks else UNTAKEN_MAX

    async def copy(self, copies: Mapping[int, Sequence[Pair]]) -> None:
        self.copied_at.append(self.looks)
        await super().copy(copies)


async def test_copying_waits_for_tasks_that_have_much_to_take(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread_reference_, "TOGETHER_MAX", 3)
    monkeypatch.setattr(spread_reference_, "HELD_RECORDS_MAX", 0)
    say(broker, master("line", line="L1"))
    say(broker, *(master("item", item=f"I{n}", base_uom="kg") for n in range(6)))
    async with running(keep_reference(LogReference(broker), Terms())):
        await until(lambda: len(kinds(broker)) == 8)
    log = Crowded(broker, 5)
    async with running(spread_reference(log)):
        await until(lambda: len(copied(broker, home("P", "L1"))) == 7)
    assert log.copied_at == [5, 0, 0]


async def test_copying_goes_on_where_a_task_stands_still(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread_reference_, "TOGETHER_MAX", 3)
    monkeypatch.setattr(spread_reference_, "HELD_RECORDS_MAX", 0)
    monkeypatch.setattr(spread_reference_, "UNTAKEN_SECONDS_MAX", 0.05)
    say(broker, master("line", line="L1"))
    log = Crowded(broker, 10**6)
    async with running(keep_reference(log, Terms()), spread_reference(log)):
        await until(lambda: len(copied(broker, home("P", "L1"))) == 1)
        say(broker, *(master("item", item=f"I{n}", base_uom="kg") for n in range(6)))
        await until(lambda: len(copied(broker, home("P", "L1"))) == 7)
    assert log.looks < 10**6


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("at", range(1, 8))
async def test_whatever_write_is_cut_off_each_record_is_kept_once_and_copied(
    broker: Broker, at: int, arrives: bool
) -> None:
    log = Breaking(broker, at, arrives)
    said = [
        master("line", line="L1"),
        master("line", "Q", line="L2"),
        *(master("item", plant, item=f"I{n}", base_uom="kg") for n in range(5) for plant in "PQ"),
    ]
    async with running(keep_reference(log, Terms()), spread_reference(log)):
        for value in said:
            say(broker, value)
            await asyncio.sleep(0.02)
        own = [home("P", "L1"), home("Q", "L2")]
        await until(lambda: all({f"I{n}" for n in range(5)} <= names(broker, p) for p in own))
    keys = [record.key for record in on(broker, REFERENCE) if b"|*|" not in (record.key or b"")]
    assert len(keys) == len(set(keys)) == len(said)


def names(broker: Broker, number: int) -> set[str]:
    return {name for _, name, _ in copied(broker, number)}


async def test_a_new_keeper_goes_on_where_the_last_one_was(broker: Broker) -> None:
    log = LogReference(broker)
    say(broker, master("line", line="L1"), b"{", b"{")
    keeper = await Keeper.begun(log, Terms())
    await keeper.round()
    other = await Keeper.begun(log, Terms())
    assert (other.progress.offset, len(other.known)) == (3, 1)
    await other.round()
    assert not other.counts


async def test_a_plant_that_was_seen_in_a_partition_is_copied_there(broker: Broker) -> None:
    log = LogReference(broker)
    say(broker, master("item", item="I", base_uom="kg"))
    async with running(keep_reference(log, Terms()), spread_reference(log)):
        await until(lambda: len(on(broker, REFERENCE)) == 2)
        await log.tell([seen_record("P", 3)])
        await until(lambda: names(broker, 3) == {"I"})
    assert names(broker, 2) == set()


def test_a_plant_is_told_once_for_each_partition_and_opening() -> None:
    ((at, records),) = (
        (at, each) for at, each in placed([consumed(0), consumed(1, line="L2")]).items() if each
    )
    task, seen = new_task(at), Seen()
    assert seen.look({TP(*at): task}) == []
    task.commit(task.step(records[:1]))
    assert seen.look({TP(*at): task}) == [seen_record("DE01", 0)]
    task.commit(task.step(records))
    assert seen.look({TP(*at): task}) == []
    assert seen.look({}) == []
    assert seen.look({TP(*at): task}) == [seen_record("DE01", 0)]


async def test_when_the_copy_was_made_anew_nothing_is_copied_and_that_is_told(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    log = LogReference(broker)
    await log.note({1: b'{"offset":7,"plants":["P"]}'})
    say(broker, master("reason", "*", reason="r"))
    async with running(keep_reference(log, Terms()), spread_reference(log)):
        await until(lambda: len(on(broker, REFERENCE)) == 2)
        await asyncio.sleep(0.6)
        for number in range(10):
            say(broker, master("reason", "*", reason=f"r{number}"))
        await until(lambda: len(on(broker, REFERENCE)) > 7)
        await asyncio.sleep(0.6)
    assert all(not copied(broker, number) for number in range(PARTITIONS))
    assert len([one for one in caplog.messages if "no master data is copied" in one]) == 1
    assert "and records up to 7 of it were copied" in caplog.text


async def test_how_far_the_copying_has_come_is_noted_for_a_worker_that_takes_over(
    broker: Broker,
) -> None:
    log = LogReference(broker)
    say(broker, master("line", line="L1"), master("item", item="I", base_uom="kg"))
    async with running(keep_reference(log, Terms()), spread_reference(log)):
        await until(lambda: bool(on(broker, CLOCK)))
    before = {number: copied(broker, number) for number in range(PARTITIONS)}
    async with running(spread_reference(LogReference(broker))):
        await asyncio.sleep(0.2)
        say(broker, master("item", item="J", base_uom="kg"))
        async with running(keep_reference(log, Terms())):
            await until(lambda: "J" in names(broker, home("P", "L1")))
    after = copied(broker, home("P", "L1"))
    assert after[:-1] == before[home("P", "L1")]
