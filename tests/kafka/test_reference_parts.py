"""Copies leave in batches that brokers take, in their order, and are followed to their readers."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from aiokafka.structs import RecordMetadata, TopicPartition

from streams.contract.topics import MES_EVENTS
from streams.kafka.cluster import Cluster
from streams.kafka.producer import Outputs
from streams.kafka.reference import KafkaReference, parts_of
from streams.kafka.resending import parts_of as events_parted
from streams.kafka.writer import OUTPUT_BATCH_BYTES
from streams.log.record import TP, Outgoing
from streams.log.resending import Resent


def test_copies_are_parted_in_order_and_a_large_one_is_alone() -> None:
    pairs = [(b"%d" % n, b"x" * size) for n, size in enumerate([5, 600_000, 400_000, 5, 950_000])]
    parts = list(parts_of("mes.events.v1", pairs))
    assert [[int(one.key or b"") for one in part] for part in parts] == [[0, 1], [2, 3], [4]]
    for part in parts[:2]:
        assert sum(len(one.value) for one in part) < OUTPUT_BATCH_BYTES


def test_events_that_go_again_are_parted_by_partition_and_by_bytes() -> None:
    events = [
        Resent((0, number), number % 3, b"k", bytes(OUTPUT_BATCH_BYTES // 4), [("a", b"b")])
        for number in range(30)
    ]
    large = Resent((0, 30), 1, None, bytes(2 * OUTPUT_BATCH_BYTES), [])
    parts = list(events_parted([*events, large]))
    assert [each for part in parts for each in part] == sorted(
        [*events, large], key=lambda event: event.partition
    )
    for part in parts:
        assert len({event.partition for event in part}) == 1
        assert sum(len(event.value) for event in part) <= OUTPUT_BATCH_BYTES or len(part) == 1


class Sent:
    """In place of a producer: what it was given, and offsets of 100 for each batch before."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, Sequence[Outgoing]]] = []

    async def send(self, batches: Iterable[tuple[TP, Sequence[Outgoing]]]) -> list[Any]:
        found = []
        for (topic, number), records in batches:
            offset = 100 * [each for each, _ in self.batches].count(number)
            self.batches.append((number, records))
            at = TopicPartition(topic, number)
            found.append(RecordMetadata(topic, number, at, offset, None, 0, 0))
        return found


async def test_what_several_partitions_get_is_one_batch_and_the_fewest_that_wait_count() -> None:
    sent, taken = Sent(), {0: 40, 1: 0}
    cluster = Cluster(("127.0.0.1:1",))
    log = KafkaReference(
        cluster, cluster, cast("Outputs", sent), "g", {MES_EVENTS: 3}, lambda: True,
        taken=taken.get,
    )  # fmt: skip
    assert log.untaken() == 0
    shared = [(b"%d" % n, b"x" * 600_000) for n in range(2)]
    await log.copy({0: shared, 1: shared, 2: [(b"own", b"y")]})
    told = [(number, records[0].key) for number, records in sent.batches]
    assert told == [(0, b"0"), (1, b"0"), (0, b"1"), (1, b"1"), (2, b"own")]
    assert sent.batches[0][1] is sent.batches[1][1]
    assert log.untaken() == 60
    taken[0] = 100
    assert log.untaken() == 0
    await log.copy({1: [(b"more", b"z")]})
    assert log.untaken() == 200
    await log.copy({2: [(b"elsewhere", b"z")]})
    assert log.untaken() == 0
