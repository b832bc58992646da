"""Jars for tests, from Maven Central into a cache outside the repository: a Kafka broker's."""

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

KAFKA_VERSION: Final = "4.1.0"
"""As in pom.xml."""

JAVA_VERSION_MIN: Final = 17
"""What brokers of Kafka 4 run on."""

POM: Final = Path(__file__).with_name("pom.xml")


class Jars(NamedTuple):
    """What a pom.xml asks for: how its folder begins, whose jars they are, and one of them."""

    name: str
    whose: str
    pom: Path
    one: str


BROKER: Final = Jars(f"kafka-{KAFKA_VERSION}", "Kafka", POM, "kafka_*.jar")

JARS_SECONDS_MAX: Final = 240
"""Some 50 MB: a few seconds; where that doesn't do, nothing comes."""


class JarsError(Exception):
    """Java and Maven are here, and the jars couldn't be had."""


def provide_jars(jars: Jars = BROKER) -> Path:
    """Return the folder of jars, and fill it first if nobody has done so yet. Raises `JarsError`."""
    return provide(jars_folder(jars), lambda filling: _copy_jars(jars, filling))


def provide(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return a folder of the cache, and fill it first if nobody has done so yet.

    A folder that is there is complete: it is filled under another name.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.parent / "lock"):  # Maven's own cache bears one at a time
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="filling-") as filling:
                filled = Path(filling, "filled")
                fill(filled)
                filled.replace(folder)
    return folder


def jars_folder(jars: Jars = BROKER) -> Path:
    """Return where jars are or will be: another pom.xml has another folder."""
    return cache_folder(jars.name, jars.pom)


def cache_folder(name: str, by: Path) -> Path:
    """Return the folder of the cache for what a file asks for: another content has another one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(by.read_bytes()).hexdigest()[:8]
    return cache / "lineside" / f"{name}-{digest}"


def missing_programs(jars: Jars = BROKER) -> list[str]:
    """Return what has to be installed here before jars can be run."""
    missing = []
    if java_version() < JAVA_VERSION_MIN:
        missing.append(f"Java {JAVA_VERSION_MIN} or later")
    if shutil.which("mvn") is None and not jars_folder(jars).is_dir():
        missing.append("Maven")
    return missing


@functools.cache
def java_version() -> int:
    """Return the major version of Java, 0 where there is none."""
    try:
        printed = subprocess.run(
            [java(), "-version"], capture_output=True, text=True, timeout=30, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(\d+)', printed)
    return int(found[1]) if found else 0


def java() -> str:
    """Return the command that runs Java: JAVA_HOME's, or the one on the path."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else "java"


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _copy_jars(jars: Jars, folder: Path) -> None:
    command = [
        "mvn", "--quiet", "--batch-mode", "--strict-checksums", f"--file={jars.pom}",
        "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=JARS_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        raise JarsError(
            f"Maven didn't bring {jars.whose}'s jars within {JARS_SECONDS_MAX} s: "
            "does it reach its repository?"
        ) from None
    if done.returncode != 0 or not list(folder.glob(jars.one)):
        raise JarsError(
            f"Maven couldn't bring {jars.whose}'s jars:\n{(done.stdout + done.stderr)[-2_000:]}"
        )


def main() -> None:
    """Provide the jars where that's possible, with a line that says so; else say what is missing."""
    if os.environ.get("LINESIDE_TEST_BROKER"):
        return
    if missing := missing_programs():
        print(f"The Kafka tests won't run here: they need {' and '.join(missing)}.")
    elif not jars_folder().is_dir():
        print(f"Getting Kafka {KAFKA_VERSION} for the tests, into {jars_folder()} ...", flush=True)
        try:
            provide_jars()
        except JarsError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
