"""A data directory of the first version goes on with this one, and back, through kills."""

import signal
import subprocess
from pathlib import Path

from departed import records_of_replay, sorted_exceptions, without_repeats
from first_version import unpack
from workers import LINESIDE, WorkerProcess, records_of_log

EVENTS = 40_000


def test_versions_take_turns_on_a_data_directory_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    log, data = tmp_path / "log.ndjson", tmp_path / "data"
    simulate = [LINESIDE, "simulate", "--events", str(EVENTS), "--plants", "2", "--lines", "4"]
    subprocess.run([*simulate, "--out", log], check=True, capture_output=True)
    replay = [LINESIDE, "replay", log, "--out", tmp_path / "out", "--partitions", "4"]
    subprocess.run(replay, check=True, capture_output=True)
    first, feed = unpack(tmp_path / "first"), ("--feed", str(log), "--until-drained")
    midway = 0
    for turn, code in enumerate((first, None, first, None)):
        worker = WorkerProcess(data, *feed, code=code)
        seen = worker.wait_for_records(EVENTS // 5 * (turn + 1))
        midway += worker.kill() == -signal.SIGKILL and 0 < seen < EVENTS
    assert midway >= 2, "the kills came too late to show anything"
    code, said = WorkerProcess(data, *feed).wait()
    assert code == 0, said
    found, _ = without_repeats(records_of_log(data))
    assert sorted_exceptions(found) == sorted_exceptions(records_of_replay(tmp_path / "out"))
