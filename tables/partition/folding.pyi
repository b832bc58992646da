from collections.abc import Sequence

from streams.codec.decode import Decoded
from streams.log.blocks import Block
from streams.log.record import Outgoing, Record
from tables.partition.partition import Partition, _Batch

Cold = dict[int, tuple[Record, Decoded]]

class Folding:
    def __init__(self, partition: Partition) -> None: ...
    def read(
        self, records: Sequence[Record], seen: int, known: Sequence[Decoded | None] | None = None
    ) -> tuple[Block, Cold, list[bytes | None], list[bytes]]: ...
    def take(
        self,
        batch: _Batch,
        block: Block,
        decoded: Cold,
        keys: list[bytes | None],
        found: list[bytes | None],
    ) -> int: ...
    def forget(self, gone: list[bytes]) -> None: ...

def count_types(counts: dict[str, int], records: list[Outgoing]) -> None: ...
