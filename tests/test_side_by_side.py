"""The tests' processes: Kafka's tests are in one of them, and one that dies is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

CONFTEST = """
from side_by_side import SideBySide, longest_first

def pytest_configure(config):
    if config.getoption("numprocesses"):
        config.pluginmanager.register(SideBySide())

def pytest_collection_modifyitems(items):
    items[:] = longest_first(items)
"""

WHERE = """
import os, pathlib, time, pytest

@pytest.mark.parametrize("number", range(3))
def test_where(number):
    with pathlib.Path(__file__).with_suffix(".pids").open("a") as file:
        print(os.getpid(), file=file)
    time.sleep(0.1)
"""

DIES = """
import os

def test_before(): pass
def test_that_ends_its_process(): os._exit(0)
def test_behind(): pass
"""

AT_EXIT = """
import os, pytest

@pytest.fixture(scope="session")
def heavy():
    yield
    os._exit(0)

def test_that_passes(heavy): pass
"""


def run(folder: Path, files: dict[str, str], **more: str) -> "subprocess.CompletedProcess[str]":
    """Run tests as `make test` does."""
    for name, text in {"conftest.py": CONFTEST, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    own = {name: value for name, value in os.environ.items() if "TEST" not in name}
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "-c", os.devnull,
            f"--rootdir={folder}", "--numprocesses", "2", "--no-loadscope-reorder", str(folder),
        ],
        env=own | {"PYTHONPATH": str(TESTS)} | more, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def pids(file: Path) -> list[str]:
    return file.read_text().split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some"


def test_one_process_has_kafkas_tests_and_the_other_the_rest(folder: Path) -> None:
    kafka = ["kafka/test_a.py", "kafka/test_b.py"]
    others = ["audit/test_c.py", "line/test_d.py", "line/test_e.py"]
    done = run(folder, dict.fromkeys([*kafka, *others], WHERE))
    assert done.returncode == 0, done.stdout
    theirs, rest = (
        [number for name in names for number in pids((folder / name).with_suffix(".pids"))]
        for names in (kafka, others)
    )
    assert (len(theirs), len(rest)) == (6, 9)
    assert len(set(theirs)) == 1
    assert theirs[0] not in rest[:6]  # when it is through with its own it helps


def test_the_other_helps_with_kafkas_tests_when_there_are_no_others(folder: Path) -> None:
    names = [f"kafka/test_{letter}.py" for letter in "abcdef"]
    done = run(folder, dict.fromkeys([*names, "line/test_z.py"], WHERE))
    assert done.returncode == 0, done.stdout
    found = [set(pids((folder / name).with_suffix(".pids"))) for name in names]
    assert all(len(each) == 1 for each in found)  # a file is whole
    assert len(set.union(*found)) == 2


def test_nobody_helps_where_all_share_a_broker(folder: Path) -> None:
    names = [f"kafka/test_{letter}.py" for letter in "abcd"]
    files = dict.fromkeys([*names, "line/test_z.py"], WHERE)
    done = run(folder, files, LINESIDE_TEST_BROKER="kafka://127.0.0.1:9092")
    assert done.returncode == 0, done.stdout
    found = [set(pids((folder / name).with_suffix(".pids"))) for name in names]
    assert len(set.union(*found)) == 1


def test_a_process_that_dies_is_a_failure_of_what_it_ran_and_the_rest_goes_on(folder: Path) -> None:
    done = run(folder, {"kafka/test_a.py": DIES, "line/test_c.py": WHERE})
    assert done.returncode == 1, done.stdout
    assert "kafka/test_a.py::test_that_ends_its_process" in done.stdout, done.stdout
    assert "1 failed, 5 passed" in done.stdout, done.stdout
    assert done.stdout.count("DIED: a process of tests, gw") == 1, done.stdout


def test_a_process_that_dies_between_tests_is_a_failure_too(folder: Path) -> None:
    done = run(folder, {"kafka/test_a.py": AT_EXIT, "line/test_c.py": WHERE})
    assert "4 passed" in done.stdout, done.stdout
    assert "DIED: a process of tests, gw" in done.stdout, done.stdout
    assert done.returncode == 1, done.stdout
