"""A data directory of the first version goes on with this one, and back, through kills."""

import signal
from pathlib import Path

from departed import sorted_exceptions, without_repeats
from first_version import unpack
from workers import EVENTS, Case, WorkerProcess, records_of_log


def test_versions_take_turns_on_a_data_directory_and_nothing_is_lost_or_doubled(
    case: Case, tmp_path: Path
) -> None:
    data, first = tmp_path / "data", unpack(tmp_path / "first")
    midway = 0
    for turn, code in enumerate((first, None, first, None)):
        worker = WorkerProcess(data, *case.arguments, code=code)
        seen = worker.wait_for_records(EVENTS // 5 * (turn + 1))
        midway += worker.kill() == -signal.SIGKILL and 0 < seen < EVENTS
    assert midway >= 2, "the kills came too late to show anything"
    code, said = WorkerProcess(data, *case.arguments).wait()
    assert code == 0, said
    found, _ = without_repeats(records_of_log(data))
    assert sorted_exceptions(found) == case.expected
