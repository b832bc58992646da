"""What master data costs on its way into all partitions, part by part, without Kafka.

    python benchmarks/bench_copies.py [--records N] [--partitions P]

In one process, without network and event loop: items are kept as `keep_reference` keeps them; what
`reference.v1` then has is spread to P partitions and sealed as RecordBatches, as `spread_reference`
does it; and each partition takes its copies from such a batch, 4,000 at a time: they are read,
learnt, packed for the changelog and written to RocksDB. Prints the CPU time of each part, per
record or per copy; the last one counts RocksDB's threads, too.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
from factory import PLANT

from streams.contract.topics import MES_EVENTS
from streams.kafka.cluster import BATCH_BYTES_MAX
from streams.kafka.record_batches import COMPILED, HEADER, changes_batch, outgoing_batch
from streams.kafka.reference import parts_of
from streams.kafka.writer import parted
from streams.log.record import Outgoing, Record
from tables.line.rules import rules_for
from tables.partition.partition import Partition
from tables.reference.keeping import Terms, kept
from tables.reference.known import Known
from tables.reference.spreading import Copy, Spreading, seen_record
from tables.store.rocksdb import RocksStore

TOGETHER: Final = 4_000
AT_MS: Final = 1_795_240_800_000
ITEM: Final = {"base_uom": "kg", "conversions": {"g": "0.001", "bag": 25}, "lot_control": True}


class Sealing:
    """In place of a producer: what sealing a RecordBatch asks one for."""

    _txn_manager = None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, default=8)
    options = parser.parse_args()
    if not COMPILED:
        raise SystemExit("Error: this takes the compiled core: see README.md")
    records = options.records
    said = [_said(number) for number in range(records)]
    began = time.process_time()
    log = list(keeping(said))
    print(f"kept: {per(began, records):.2f} us a record", flush=True)
    copies = records * options.partitions
    began = time.process_time()
    parts = list(spread(log, options.partitions))
    print(f"spread: {per(began, copies):.2f} us a copy", flush=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        tasks = []
        for number in range(options.partitions):
            store = RocksStore(Path(folder) / str(number), wal=False, states=options.partitions)
            stack.callback(store.close)
            tasks.append(Partition(MES_EVENTS, number, rules_for(MES_EVENTS), store))
        batches = [unpacked(part) for part in parts]
        began = time.process_time()
        for batch, payload in batches:
            for task in tasks:
                take(task, batch, payload)
        print(f"taken: {per(began, copies):.2f} us a copy")
        assert all(task.counts.tick == records for task in tasks)


def per(began: float, count: int) -> float:
    """Return the CPU time since `began`, in microseconds per piece."""
    return (time.process_time() - began) / count * 1e6


def _said(number: int) -> Record:
    event = {
        "specversion": "1.0", "type": "reference.item.v1", "source": "/erp", "id": f"i-{number}",
        "plant": PLANT, "data": {"item": f"M-{number:07}", **ITEM},
    }  # fmt: skip
    return Record(number, AT_MS * 1000, None, msgspec.json.encode(event))


def keeping(said: Sequence[Record]) -> Iterator[Record]:
    """Yield what `reference.v1` gets of records of `erp.master.v1`."""
    known, terms = Known(), Terms()
    for record in said:
        left, _ = kept(record, 0, known, terms)
        assert left is not None
        assert left.key is not None
        known.learn(left.key, left.value)
        yield Record(record.offset, None, left.key, left.value)


def spread(log: Sequence[Record], partitions: int) -> Iterator[list[Copy]]:
    """Yield what all partitions get, once it is sealed for each of them."""
    spreading, producer = Spreading(partitions, {}), Sealing()
    seen = [Record(0, None, *seen_record(PLANT, number)) for number in range(partitions)]
    spreading.learn([*seen, *log], len(log))
    spreading.begin()
    for at in range(0, len(log), TOGETHER):
        copies = spreading.copy(log[at : at + TOGETHER], at + TOGETHER)
        for part in parts_of(MES_EVENTS, copies[0]):
            batch: Any = outgoing_batch(producer, part, AT_MS, BATCH_BYTES_MAX)
            for _ in range(partitions):
                batch.again()._build()
        assert all(copies[number] is copies[0] for number in range(partitions))
        yield copies[0]


def take(task: Partition, batch: bytes, payload: bytes) -> None:
    """Let a partition take the copies of a RecordBatch; write what changes, and pack it."""
    from streams.log.blocks import block_from

    block = block_from((task.offset + 1).to_bytes(8, "big") + batch[8:], payload, 0)
    producer: Any = Sealing()
    for records in block.parts(TOGETHER, BATCH_BYTES_MAX):
        changes = task.commit(task.step(records))
        for part in parted(changes.items()):
            sealed: Any = changes_batch(producer, part, AT_MS, BATCH_BYTES_MAX)
            sealed._build()


def unpacked(copies: Sequence[Copy]) -> tuple[bytes, bytes]:
    """Return the header of copies' RecordBatch, and its records, unpacked."""
    from streams.log.blocks import outgoing_payload

    told = [Outgoing(MES_EVENTS, each.key, "", "", each.value) for each in copies]
    payload, count = outgoing_payload(told)
    fields = 0, 0, count - 1, AT_MS, AT_MS, -1, -1, 0, count
    return HEADER.pack(0, 0, -1, 2, *fields), payload


if __name__ == "__main__":
    main()
