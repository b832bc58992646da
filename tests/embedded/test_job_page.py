"""The page of a running job: its numbers are the job's, and those of a replay of the same log."""

import asyncio
import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import Browser

from test_page import browser, shown, texts
from workers import LINESIDE, WorkerProcess

__all__ = ["browser"]

EVENTS = 5_000


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_numbers_on_the_page_equal_the_jobs(browser: Browser, tmp_path: Path) -> None:
    log, out = tmp_path / "log.ndjson", tmp_path / "out"
    size = ("--events", str(EVENTS), "--plants", "2", "--lines", "2")
    subprocess.run([LINESIDE, "simulate", *size, "--out", log], check=True, capture_output=True)
    replay = [LINESIDE, "replay", log, "--out", out, "--partitions", "4"]
    subprocess.run(replay, check=True, capture_output=True)
    report = json.loads((out / "report.json").read_bytes())
    worker = WorkerProcess(tmp_path / "data", "--feed", str(log))
    try:
        total = sum(report["counts"].values())
        assert worker.wait_for_records(total) == total
        url = worker.first_line.split()[2]
        async with shown(browser, url) as page:
            await page.wait_for_selector(f"[data-path='counts.in'][data-value='{total}']")
            texts_shown = await texts(page, "data-path")
    finally:
        assert worker.end(signal.SIGTERM) == 0
    for name, count in report["counts"].items():
        assert texts_shown[f"counts.{name}"] == str(count)
    assert texts_shown["late"] == str(report["late"])
    for name in ("exceptions", "transactions", "summaries"):
        for kind, count in report[name].items():
            assert texts_shown[f"{name}.{kind}"] == str(count)
    assert texts_shown["conservation.error"] == "0"


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_demo_that_has_ended_leaves_its_last_figures_on_the_page(browser: Browser) -> None:
    demo = await asyncio.create_subprocess_exec(
        LINESIDE, "demo", "--seconds", "8", "--rate", "400", "--port", "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert demo.stdout is not None
    _, _, said_first = (await demo.stdout.readline()).decode().partition("a worker's page at ")
    url = said_first.split()[0]
    async with shown(browser, url, quiet=False) as page:
        said, _ = await demo.communicate()
        assert demo.returncode == 0
        await page.wait_for_selector("body[data-state=ended]")
        texts_shown = await texts(page, "data-path")
        verdict = await page.locator("#verdict").inner_text()
    table = dict(re.findall(r"│ (\w[^│]*?) +│ +([\d,]+) │", said.decode()))
    assert texts_shown["counts.in"] == table["records in"].replace(",", "")
    assert texts_shown["counts.accepted"] == table["accepted"].replace(",", "")
    assert texts_shown["open_windows"] == table["open windows"].replace(",", "")
    assert int(texts_shown["counts.in"]) > 400
    assert "exact, error 0" in verdict
