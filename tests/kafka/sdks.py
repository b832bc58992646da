"""The SDKs of CloudEvents, Java's and JavaScript's, as tests run them: both in the cache of jars.py."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jars import (
    Jars,
    JarsError,
    cache_folder,
    jars_folder,
    java,
    missing_programs,
    provide,
    provide_jars,
)

FOLDER: Final = Path(__file__).with_name("sdks")

JAVA_SDK: Final = Jars("cloudevents-java", "CloudEvents", FOLDER / "pom.xml", "cloudevents-kafka-*")

QUICK: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""It runs for a second or two: what makes Java fast later doesn't pay."""

NODE_VERSION_MIN: Final = 20
"""What JavaScript's SDK runs on."""

INSTALL_SECONDS_MAX: Final = 120
"""Some 10 MB: a few seconds; where that doesn't do, nothing comes."""

READ_SECONDS_MAX: Final = 120
"""A few thousand records: some seconds, most of them for starting; a busy machine takes more."""


def java_sdk_lacks() -> list[str]:
    """Return what has to be installed before Java's SDK can read; it comes as source."""
    lacking = missing_programs(JAVA_SDK)
    return lacking if lacking or _compiles() else ["a Java with its compiler (a JDK)"]


def javascript_sdk_lacks() -> list[str]:
    """Return what has to be installed before JavaScript's SDK can read."""
    lacking = []
    if _node_version() < NODE_VERSION_MIN:
        lacking.append(f"Node.js {NODE_VERSION_MIN} or later")
    if shutil.which("npm") is None and not _modules().is_dir():
        lacking.append("npm")
    return lacking


def read_with_java(server: str, topics: Sequence[str]) -> list[dict[str, Any]]:
    """Return each record of topics as Java's SDK reads it."""
    jars = provide_jars(JAVA_SDK)
    program = str(FOLDER / "ReadEvents.java")
    return _read([java(), *QUICK, "-cp", f"{jars}/*", program, server, *topics])


def read_with_javascript(server: str, topics: Sequence[str]) -> list[dict[str, Any]]:
    """Return each record of topics as JavaScript's SDK reads it."""
    modules = provide_modules() / "node_modules"
    group = f"test-sdk-{uuid.uuid4().hex[:12]}"
    program = str(FOLDER / "read_events.js")
    return _read(["node", program, server, group, *topics], NODE_PATH=str(modules))


def provide_modules() -> Path:
    """Return the folder of JavaScript's modules, and fill it first. Raises `JarsError`."""
    return provide(_modules(), _install)


def _modules() -> Path:
    return cache_folder("cloudevents-javascript", FOLDER / "package-lock.json")


def _install(folder: Path) -> None:
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(FOLDER / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX
        )
    except subprocess.TimeoutExpired:
        raise JarsError(
            f"npm didn't bring JavaScript's SDK within {INSTALL_SECONDS_MAX} s: "
            "does it reach its registry?"
        ) from None
    if done.returncode != 0:
        raise JarsError(f"npm couldn't bring JavaScript's SDK:\n{done.stderr[-2_000:]}")


def _read(command: list[str], **environment: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=READ_SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@functools.cache
def _node_version() -> int:
    """Return the major version of Node.js, 0 where there is none."""
    return int(found[1]) if (found := re.match(r"v(\d+)", _output_of("node", "--version"))) else 0


@functools.cache
def _compiles() -> bool:
    return "jdk.compiler@" in _output_of(java(), "--list-modules")


def _output_of(*command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def main() -> None:
    """Provide both where that's possible, with a line that says so; else say what is missing."""
    try:
        if missing := java_sdk_lacks():
            print(f"Java's SDK of CloudEvents won't read here: it needs {' and '.join(missing)}.")
        elif not jars_folder(JAVA_SDK).is_dir():
            print("Getting Java's SDK of CloudEvents for the tests ...", flush=True)
            provide_jars(JAVA_SDK)
        if missing := javascript_sdk_lacks():
            print(f"JavaScript's SDK won't read here: it needs {' and '.join(missing)}.")
        elif not _modules().is_dir():
            print("Getting JavaScript's SDK of CloudEvents for the tests ...", flush=True)
            provide_modules()
    except JarsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
