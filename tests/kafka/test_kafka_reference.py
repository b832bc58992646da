"""Master data on Kafka, against a log in memory that answers as aiokafka's clients do."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, ProducerFenced

from agents.keep_reference import Keeper
from agents.spread_reference import spread_reference
from masters import master
from streams.contract.topics import CLOCK, ERP_MASTER, EXCEPTIONS, MES_EVENTS, REFERENCE
from streams.kafka import office
from streams.kafka import reference as on_kafka
from streams.kafka.fetched import record_of
from streams.kafka.identity import Identity
from streams.kafka.reference import KafkaReference
from streams.log.record import TP, Outgoing
from streams.log.writing import Fenced, Lost
from tables.reference.keeping import Terms

COUNTS = {MES_EVENTS: 2, EXCEPTIONS: 2, ERP_MASTER: 1, REFERENCE: 1, CLOCK: 1}


class Log:
    """The cluster: records by partition, and the offsets that ends of transactions take."""

    def __init__(self) -> None:
        self.records: defaultdict[TP, list[Any]] = defaultdict(list)
        self.ends: defaultdict[TP, int] = defaultdict(int)
        self.keepers = 0
        self.broken = 0
        self.topic_ids: dict[str, bytes] = {}

    def renew(self, topic: str) -> None:
        """Make a topic with one partition anew."""
        self.records[topic, 0], self.ends[topic, 0] = [], 0
        self.topic_ids[topic] = bytes([self.topic_ids.get(topic, b"\x01")[0] + 1]) * 16

    def add(self, tp: TP, key: bytes | None, value: bytes) -> None:
        offset = self.ends[tp]
        record = SimpleNamespace(offset=offset, timestamp=0, key=key, value=value, headers=())
        self.records[tp].append(record)
        self.ends[tp] += 1

    def take(self, batches: Iterable[tuple[TP, Sequence[Outgoing]]]) -> None:
        for tp, records in batches:
            for record in records:
                self.add(tp, record.key, record.value)

    def values(self, topic: str, number: int = 0) -> list[bytes]:
        return [record.value for record in self.records[topic, number]]

    @asynccontextmanager
    async def reader(self, **options: Any) -> AsyncIterator["Reader"]:
        yield Reader(self, in_blocks="key_deserializer" in options)

    def producer(self, name: str, **_: Any) -> "Producer":
        assert name == "g-reference"
        return Producer(self)

    async def send(self, batches: Iterable[tuple[TP, Sequence[Outgoing]]]) -> list[Any]:
        written = []
        for tp, records in batches:
            written.append(SimpleNamespace(partition=tp[1], offset=self.ends[tp]))
            self.take([(tp, records)])
        return written


class Reader:
    def __init__(self, log: Log, *, in_blocks: bool) -> None:
        self.log = log
        self.in_blocks = in_blocks
        self.at: dict[TopicPartition, int] = {}

    def assign(self, tps: Iterable[TopicPartition]) -> None:
        self.at = dict.fromkeys(tps, -1)

    def assignment(self) -> set[TopicPartition]:
        return set(self.at)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        assert tp in self.at
        self.at[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        assert self.at[tp] >= 0
        return self.at[tp]

    async def getmany(self, *tps: TopicPartition, timeout_ms: int) -> dict[TopicPartition, Any]:
        found = {}
        for tp in tps:
            rest = [each for each in self.log.records[tp] if each.offset >= self.at[tp]]
            found[tp] = [list(map(record_of, rest))] if self.in_blocks else rest
            self.at[tp] = self.log.ends[tp]
        return found

    async def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        if self.log.broken:
            self.log.broken -= 1
            raise KafkaConnectionError
        return {tp: self.log.ends[tp] for tp in tps}


class Producer:
    """A keeper's: the last one that was started is the only one whose transactions commit."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.sent: list[tuple[TP, Sequence[Outgoing]]] = []

    async def start(self) -> None:
        self.log.keepers += 1
        self.number = self.log.keepers

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self.sent = []
        yield
        if self.number != self.log.keepers:
            raise ProducerFenced
        self.log.take(self.sent)
        for tp, _ in self.sent:
            self.log.ends[tp] += 1  # the end of the transaction


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    async def started(producer: Producer) -> Producer:
        await producer.start()
        return producer

    async def stop(producer: Producer) -> None:
        pass

    async def sent(
        producer: Producer, batches: Iterable[tuple[TP, Sequence[Outgoing]]]
    ) -> list[asyncio.Future[Any]]:
        producer.sent += batches
        return []

    async def identity(reader: Reader, tp: TopicPartition) -> Identity:
        return Identity(reader.log.topic_ids.get(tp.topic, b"\x01" * 16), 1)

    for module, names in ((office, (started, stop)), (on_kafka, (sent, identity))):
        for each in names:
            monkeypatch.setattr(module, each.__name__, each)
    return Log()


