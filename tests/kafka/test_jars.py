"""What happens before there is a broker: its jars, and what is said where it can't run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jars import KAFKA_VERSION, POM, JarsError, jars_folder, missing_programs, provide_jars

HERE = Path(__file__).parent

MAVEN = """#!/bin/sh
echo run >> "{runs}"
for argument; do
    case "$argument" in -DoutputDirectory=*) folder="${{argument#-DoutputDirectory=}}";; esac
done
sleep 0.3
mkdir -p "$folder"
echo jar > "$folder/kafka_2.13.jar"
{then}
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a Maven that writes a line into this file each time it is run."""
    runs = tmp_path / "runs"
    pretend_maven(tmp_path, runs)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return runs


def pretend_maven(folder: Path, runs: Path, then: str = "") -> None:
    """Put a `mvn` into `folder`/bin."""
    (folder / "bin").mkdir(exist_ok=True)
    maven = folder / "bin" / "mvn"
    maven.write_text(MAVEN.format(runs=runs, then=then))
    maven.chmod(0o755)


def test_the_version_is_that_of_the_pom() -> None:
    assert f"<version>{KAFKA_VERSION}</version>" in POM.read_text("utf-8")


def test_jars_are_fetched_once(runs: Path) -> None:
    folder = provide_jars()
    assert folder == provide_jars() == jars_folder()
    assert [path.name for path in folder.iterdir()] == ["kafka_2.13.jar"]
    assert runs.read_text() == "run\n"


def test_sessions_that_start_at_once_fetch_once(runs: Path) -> None:
    program = "from jars import provide_jars; print(*[p.name for p in provide_jars().iterdir()])"
    sessions = [
        subprocess.Popen([sys.executable, "-c", program], cwd=HERE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for session in sessions:
        assert session.communicate(timeout=60)[0] == b"kafka_2.13.jar\n"
    assert runs.read_text() == "run\n"


def test_what_maven_couldnt_bring_is_reported_and_not_kept(runs: Path, tmp_path: Path) -> None:
    pretend_maven(tmp_path, runs, "echo no route to the repository; exit 1")
    with pytest.raises(JarsError, match="no route to the repository"):
        provide_jars()
    assert not jars_folder().exists()
    pretend_maven(tmp_path, runs)
    assert provide_jars().is_dir()


def test_maven_isnt_needed_once_the_jars_are_here(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provide_jars()
    monkeypatch.setenv("PATH", "")
    assert "Maven" not in missing_programs()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    assert "Maven" in missing_programs()


def last_lines(tmp_path: Path, *arguments: str, **environment: str) -> list[str]:
    """Return the lines of a test session that finds neither Java nor Maven nor kcat."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("JAVA_HOME", "LINESIDE_TEST_BROKER", "PYTEST_ADDOPTS")
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=HERE.parents[1],
        env=kept | {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def test_without_java_the_last_line_says_what_didnt_run(tmp_path: Path) -> None:
    lines = last_lines(tmp_path, "tests/kafka/test_broker.py", "tests/values/test_quantity.py")
    assert " passed" in lines[-2]
    assert " skipped" in lines[-2]
    assert lines[-1].startswith("NOT RUN: ")
    assert "Install Java 17 or later, Maven, kcat" in lines[-1]
    assert "LINESIDE_TEST_BROKER=kafka://" in lines[-1]


def test_without_nodejs_the_last_line_says_so_too(tmp_path: Path) -> None:
    lines = last_lines(tmp_path, "tests/kafka/test_sdks.py", "tests/values/test_quantity.py")
    assert lines[-1].startswith("NOT RUN: 3 Kafka tests. Install Java 17 or later, Maven, ")
    assert "Node.js 20 or later, npm" in lines[-1]


def test_what_nobody_asked_for_isnt_missed(tmp_path: Path) -> None:
    for arguments in (
        ["tests/kafka/test_broker.py", "tests/values/test_quantity.py", "-m", "not kafka"],
        ["tests/kafka", "-k", "version_is_that_of_the_pom"],
    ):
        assert " passed" in last_lines(tmp_path, *arguments)[-1]
