"""What a worker holds is bounded for the whole process, however many partitions it has."""

from base64 import b64decode
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from faust.types import TP

from agents.partition.task import HELD_BYTES_MAX
from agents.process_events import JOB_HELD_BYTES_MAX, SEEN_BYTES_MAX, Job
from agents.provision.copy_topic import Copied, _PartitionCopier
from runs import new_task
from streams.contract.topics import CHANGELOG_BATCH_BYTES_MIN, MES_EVENTS
from streams.embedded.log import READ_BYTES_MAX, EmbeddedLog
from streams.kafka.cluster import FETCH_BYTES_MAX, FETCHED_BYTES_MAX, fetch_bytes
from streams.log.record import KEY_BYTES_MAX, CutValue, Record
from tables.store.rocksdb import MEMTABLE_BYTES_MAX, MEMTABLES_BYTES_MAX, memtable_bytes


async def job_holding(*sizes: int) -> tuple[Job, list[Any]]:
    """Return a job whose partitions hold so much, and take more."""
    job = Job({}, None)  # type: ignore[arg-type]  # nothing is opened
    tasks = [SimpleNamespace(hungry=size < HELD_BYTES_MAX, held_bytes=size) for size in sizes]
    for number, task in enumerate(tasks):
        job.tasks[TP(MES_EVENTS, number)] = task  # type: ignore[assignment]
    return job, tasks


async def test_a_job_that_holds_enough_reads_only_what_nothing_is_held_of() -> None:
    job, tasks = await job_holding(0, 1, HELD_BYTES_MAX)
    assert {tp.partition for tp in job.hungry()} == {0, 1}
    for task in tasks[1:]:
        task.held_bytes = JOB_HELD_BYTES_MAX // 2
    assert {tp.partition for tp in job.hungry()} == {0}, "those that stand still stop no other"
    tasks[1].held_bytes = 2 * JOB_HELD_BYTES_MAX
    assert job.hungry() == set()


@pytest.mark.parametrize("count", [1, 8, 9, 100, 200])
def test_partitions_share_write_buffers_and_fetches(count: int) -> None:
    assert 2 * count * memtable_bytes(count) <= MEMTABLES_BYTES_MAX
    assert count * fetch_bytes(count) <= FETCHED_BYTES_MAX
    assert memtable_bytes(1) == MEMTABLE_BYTES_MAX
    assert fetch_bytes(1) == FETCH_BYTES_MAX


async def test_of_a_large_exception_people_see_the_beginning() -> None:
    job, _ = await job_holding()
    task = new_task((MES_EVENTS, 0))
    headers = tuple((str(number), b"x" * 100) for number in range(3_000))
    large = Record(0, None, b"k", bytes(5 << 20), headers)
    small = Record(1, None, b"k", b"{", ())
    outputs = task.step([large, small]).outputs
    job._observe(outputs)
    kept = list(job.recent["exceptions"])
    assert kept[0] is outputs[1]
    assert len(kept[1].value) < SEEN_BYTES_MAX
    assert orjson.loads(kept[1].value)["id"] == f"{MES_EVENTS}/0/0"


@pytest.mark.parametrize("size", [KEY_BYTES_MAX, KEY_BYTES_MAX + 1, 15 << 20])
def test_an_exception_fits_its_topic_whatever_the_record(size: int) -> None:
    key = b"\xff" * size
    headers = tuple(("", b"") for _ in range(1 << 20))
    (left,) = (
        new_task((MES_EVENTS, 0)).step([Record(0, None, key, bytes(7 << 20), headers)]).outputs
    )
    assert left.key == key[:KEY_BYTES_MAX]
    assert len(left.value) + len(left.key) < CHANGELOG_BATCH_BYTES_MIN
    data = orjson.loads(left.value)["data"]
    assert data["key"] == "\\xff" * KEY_BYTES_MAX
    assert data["value_bytes"] == 7 << 20
    assert len(b64decode(data["value"])) == 6 << 20


def test_a_read_of_the_embedded_log_ends_at_so_many_bytes(tmp_path: Any) -> None:
    log = EmbeddedLog(tmp_path / "log")
    partition = log.partition(MES_EVENTS, 0)
    for _ in range(20):
        partition.append([(None, b"k", bytes(1 << 20), [])])
    found = []
    while more := partition.read(len(found), 2_000):
        assert len(more) <= READ_BYTES_MAX >> 20
        found += more
    assert [record.offset for record in found] == [*range(20)]
    log.close()


async def test_the_copy_of_a_record_that_is_too_large_has_its_beginning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    appended: list[dict[str, Any]] = []
    builder = SimpleNamespace(append=lambda **given: appended.append(given))
    producer: Any = SimpleNamespace(create_batch=lambda: builder)
    value = CutValue(b"abc", 1 << 30, (1 << 30) + 9)
    record: Any = SimpleNamespace(
        key=b"DE01/L1", value=value, headers=(), timestamp=1, offset=7, topic="a", partition=0
    )
    await _PartitionCopier(producer, "b", 1, Copied()).take(record)
    assert [type(one["value"]) for one in appended] == [bytes]
    assert appended[0]["value"] == b"abc"
    assert "the record at offset 7 of a/0 has 1073741833 bytes" in caplog.text
