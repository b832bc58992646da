"""What a real worker answers to Prometheus and to an orchestrator."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.serve.metrics import METRICS, PREFIX
from workers import LINESIDE, WAIT_SECONDS_MAX, WorkerProcess

EVENTS = 20_000

STILL = {
    "consumer_lag_records", "changelog_lag_records", "recovery_left_records", "conservation_error",
    "deleted_records", "no_progress_seconds",
    "tick_interval_seconds",  # a log that is fed has its own ticks
    "posting_latency_seconds",  # a bare log has no timestamps; tests/embedded/test_prometheus.py
}  # fmt: skip
"""Zero in a worker that has nothing to do."""

OF_KAFKA = {"standby_lag_records", "clock_difference_seconds"}
"""Without a sample here; tests/kafka has them."""

STUCK = """
import asyncio, sys
from agents.settings import settings
from agents.worker.run import run_worker
from streams.embedded import transport as embedded

async def nothing(consumer, active_partitions, timeout):
    await asyncio.sleep(0.05)
    return {}

embedded.Consumer._getmany = nothing

async def main(worker):
    worker.broker.append("mes.events.v1", 0, [(None, b"DE01/L1", b"{}", ())])
    print(worker.url, flush=True)
    await worker.stopping.wait()

run_worker(settings.Settings(
    data_dir=sys.argv[1], partitions=1, port=0, tick_seconds=0, no_progress_seconds_max=1
), "stuck", main)
"""
"""A worker whose consumer asks and asks, and never gets anything, though there is something."""


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_until(what: str, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS_MAX} s: {what}"
        time.sleep(0.1)


class Scrape:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def by(self, name: str, *labels: str) -> dict[Any, float]:
        """Return sums of a metric by the values of labels."""
        found: Counter[Any] = Counter()
        for sample in self.samples:
            if sample.name == PREFIX + name:
                values = tuple(sample.labels[label] for label in labels)
                found[values[0] if len(values) == 1 else values] += sample.value
        return dict(found)

    def sum(self, name: str) -> float:
        return self.by(name).get((), 0.0)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "log.ndjson"
    simulate = [LINESIDE, "simulate", "--events", str(EVENTS), "--plants", "2", "--lines", "3"]
    subprocess.run([*simulate, "--out", path], check=True, capture_output=True)
    with path.open("rb+") as lines:
        last = next(filter(None, map(_confirmed, reversed(lines.readlines()))))
        final = {**last, "id": "it waits", "data": {**last["data"], "final": True}}
        lines.write(json.dumps(final).encode() + b"\n")
    return path


def _confirmed(line: bytes) -> dict[str, Any] | None:
    """Return a line of a log as a confirmation, None if it's something else."""
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return event if event.get("type") == "production.confirmed.v1" else None