def way(log: Log) -> KafkaReference:
    cluster: Any = log
    return KafkaReference(cluster, cluster, cluster, "g", COUNTS, lambda: True)


async def test_what_is_kept_leaves_with_its_exceptions_and_is_read_past_ends_of_transactions(
    log: Log,
) -> None:
    for value in (master("line", line="L1"), b"{", master("item", item="I", base_uom="kg")):
        log.add((ERP_MASTER, 0), None, value)
    keeper = await Keeper.begun(way(log), Terms())
    await keeper.round()
    assert [record.key for record in log.records[REFERENCE, 0]] == [
        b"line|P|L1", b"item|P|I", b"progress|*|erp.master.v1",
    ]  # fmt: skip
    assert len(log.values(EXCEPTIONS, 0)) == 1
    assert log.ends[REFERENCE, 0] == 4
    log.add((ERP_MASTER, 0), None, master("line", line="L2"))
    other = await Keeper.begun(way(log), Terms())
    assert (len(other.known), other.progress.offset) == (2, 3)
    await other.round()
    assert len(log.values(REFERENCE)) == 5


async def test_a_keeper_that_was_taken_over_from_writes_no_more(log: Log) -> None:
    first = await Keeper.begun(way(log), Terms())
    await Keeper.begun(way(log), Terms())
    log.add((ERP_MASTER, 0), None, master("line", line="L1"))
    with pytest.raises(Fenced):
        await first.round()
    assert log.values(REFERENCE) == []


@pytest.mark.parametrize("taken_over", [False, True])
@pytest.mark.parametrize("before", [2, 4, 6])
async def test_a_master_topic_that_was_made_anew_is_read_from_its_beginning(
    log: Log, before: int, taken_over: bool
) -> None:
    for number in range(before):
        log.add((ERP_MASTER, 0), None, master("line", line=f"L{number}"))
    keeper = await Keeper.begun(way(log), Terms())
    await keeper.round()
    log.renew(ERP_MASTER)
    for number in range(4):
        log.add((ERP_MASTER, 0), None, master("line", line=f"L{number + 1}"))
    if taken_over:
        keeper = await Keeper.begun(way(log), Terms())
    await keeper.round()
    assert len(keeper.known) == max(5, before)
    last = await Keeper.begun(way(log), Terms())
    assert (last.progress.offset, len(last.known)) == (4, max(5, before))
    left = len(log.values(REFERENCE))
    await last.round()
    assert len(log.values(REFERENCE)) == left


async def test_copies_reach_their_partitions_though_the_broker_was_away(log: Log) -> None:
    for number in range(6):
        log.add((ERP_MASTER, 0), None, master("line", line=f"L{number}"))
    keeper = await Keeper.begun(way(log), Terms())
    await keeper.round()
    log.broken = 1
    spreading = asyncio.ensure_future(spread_reference(way(log))())
    try:
        async with asyncio.timeout(20):
            while not log.values(CLOCK):  # noqa: ASYNC110  # the log tells nobody in a test
                await asyncio.sleep(0.05)
    finally:
        spreading.cancel()
        await asyncio.wait([spreading])
    for number in range(2):
        assert len(log.values(MES_EVENTS, number)) == 6
    assert [record.key for record in log.records[CLOCK, 0]] == [b"g/copied/0", b"g/copied/1"]
    notes = await way(log).noted()
    assert notes == dict(enumerate(log.values(CLOCK)))
    assert b'"offset":8,"plants":["P"],"topic":"01010101' in notes[0]


async def test_a_topic_of_another_id_is_copied_only_if_it_is_said_to_be_the_same(log: Log) -> None:
    assert await way(log).identity(REFERENCE) == "01" * 16
    cluster: Any = log
    same = KafkaReference(cluster, cluster, cluster, "g", COUNTS, lambda: True, same_log=True)
    assert await same.identity(REFERENCE) == ""


async def test_an_error_of_the_broker_is_a_loss_and_the_next_call_begins_anew(log: Log) -> None:
    reference = way(log)
    log.broken = 1
    with pytest.raises(Lost):
        await reference.end(REFERENCE)
    assert await reference.end(REFERENCE) == 0
    await reference.rest()
    assert await reference.end(REFERENCE) == 0
