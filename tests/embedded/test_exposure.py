"""What a running worker shows to others: one port, and behind it what a token opens."""

import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from workers import LINESIDE, WAIT_SECONDS_MAX, WorkerProcess

READ = "read-" + "r" * 30
LISTENING = "0A"

FAUSTS = [
    "/graph",
    "/router",
    "/router/mes.events.v1/x",
    "/table",
    "/stats",
    "/livecheck",
    "/static/x",
]
"""Paths of Faust's own web server, and of its agents."""


def listening(pid: int) -> set[tuple[str, int]]:
    """Return the address (as the kernel writes it) and port of each socket that a process has."""
    links = [
        str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()
    ]
    inodes = {found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))}
    sockets = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENING and words[9] in inodes:
                address, _, port = words[1].rpartition(":")
                sockets.add((address, int(port, 16)))
    return sockets


def answer(url: str, token: str | None = None) -> tuple[int, str]:
    """Return the status and the text of a GET."""
    request = urllib.request.Request(url)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_worker_listens_on_one_port_of_this_machine_and_none_of_fausts(tmp_path: Path) -> None:
    worker = WorkerProcess(tmp_path / "data")
    try:
        url = worker.first_line.split()[2]
        port = int(url.rstrip("/").rpartition(":")[2])
        assert listening(worker.process.pid) == {("0100007F", port)}
        for path in FAUSTS:
            assert answer(url.rstrip("/") + path)[0] == 404, path
    finally:
        assert worker.end(signal.SIGTERM) == 0


def started(tmp_path: Path, **settings: Any) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    variables = {f"LINESIDE_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.Popen(
        [LINESIDE, "worker"],
        env={**own, "LINESIDE_DATA_DIR": str(tmp_path / "data"), "LINESIDE_PORT": "0", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_worker_that_others_reach_takes_a_token_and_never_says_it(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(READ)
    worker = started(tmp_path, host="0.0.0.0", read_tokens=f"file:{tmp_path / 'tokens'}")
    assert worker.stdout is not None
    try:
        first = next(line for line in worker.stdout if " INFO " not in line)
        url = first.split()[2]
        assert answer(f"{url}api/status")[0] == 401
        assert answer(f"{url}api/status", "x" * 30)[0] == 401
        assert answer(f"{url}ready")[0] == 200
        code, document = answer(f"{url}api/status", READ)
        assert code == 200
        assert READ not in document
    finally:
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=WAIT_SECONDS_MAX)
    assert worker.returncode == 0
    assert READ not in first + said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "0.0.0.0"}, "where others reach the page"),
        ({"read_tokens": READ}, "read_tokens isn't a reference"),
        ({"read_tokens": "env:NO_SUCH_VARIABLE"}, "there is no such variable"),
        ({"broker": "kafka://kafka:9092"}, "kafka would be spoken to in plaintext"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_worker_that_isnt_safe_enough_doesnt_start(
    tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    worker = started(tmp_path, **settings)
    said, _ = worker.communicate(timeout=WAIT_SECONDS_MAX)
    assert worker.returncode == 2
    assert said.startswith("Error: ")
    assert said.count("\n") == 1
    assert words in said
    assert READ not in said
    assert not (tmp_path / "data").exists()
