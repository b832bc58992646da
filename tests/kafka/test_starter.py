"""Workers that are forked are what `lineside worker` is: arguments, environment, output, end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kafka_workers import LINESIDE, wait_until
from starter import Started, Starter

SECONDS_MAX = 60

BARE = {"PATH": os.environ["PATH"], "LINESIDE_PORT": "0"}

Start = Callable[..., tuple[Started, Path]]


@pytest.fixture(scope="module")
def own_starter() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    starter.close()


@pytest.fixture
def start(own_starter: Starter, tmp_path: Path) -> Start:
    """Starts `lineside` with these arguments; gives it, and the file of what it says."""

    def start(*arguments: str, **environment: str) -> tuple[Started, Path]:
        said = tmp_path / "said"
        with said.open("ab") as log:
            return own_starter.start([*arguments], BARE | environment, log), said

    return start


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["worker", "--help"], {}),
        (["worker", "--until-drained"], {"LINESIDE_BROKER": "localhost:9092"}),
        (["worker", "--bad"], {}),
    ],
)
def test_it_ends_and_says_as_a_process_of_its_own(
    start: Start, arguments: list[str], environment: dict[str, str]
) -> None:
    forked, said = start(*arguments, **environment)
    alone = subprocess.run(
        [LINESIDE, *arguments],
        env=BARE | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS_MAX,
    )
    assert forked.wait(SECONDS_MAX) == alone.returncode
    assert said.read_bytes() == alone.stdout


def test_it_can_be_signalled_and_killed(start: Start, tmp_path: Path) -> None:
    said = tmp_path / "said"
    ends = {signal.SIGTERM: 0, signal.SIGINT: 0, signal.SIGKILL: -signal.SIGKILL}
    for number, code in ends.items():
        before = said.read_bytes().count(b"lineside worker: ") if said.exists() else 0
        forked, _ = start("worker", LINESIDE_DATA_DIR=str(tmp_path / "data"))
        wait_until("it's up", lambda n=before: said.read_bytes().count(b"lineside worker: ") > n)
        assert forked.poll() is None
        forked.send_signal(number)
        assert forked.wait(SECONDS_MAX) == code
        forked.kill()  # nothing, as of a process that has ended
        assert forked.poll() == code


def test_several_run_at_once_and_one_is_waited_for_no_longer_than_said(
    start: Start, tmp_path: Path
) -> None:
    both = [start("worker", LINESIDE_DATA_DIR=str(tmp_path / name))[0] for name in "ab"]
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        both[0].wait(0.3)
    assert 0.2 < time.monotonic() - began < 10
    assert both[1].poll() is None
    for each in reversed(both):
        each.kill()
    assert [each.wait(SECONDS_MAX) for each in both] == [-signal.SIGKILL] * 2