@pytest.fixture(scope="module")
def fed(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """A worker that has processed a simulated log, and waits for more."""
    worker = WorkerProcess(tmp_path_factory.mktemp("data"), "--feed", str(log))
    wait_until("all is fed", lambda: drained(worker))
    yield worker
    worker.end(signal.SIGTERM)


def drained(worker: WorkerProcess) -> bool:
    status = worker.status()
    lags = [one["lag"] for one in status["partitions"]]
    return status["counts"]["in"] > EVENTS and lags == [0] * len(lags)


def url_of(worker: WorkerProcess) -> str:
    return worker.first_line.split()[2]


@pytest.fixture(scope="module")
def scrape(fed: WorkerProcess) -> Scrape:
    code, text = get(f"{url_of(fed)}metrics")
    assert code == 200
    return Scrape(text)


def test_metrics_say_what_the_page_says(fed: WorkerProcess, scrape: Scrape) -> None:
    status = fed.status()
    counts = status["counts"]
    outcomes = scrape.by("events_total", "outcome")
    assert outcomes == {name: counts[name] for name in ("accepted", "duplicate", "exception")}
    assert scrape.sum("ticks_total") == counts["tick"]
    codes = {code: count for code, count in scrape.by("exceptions_total", "code").items() if count}
    assert codes == status["exceptions"]
    assert scrape.sum("late_events_total") == status["late"]
    left = scrape.by("outputs_total", "type")
    assert left.pop("exception.raised.v1") == counts["exception"]
    by_topic = scrape.by("outputs_total", "topic", "type")
    holds = {kind: left.pop(kind) for topic, kind in by_topic if topic == "reference.v1"}
    assert holds.keys() == {"reference.hold.v1", "reference.hold_release.v1"}
    assert left == {**status["transactions"], **status["summaries"]}
    assert scrape.sum("open_windows") == status["open_windows"]
    lasting = scrape.by("lasting_offset", "topic", "partition")
    for one in status["partitions"]:
        assert lasting[one["topic"], str(one["partition"])] == one["offset"]
    accepted = {(line["plant"], line["line"]): line["accepted"] for line in status["lines"]}
    by_line: Counter[tuple[str, str]] = Counter()
    for (plant, name, outcome), count in scrape.by(
        "events_total", "plant", "line", "outcome"
    ).items():
        if outcome == "accepted" and plant != "other":
            by_line[plant, name] += int(count)
    assert by_line == accepted


def test_every_metric_has_moved_but_those_that_should_not_have(scrape: Scrape) -> None:
    for metric in METRICS:
        name = metric.name + ("_count" if metric.type == "histogram" else "")
        found = scrape.by(name)
        if metric.name in OF_KAFKA:
            assert not found
        elif metric.name in STILL:
            assert found == {(): 0}, metric.name
        else:
            assert found[()] > 0, metric.name


def test_the_conservation_error_of_every_measure_is_reported_and_is_0(scrape: Scrape) -> None:
    errors = scrape.by("conservation_error", "type", "measure")
    assert ("erp.goods_issue.v1", "quantity") in errors
    assert ("summary.downtime.v1", "seconds") in errors
    assert set(errors.values()) == {0.0}


def test_labels_are_those_of_the_docs(scrape: Scrape) -> None:
    known = {PREFIX + metric.name: set(metric.labels) for metric in METRICS}
    for sample in scrape.samples:
        name = sample.name
        for ending in ("_bucket", "_count", "_sum"):
            if name.removesuffix(ending) in known:
                name = name.removesuffix(ending)
        if name.startswith(PREFIX):
            assert set(sample.labels) - {"le"} == known[name], name


def test_a_worker_that_is_well_says_so_to_whoever_asks(fed: WorkerProcess) -> None:
    for path in ("healthz", "readyz", "ready", "livez"):
        assert get(f"{url_of(fed)}{path}")[0] == 200, path


def test_counters_begin_with_the_process_and_the_ledger_does_not(log: Path, tmp_path: Path) -> None:
    first = WorkerProcess(tmp_path, "--feed", str(log))
    wait_until("all is fed", lambda: drained(first))
    keys = Scrape(get(f"{url_of(first)}metrics")[1]).sum("ledger_keys")
    assert first.end(signal.SIGTERM) == 0
    again = WorkerProcess(tmp_path, "--feed", str(log))
    try:
        wait_until("all is counted", lambda: "ledger_keys{" in get(f"{url_of(again)}metrics")[1])
        wait_until(
            "all is counted",
            lambda: Scrape(get(f"{url_of(again)}metrics")[1]).sum("ledger_keys") == keys,
        )
        scrape = Scrape(get(f"{url_of(again)}metrics")[1])
        assert keys > 1_000
        assert scrape.sum("events_total") == 0
        assert scrape.sum("consumer_lag_records") == 0
    finally:
        assert again.end(signal.SIGTERM) == 0


def test_a_consumer_that_died_silently_fails_livez_and_nothing_else(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        wait_until("it fails", lambda: get(f"{url}livez")[0] == 503)
        assert "has stood still for" in get(f"{url}livez")[1]
        assert get(f"{url}healthz")[0] == get(f"{url}readyz")[0] == 200
        scrape = Scrape(get(f"{url}metrics")[1])
        assert scrape.sum("consumer_lag_records") == 1
        assert scrape.sum("no_progress_seconds") > 1
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS_MAX)


def test_the_log_is_an_object_a_line_where_that_is_asked_for(tmp_path: Path) -> None:
    log, config = tmp_path / "log.ndjson", tmp_path / "lineside.toml"
    trace = "0af7651916cd43dd8448eb211c80319c"
    event = {"type": "nonsense.v1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    log.write_text(json.dumps(event) + "\n")
    config.write_text('log_format = "json"\n')
    worker = WorkerProcess(
        tmp_path / "data", "--config", str(config), "--feed", str(log), "--until-drained"
    )
    code, said = worker.wait()
    assert code == 1, "nothing of it is an event"
    lines = [json.loads(line) for line in said.splitlines() if not line.startswith("fed ")]
    messages = [line["message"] for line in lines]
    assert messages[0].startswith("core: ")
    assert any(each.startswith("lineside worker: http://127.0.0.1:") for each in messages)
    (refused,) = [line for line in lines if line["logger"] == "lineside.refused"]
    assert refused["trace_id"] == trace
    assert refused["code"] == "unknown_type"


def test_in_such_a_log_what_ends_the_worker_is_an_object_too(tmp_path: Path) -> None:
    config = tmp_path / "lineside.toml"
    config.write_text('log_format = "json"\n')
    (tmp_path / "data").write_text("a file where the directory should be")
    code, said = WorkerProcess(tmp_path / "data", "--config", str(config)).wait()
    assert code == 1
    (entry,) = [json.loads(line) for line in said.splitlines()]
    assert entry["level"] == "critical"
    assert "data directory" in entry["message"]
    assert "Error:" not in said
