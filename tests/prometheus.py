"""Prometheus for tests: the server and its promtool.

They are in the folder that LINESIDE_TEST_PROMETHEUS names, or on the PATH, or where `make test` has
put them (tests/provide-prometheus). Where they aren't, the last line says what did not run.
"""

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROVIDED = Path(__file__).parent.parent / ".venv" / "prometheus" / "usr" / "bin"

WAIT_SECONDS_MAX = 60.0


def program(name: str) -> str | None:
    """Return the path of `prometheus` or `promtool`, None where it isn't."""
    given = os.environ.get("LINESIDE_TEST_PROMETHEUS")
    if given:
        return shutil.which(name, path=given)
    return shutil.which(name) or shutil.which(name, path=str(PROVIDED))


def promtool(*arguments: str, stdin: str | None = None, cwd: Path | None = None) -> str:
    """Run promtool, and return what it says; fail where it finds fault."""
    path = program("promtool")
    assert path is not None
    done = subprocess.run(
        [path, *arguments], input=stdin, capture_output=True, text=True, cwd=cwd, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Prometheus:
    """A Prometheus that scrapes one target every second."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        self.url = url
        self.process = process

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the result of an instant query; fail where Prometheus refuses it."""
        given = urllib.parse.urlencode({"query": expr})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{given}", timeout=10) as answer:
            told = json.load(answer)
        assert told["status"] == "success", told
        result: list[dict[str, Any]] = told["data"]["result"]
        return result

    def wait_for(self, expr: str) -> list[dict[str, Any]]:
        """Return the result of a query as soon as there is one."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            try:
                found = self.query(expr)
            except OSError:
                found = []
            if found:
                return found
            assert time.monotonic() < deadline, f"nothing within {WAIT_SECONDS_MAX:.0f} s: {expr}"
            assert self.process.poll() is None, "Prometheus has ended"
            time.sleep(0.5)


@contextmanager
def prometheus(folder: Path, target: str, port: int, *rules: Path) -> Iterator[Prometheus]:
    """Run a Prometheus on a port of this machine that scrapes `target` (host:port) every second."""
    path = program("prometheus")
    assert path is not None
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rule) for rule in rules],
        "scrape_configs": [{"job_name": "lineside", "static_configs": [{"targets": [target]}]}],
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config))  # YAML takes JSON
    process = subprocess.Popen(
        [
            path,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ],
        cwd=folder,
    )
    try:
        yield Prometheus(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(30)
