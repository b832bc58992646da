"""Copies leave in batches that brokers take, in their order."""

from streams.kafka.reference import parts_of
from streams.kafka.writer import OUTPUT_BATCH_BYTES


def test_copies_are_parted_in_order_and_a_large_one_is_alone() -> None:
    pairs = [(b"%d" % n, b"x" * size) for n, size in enumerate([5, 600_000, 400_000, 5, 950_000])]
    parts = list(parts_of("mes.events.v1", pairs))
    assert [[int(one.key or b"") for one in part] for part in parts] == [[0, 1], [2, 3], [4]]
    for part in parts[:2]:
        assert sum(len(one.value) for one in part) < OUTPUT_BATCH_BYTES
