"""The desk in a worker's process: of the demonstration, and of a worker on its embedded log."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from workers import LINESIDE, WAIT_SECONDS_MAX

EVENT = {
    "specversion": "1.0", "type": "material.consumed.v1", "source": "/DE01/mes", "id": "1",
    "time": "2026-11-21T06:00:00Z", "plant": "DE01", "line": "L3",
    "data": {"order": "4711", "operation": "0010", "item": "M-1", "quantity": "12.5", "uom": "kg"},
}  # fmt: skip


@contextmanager
def running(*arguments: str, folder: Path, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """Run `lineside` with these settings, and end it; what it says goes to one stream."""
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    given = {"data_dir": folder / "data", "port": 0, "desk_port": 0, **settings}
    variables = {f"LINESIDE_{name.upper()}": str(value) for name, value in given.items()}
    process = subprocess.Popen(
        [LINESIDE, *arguments],
        env=own | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def links(process: subprocess.Popen[str], pattern: str) -> tuple[str, ...]:
    """Return what the first line that fits has in its groups."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := re.match(pattern, line):
            return found.groups()
    raise AssertionError(said)


def get(url: str, token: str | None = None) -> Any:
    """Return the JSON that a GET is answered with."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return json.load(answer)


def post(url: str, body: Any) -> Any:
    """Return the JSON that a POST of JSON is answered with."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wait_for(what: str, found: Callable[[], Any]) -> Any:
    """Return what `found` finds, as soon as it's true of it."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        with suppress(urllib.error.HTTPError, ValueError):  # none yet, or not yet
            if there := found():
                return there
        time.sleep(0.1)
    raise AssertionError(f"not in time: {what}")


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """End a process in order; return what it said last."""
    process.send_signal(number)
    said, _ = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 0, said
    return said


def test_the_demos_first_link_is_the_desk_and_the_second_a_workers_page(tmp_path: Path) -> None:
    pattern = r"lineside demo: (\S+) \(the desk\) - a worker's page at (\S+) - "
    with running("demo", "--seconds", "60", folder=tmp_path) as process:
        desk, page = links(process, pattern)
        assert get(f"{desk}api/v1/me")["scope"] == "admin"
        assert get(f"{page}api/status")["job"] == "demo"
        overview = wait_for(
            "lines with what they made",
            lambda: (
                (found := get(f"{desk}api/v1/overview"))["lines"]
                and any(line["made"] for line in found["lines"])
                and found
            ),
        )
        assert {plant["plant"] for plant in overview["plants"]} == {"DE01", "DE02"}
        health = get(f"{desk}api/v1/health")
        assert health["workers"][0]["reachable"]
        assert health["workers"][0]["url"] == page
        assert health["database"]["kind"] == "sqlite"
        said = end(process, signal.SIGINT)
    assert "conservation error" in said
    assert "Traceback" not in said


def test_a_demo_that_others_reach_has_one_token_for_both_pages(tmp_path: Path) -> None:
    pattern = (
        r"lineside demo: (\S+)#token=(\S{20,}) \(the desk\) - a worker's page at (\S+)#token=(\S+) "
    )
    arguments = ("demo", "--seconds", "60", "--host", "0.0.0.0")
    with running(*arguments, folder=tmp_path) as process:
        desk, token, page, same = links(process, pattern)
        assert token == same
        for url in (f"{desk}api/v1/me", f"{page}api/status"):
            assert get(url, token)
            with pytest.raises(urllib.error.HTTPError, match="401"):
                get(url)
        assert get(f"{desk}api/v1/me", token)["name"] == "demo"
        end(process, signal.SIGINT)


def test_what_comes_in_is_found_at_the_desk_and_worked_there(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    refused = {**EVENT, "id": "2", "data": {**EVENT["data"], "quantity": "much"}}  # type: ignore[dict-item]
    log.write_text(f"{json.dumps(EVENT)}\n{json.dumps(EVENT)}\n{json.dumps(refused)}\n")
    pattern = r"lineside worker: (\S+) - .* - the desk at (\S+)$"
    with running("worker", "--desk", "--feed", str(log), folder=tmp_path) as process:
        _, desk = links(process, pattern)
        api = f"{desk}api/v1"
        (open_,) = wait_for("the exception", lambda: get(f"{api}/exceptions?status=open")["items"])
        assert open_["event_id"] == "2"
        trace = wait_for(
            "the event", lambda: (found := get(f"{api}/trace?q=4711"))["events"] and found
        )
        assert {event["outcome"] for event in trace["events"]} >= {"accepted"}
        act = {"act": "dismiss", "ids": [open_["id"]], "why": "a test", "batch": "b-1"}
        for _ in range(2):  # the second is the same request once more
            done = post(f"{api}/exceptions/act", act)
            assert (done["done"], done["items"][0]["result"]) == (1, "done"), done
        assert end(process)
    with running("worker", "--desk", "--feed", str(log), folder=tmp_path) as process:
        _, desk = links(process, pattern)  # it goes on where it was
        (acted,) = wait_for("the act", lambda: get(f"{desk}api/v1/acts")["items"])
        assert (acted["who"], acted["act"], acted["subject"]) == ("local", "dismiss", open_["id"])
        assert get(f"{desk}api/v1/exceptions?status=open")["items"] == []
        with running("desk", "rebuild", "--wait", folder=tmp_path) as rebuilding:
            said, _ = rebuilding.communicate(timeout=WAIT_SECONDS_MAX)
            assert rebuilding.returncode == 0, said
            assert "the books are full again" in said
        assert get(f"{desk}api/v1/acts")["items"] == [acted]
        assert get(f"{desk}api/v1/exceptions?status=dismissed")["total"] == 1
        end(process)


def test_a_worker_on_kafka_has_no_desk_in_its_process(tmp_path: Path) -> None:
    with running("worker", "--desk", folder=tmp_path, broker="kafka://127.0.0.1:1") as process:
        said, _ = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 2
    assert "run `lineside desk` beside the workers" in said


def test_a_desk_without_a_broker_says_where_else_it_is(tmp_path: Path) -> None:
    with running("desk", folder=tmp_path) as process:
        said, _ = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 2
    assert "lineside worker --desk" in said


def test_a_desk_that_others_reach_needs_tokens(tmp_path: Path) -> None:
    read = tmp_path / "read"
    read.write_text("r" * 30)
    with running(
        "worker", "--desk", folder=tmp_path, host="0.0.0.0", read_tokens=f"file:{read}"
    ) as process:
        said, _ = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 2
    assert "set desk_tokens or desk_proxy" in said
