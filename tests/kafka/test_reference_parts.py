"""Copies leave in batches that brokers take, in their order."""

from streams.kafka.reference import parts_of
from streams.kafka.resending import parts_of as events_parted
from streams.kafka.writer import OUTPUT_BATCH_BYTES
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
