"""A worker keeps master data and copies it, and goes on after `kill -9` as if nothing had been."""

import time
from collections.abc import Sequence
from pathlib import Path

from masters import master
from runs import consumed
from streams.codec.decode import decode
from streams.contract.reference import Reference
from streams.contract.topics import ERP_MASTER, MES_EVENTS, REFERENCE
from streams.embedded.log import EmbeddedLog
from streams.embedded.transport import Broker
from streams.log.headers import STRUCTURED
from streams.log.record import partition_of
from workers import WAIT_SECONDS_MAX, WorkerProcess

PARTITIONS = 4


def append(folder: Path, topic: str, values: Sequence[bytes], key: bytes | None = None) -> None:
    log = EmbeddedLog(folder / "log")
    broker = Broker(log, PARTITIONS)
    number = partition_of(key, broker.partitions_of(topic))
    broker.append(topic, number, [(None, key, value, (STRUCTURED,)) for value in values])
    log.close()


def work(folder: Path, number: int, last: bytes) -> None:
    """Let a worker work until a partition has a copy with these bytes, and kill it."""
    worker = WorkerProcess(folder)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline and not has(folder, number, last):
        time.sleep(0.05)
    worker.kill()
    assert has(folder, number, last), worker.first_line


def has(folder: Path, number: int, last: bytes) -> bool:
    files = (folder / "log" / MES_EVENTS / str(number)).glob("*.log")
    return any(last in file.read_bytes() for file in files)


def copies(folder: Path, number: int) -> list[tuple[str, str]]:
    log = EmbeddedLog(folder / "log")
    found = []
    for record in log.partition(MES_EVENTS, number).read(0, 10_000):
        read = decode(record.value, record.headers, MES_EVENTS)
        if isinstance(read, Reference):
            found.append((read.plant, "/".join(map(str, read.id))))
    log.close()
    return found


def test_a_killed_worker_goes_on_with_master_data_where_it_was(tmp_path: Path) -> None:
    lines = {name: partition_of(f"DE01/{name}".encode(), PARTITIONS) for name in ("L1", "L2")}
    assert lines["L1"] != lines["L2"]
    append(tmp_path, ERP_MASTER, [
        master("line", "DE01", line="L1"), master("item", "DE01", item="I", base_uom="kg"),
    ])  # fmt: skip
    work(tmp_path, lines["L1"], b'"item":"I"')
    first = [("DE01", "L1"), ("DE01", "I")]
    assert copies(tmp_path, lines["L1"]) == first
    assert copies(tmp_path, lines["L2"]) == []
    append(tmp_path, ERP_MASTER, [master("item", "DE01", item="J", base_uom="kg")])
    append(tmp_path, MES_EVENTS, [consumed(0, line="L2")], b"DE01/L2")
    work(tmp_path, lines["L2"], b'"item":"J"')
    assert copies(tmp_path, lines["L1"]) == [*first, ("DE01", "J")]
    assert copies(tmp_path, lines["L2"]) == [*first, ("DE01", "J")]  # since a line was seen there
    log = EmbeddedLog(tmp_path / "log")
    kinds = [
        (record.key or b"").split(b"|")[0] for record in log.partition(REFERENCE, 0).read(0, 99)
    ]
    log.close()
    assert sorted(kinds) == [b"item", b"item", b"line", b"progress", b"progress", b"seen"]
