"""A real Prometheus scrapes a real worker: dashboards show something, an alert fires on purpose."""

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from prometheus import Prometheus, prometheus, promtool
from test_dashboards import BOARDS, concrete, queries

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm" / "lineside" / "alerts" / "lineside.rules.yaml"

pytestmark = [pytest.mark.prometheus, pytest.mark.slow]

FACTORY = """
import asyncio, sys
from agents.worker import demo, feed
from agents.settings import settings
from agents.worker.run import run_worker
from agents.simulate.factory import Plan

async def break_some(broker):
    while True:
        await asyncio.sleep(0.1)
        broker.append("mes.events.v1", 0, [(None, b"P1/L1", b"{", ())] * 5)

async def main(worker):
    print(worker.url, flush=True)
    breaking = asyncio.ensure_future(break_some(worker.broker))
    plan = Plan(seed=1, plants=2, lines=2, start=demo.demo_start())
    await feed.feed_factory(worker, plan, 500, None)

own = settings.Settings(data_dir=sys.argv[1], port=0, tick_seconds=0)
run_worker(own, "factory", main)
"""

EMPTY_HERE = (
    "lineside_standby_lag_records", "lineside_clock_difference_seconds", "lineside_waiting_finals",
)  # fmt: skip
"""Of Kafka; and what is only there while the window of a final confirmation is open."""

SCRAPES_SECONDS = 12


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a worker whose factory goes on while it's scraped, and sends many broken events."""
    process = subprocess.Popen(
        [sys.executable, "-c", FACTORY, str(tmp_path_factory.mktemp("worker"))],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    rules = folder / "fast.yaml"
    # The same rules, in seconds: an alert that takes ten minutes is seen to fire in ten seconds.
    text = re.sub(r"(for: |\[)(\d+)m", r"\g<1>\g<2>s", RULES.read_text("utf-8"))
    rules.write_text(text)
    target = url.removeprefix("http://").rstrip("/")
    with prometheus(folder, target, free_port(), rules) as server:
        server.wait_for("lineside_build_info")
        time.sleep(SCRAPES_SECONDS)
        yield server


def test_promtool_finds_no_fault_in_the_text(url: str) -> None:
    with urllib.request.urlopen(f"{url}metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    own = "".join(
        line for line in text.splitlines(keepends=True) if "lineside_" in line.split("{")[0]
    )
    promtool("check", "metrics", stdin=own)


@pytest.mark.parametrize("name", BOARDS)
def test_every_query_of_a_dashboard_gives_something(server: Prometheus, name: str) -> None:
    for query in queries(BOARDS[name]):
        asked = concrete(query)
        found = server.query(asked)
        if not any(metric in asked for metric in EMPTY_HERE):
            assert found, asked


def test_latency_is_that_of_the_records(server: Prometheus) -> None:
    quantile = "histogram_quantile(0.5, lineside_posting_latency_seconds_bucket)"
    (found,) = server.query(quantile)
    assert 0 < float(found["value"][1]) < 2


def test_a_flood_of_broken_events_fires_its_alert_and_no_critical_one(server: Prometheus) -> None:
    (alert,) = server.wait_for('ALERTS{alertname="LinesideExceptionRate"}')
    assert alert["metric"]["severity"] == "warning"
    assert not server.query('ALERTS{severity="critical", alertstate="firing"}')
