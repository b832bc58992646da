"""Bombs: batches of some ten or hundred KB that are hundreds of MB when a worker unpacks them."""

from typing import Final, NamedTuple

from bombs import GZIP, LZ4, NAMES, SNAPPY, ZSTD, batch, packed, record, send
from broker import run_apart
from chaos_floods import APART, BEFORE, event
from chaos_job import Chaos, now_ms
from streams.contract.topics import MES_EVENTS
from streams.log.record import partition_of

LARGE: Final = 1 << 20
"""Of a value that is refused: larger than 64 KiB."""

VALID: Final = 60_000
"""Of a value that is just an event."""

KEY: Final = b"FLOOD/BOMB"


class Kind(NamedTuple):
    """A bomb to be made."""

    codec: int
    megabytes: int
    """Unpacked; what fits into 1 MiB, which is what a topic takes at once."""
    value_bytes: int


KINDS: Final = (
    Kind(ZSTD, 800, LARGE),
    Kind(ZSTD, 800, VALID),
    Kind(GZIP, 800, LARGE),
    Kind(LZ4, 200, LARGE),
    Kind(SNAPPY, 16, LARGE),
)


def drop_bombs(chaos: Chaos) -> None:
    """A batch of some 35 KB that unpacks to 800 MB: of zstd, gzip, lz4 and snappy in turn."""
    for number in chaos.faults():
        drop_bomb(chaos, number)


def drop_bomb(chaos: Chaos, number: int) -> None:
    """Put the bomb of this number on a partition, and wait until it is dealt with."""
    codec, megabytes, value_bytes = KINDS[number % len(KINDS)]
    value = b" " * value_bytes if value_bytes == LARGE else _padded(number, value_bytes)
    count = max(chaos.scaled(megabytes * 1_000_000) // value_bytes, 1)
    parts = (part for n in range(count) for part in record(n, KEY, value))
    bomb = batch(packed(codec, parts), codec, count, at_ms=now_ms())
    chaos.tell(f"{NAMES[codec]}: {len(bomb):,} bytes, {count * value_bytes:,} unpacked")
    since = now_ms()
    partition = partition_of(KEY, chaos.job.partitions)
    run_apart(send(chaos.job.cluster, bomb, MES_EVENTS, partition))
    chaos.get_through(since)


def _padded(number: int, size: int) -> bytes:
    """Return a valid event of so many bytes."""
    data = {"order": "1", "item": "M", "quantity": "1", "uom": "kg"}
    bare = event("goods.received.v1", f"b{number}", BEFORE + APART * number, "BOMB", data)
    return bare + b" " * (size - len(bare))
