"""The job as a Faust app on the embedded log: equal to a replay, through crashes and full disks."""

import random
import resource
import signal
import time
from pathlib import Path

import pytest

from departed import sorted_exceptions, without_repeats
from workers import EVENTS, Case, WorkerProcess, records_of_log

KILLS = 5


def test_a_worker_gives_what_a_replay_gives(case: Case, tmp_path: Path) -> None:
    code, said = WorkerProcess(tmp_path, *case.arguments).wait()
    assert code == 0, said
    assert sorted_exceptions(records_of_log(tmp_path)) == case.expected


def test_kill_9_loses_nothing_and_counts_nothing_twice(case: Case, tmp_path: Path) -> None:
    rng = random.Random(9)
    midway = 0
    size = sum(len(value) for values in case.expected.values() for value in values)
    for number in range(KILLS):
        worker = WorkerProcess(tmp_path, *case.arguments)
        reached = worker.wait_for_outputs(round(size * (number + 0.5) / KILLS))
        time.sleep(rng.random() * 0.05)
        midway += worker.kill() == -signal.SIGKILL and reached
    assert midway >= KILLS // 2, "the kills came too late to show anything"
    worker = WorkerProcess(tmp_path, *case.arguments)
    worker.wait_for_records(EVENTS)
    code, said = worker.wait()
    assert code == 0, said
    found, _ = without_repeats(records_of_log(tmp_path))
    assert sorted_exceptions(found) == case.expected


def test_sigterm_stops_in_order_and_a_restart_repeats_nothing(case: Case, tmp_path: Path) -> None:
    stopped_midway = 0
    for part in (0.1, 0.3, 0.5):
        worker = WorkerProcess(tmp_path, *case.arguments)
        seen = worker.wait_for_records(round(EVENTS * part))
        began = time.monotonic()
        assert worker.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < 10
        stopped_midway += 0 < seen < EVENTS
    assert stopped_midway, "the stops came too late to show anything"
    assert WorkerProcess(tmp_path, *case.arguments).wait()[0] == 0
    assert sorted_exceptions(records_of_log(tmp_path)) == case.expected


@pytest.mark.parametrize("limit_bytes", [100_000, 1_000_000])
def test_a_full_disk_is_one_sentence_and_a_restart_goes_on(
    case: Case, tmp_path: Path, limit_bytes: int
) -> None:
    def limit() -> None:  # no file may grow past this: what a full disk does to a writer
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    code, said = WorkerProcess(tmp_path, *case.arguments, setup=limit).wait()
    assert code == 1
    assert "can't be written" in said, said
    assert "Traceback" not in said, said
    code, said = WorkerProcess(tmp_path, *case.arguments).wait()
    assert code == 0, said
    found, _ = without_repeats(records_of_log(tmp_path))
    assert sorted_exceptions(found) == case.expected


def test_counts_survive_a_restart(case: Case, tmp_path: Path) -> None:
    assert WorkerProcess(tmp_path, *case.arguments).wait()[0] == 0
    worker = WorkerProcess(tmp_path, "--feed", str(case.log))
    status = worker.status()
    assert worker.end(signal.SIGTERM) == 0
    for name in ("transactions", "summaries", "exceptions"):
        assert status[name] == case.report[name]
    assert {name: status["counts"][name] for name in case.report["counts"]} == case.report["counts"]


def test_state_wiped_is_made_again_from_the_log(case: Case, tmp_path: Path) -> None:
    assert WorkerProcess(tmp_path, *case.arguments).wait()[0] == 0
    (tmp_path / "state").rename(tmp_path / "wiped")
    assert WorkerProcess(tmp_path, *case.arguments).wait()[0] == 0
    found, repeated = without_repeats(records_of_log(tmp_path))
    assert repeated == sum(map(len, case.expected.values()))
    assert sorted_exceptions(found) == case.expected


def test_a_second_worker_is_kept_out_of_the_data_directory(case: Case, tmp_path: Path) -> None:
    first = WorkerProcess(tmp_path)
    second = WorkerProcess(tmp_path)
    code, said = second.wait()
    assert code == 1
    assert "is in use by another lineside" in said
    assert first.end(signal.SIGTERM) == 0


def test_a_silent_line_closes_by_the_clock_of_the_worker(tmp_path: Path) -> None:
    # The worker's own ticks carry the real time: all windows of a log of the past close.
    log = tmp_path / "log.ndjson"
    event = (
        '{"specversion":"1.0","type":"machine.count.v1","source":"/m","id":"1",'
        '"time":"2026-01-05T06:00:00Z","plant":"P","line":"L",'
        '"data":{"work_unit":"U","good":4,"scrap":0}}'
    )
    log.write_text(f"{event}\n")
    data = tmp_path / "data"
    assert WorkerProcess(data, "--feed", str(log), "--until-drained").wait()[0] == 0
    assert records_of_log(data) == {}
    config = tmp_path / "lineside.toml"
    config.write_text("tick_seconds = 0.2\n")
    worker = WorkerProcess(data, "--config", str(config))
    deadline = time.monotonic() + 30
    while not worker.status()["summaries"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert worker.end(signal.SIGTERM) == 0
    (values,) = records_of_log(data).values()
    assert len(values) == 1
    assert b'"good":"4"' in values[0]
