"""The embedded log: what was appended comes back, whatever happened in between."""

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.simulate.factory import Plan, arrivals
from agents.worker.feed import _append
from streams.contract.topics import INPUTS
from streams.embedded import log as embedded_log
from streams.embedded.log import EmbeddedLog, Entry, LogError, PartitionLog
from streams.embedded.transport import Broker, LogTicker
from streams.log.headers import STRUCTURED

entries = st.lists(
    st.tuples(
        st.none() | st.integers(0, 2**53),
        st.none() | st.binary(max_size=20),
        st.none() | st.binary(max_size=200),
        st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=2),
    ),
    min_size=1,
    max_size=5,
)


def numbered(count: int, start: int = 0) -> list[Entry]:
    return [(number, b"k", b"v%d" % number, ()) for number in range(start, start + count)]


def everything(log: PartitionLog) -> list[tuple[int, bytes | None]]:
    found, offset = [], log.start_offset
    while records := log.read(offset, 7):
        found += [(record.offset, record.value) for record in records]
        offset = records[-1].offset + 1
    return found


@given(batches=st.lists(entries, max_size=20), reopen=st.lists(st.booleans(), min_size=20))
@settings(max_examples=40, deadline=None)
def test_what_was_appended_comes_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Entry]], reopen: list[bool]
) -> None:
    path = tmp_path_factory.mktemp("log")
    log = PartitionLog(path)
    wanted: list[Entry] = []
    for batch, again in zip(batches, reopen, strict=False):
        assert log.append(batch) == len(wanted)
        wanted += batch
        if again:
            log.close()
            log = PartitionLog(path)
    assert log.end_offset == len(wanted)
    found = [record for offset in range(len(wanted)) for record in log.read(offset, 1)[:1]]
    assert [record.offset for record in found] == list(range(len(wanted)))
    read_back = [(one.timestamp, one.key, one.value, list(one.headers)) for one in found]
    assert read_back == [(time, key, value, list(headers)) for time, key, value, headers in wanted]
    log.close()


def test_a_torn_end_is_cut_off_wherever_it_was_torn(tmp_path: Path) -> None:
    log = PartitionLog(tmp_path)
    log.append(numbered(3))
    log.close()
    (file,) = tmp_path.glob("*.log")
    whole = file.read_bytes()
    log = PartitionLog(tmp_path)
    log.append(numbered(4, start=3))
    log.close()
    torn = file.read_bytes()
    for size in range(len(whole), len(torn)):
        file.write_bytes(torn[:size])
        log = PartitionLog(tmp_path)
        assert log.end_offset == 3
        assert log.append(numbered(1, start=9)) == 3
        assert everything(log) == [(0, b"v0"), (1, b"v1"), (2, b"v2"), (3, b"v9")]
        log.close()


def test_a_damaged_frame_is_cut_off_with_what_follows(tmp_path: Path) -> None:
    log = PartitionLog(tmp_path)
    log.append(numbered(2))
    log.append(numbered(2, start=2))
    log.close()
    (file,) = tmp_path.glob("*.log")
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    log = PartitionLog(tmp_path)
    assert everything(log) == [(0, b"v0"), (1, b"v1")]
    log.close()


def test_a_write_that_fails_midway_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PartitionLog(tmp_path)
    log.append(numbered(2))
    real = os.write
    calls = 0

    def full(descriptor: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            return real(descriptor, bytes(data)[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(LogError, match="can't be written: No space left on device"):
        log.append(numbered(2, start=2))
    monkeypatch.setattr(os, "write", real)
    assert log.append(numbered(1, start=5)) == 2
    assert everything(log) == [(0, b"v0"), (1, b"v1"), (2, b"v5")]
    log.close()
    log = PartitionLog(tmp_path)
    assert everything(log) == [(0, b"v0"), (1, b"v1"), (2, b"v5")]
    log.close()


def test_old_segments_go_but_none_that_is_still_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_log, "SEGMENT_BYTES", 500)
    monkeypatch.setattr(embedded_log, "RETENTION_BYTES", 1_500)
    log = PartitionLog(tmp_path)
    log.needed_from = 0
    for number in range(100):
        log.append(numbered(1, start=number))
    assert log.start_offset == 0
    log.needed_from = 90
    for number in range(100, 200):
        log.append(numbered(1, start=number))
    assert 0 < log.start_offset <= 90
    log.needed_from = None
    for number in range(200, 300):
        log.append(numbered(1, start=number))
    assert log.start_offset > 200
    assert sum(file.stat().st_size for file in tmp_path.glob("*.log")) < 2_500
    kept = [(number, b"v%d" % number) for number in range(log.start_offset, 300)]
    assert everything(log) == kept
    log.close()
    log = PartitionLog(tmp_path)
    assert everything(log) == kept
    assert log.read(0, 1)[0].offset == log.start_offset
    log.close()


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path)
    code = (
        "import sys; from pathlib import Path; from streams.embedded.log import *\n"
        f"try: EmbeddedLog(Path({str(tmp_path)!r}))\n"
        "except LogError as error: sys.exit(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "is in use by another lineside" in done.stderr
    log.close()
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


async def test_events_that_are_made_here_say_that_they_are_events(tmp_path: Path) -> None:
    broker = Broker(EmbeddedLog(tmp_path), 2)
    await LogTicker(broker).tick(1_795_240_800_000_000, b"{}")
    _append(broker, list(islice(arrivals(Plan()), 300)), 1_795_240_800_000_000)
    for topic in INPUTS:
        for number in range(2):
            found = broker.log.partition(topic, number).read(0, 1_000)
            assert len(found) > 1
            assert {tuple(record.headers) for record in found} == {(STRUCTURED,)}
    broker.log.close()
