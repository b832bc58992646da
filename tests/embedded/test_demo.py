"""The demonstration's factory: master data, a hold that is placed and released, a new rule."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, MES_EVENTS
from streams.embedded.log import EmbeddedLog
from streams.log.lineage import RESENT_FROM
from streams.log.record import Record
from streams.values import instant

DEMO = """
import asyncio, json, sys
from agents.settings import settings
from agents.simulate.factory import Plan
from agents.worker import demo, feed
from agents.worker.run import run_worker
from tables.report import report

start = demo.demo_start()
parked = []

async def watch(worker):
    while True:
        parked.append(report(worker.job.partitions.values()).parked)
        await asyncio.sleep(0.02)

async def main(worker):
    watching = asyncio.ensure_future(watch(worker))
    plan = Plan(lines=1, start=start, works_always=True, master_data=True)
    await feed.feed_factory(worker, plan, 800, 10)
    drained = await worker.drained(20)
    watching.cancel()
    left = report(worker.job.partitions.values())
    print(json.dumps({
        "drained": drained, "error": left.conservation["error"], "start": start,
        "parked": parked, "exceptions": left.exceptions,
    }))

own = settings.Settings(data_dir=sys.argv[1], port=0, tick_seconds=0, partitions=4)
run_worker(own, "demo", main, keeps_master=True)
"""

WAIT_SECONDS_MAX = 120


class Ran:
    """A demonstration that has ended: what it said, and what is on its log."""

    def __init__(self, folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-c", DEMO, folder],
            capture_output=True, text=True, timeout=WAIT_SECONDS_MAX, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        self.log = EmbeddedLog(folder / "log")

    def records(self, topic: str) -> list[Record]:
        logs = [self.log.partition(topic, number) for number in range(4)]
        found = []
        for log in logs:
            at = 0
            while at < log.end_offset:
                found += (some := log.read(at, 10_000))
                at = some[-1].offset + 1
        return found

    def values(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(record.value or b"") for record in self.records(topic)]

    def issues(self, plant: str) -> list[dict[str, Any]]:
        """Return the goods issues of a plant."""
        return [
            each
            for each in self.values(ERP_TRANSACTIONS)
            if each["type"] == "erp.goods_issue.v1" and each["plant"] == plant
        ]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    ended = Ran(tmp_path_factory.mktemp("demo"))
    yield ended
    ended.log.close()


def test_the_totals_add_up(ran: Ran) -> None:
    assert ran.said["drained"]
    assert ran.said["error"] == "0"


def test_consumption_is_posted_each_quarter_of_an_hour_from_midnight_on_in_one_plant(
    ran: Ran,
) -> None:
    midnight = (ran.said["start"] // 1_000_000) + 20 * 60
    assert midnight % 3600 == 0
    lengths: dict[bool, Counter[int]] = {False: Counter(), True: Counter()}
    for each in ran.issues("DE01"):
        begin, end = (_seconds(each["data"][name]) for name in ("window_start", "window_end"))
        lengths[begin >= midnight][end - begin] += 1
    assert set(lengths[False]) == {300}
    assert set(lengths[True]) == {900}
    other = [each["data"] for each in ran.issues("DE02")]
    assert {_seconds(data["window_end"]) - _seconds(data["window_start"]) for data in other} == {
        300
    }


def _seconds(text: str) -> int:
    return instant.parse(text) // 1_000_000


def test_what_the_hold_parks_leaves_when_it_is_released(ran: Ran) -> None:
    parked = ran.said["parked"]
    assert max(parked) >= 5
    assert any(after <= before - 5 for before, after in pairwise(parked))
    coils = [each for each in ran.issues("DE01") if each["data"]["item"] == "RM-COIL-DC04"]
    assert any(each["data"]["revision"] > 0 for each in coils)  # freed, and carried by later ones


def test_what_lacked_an_item_goes_again_once_the_erp_has_told_of_it(ran: Ran) -> None:
    lacking = [
        each["id"] for each in ran.values(EXCEPTIONS) if each["data"]["code"] == "unknown_master"
    ]
    assert len(lacking) >= 5
    origins = Counter(
        (value or b"").decode()
        for record in ran.records(MES_EVENTS)
        for name, value in record.headers
        if name == RESENT_FROM
    )
    assert origins == Counter(lacking)
    assert any(
        each["type"] == "summary.consumption.v1" and each["data"]["item"] == "RM-WIRE-SG2"
        for each in ran.values("summary.consumption.v1")
    )


def test_postings_tell_of_cost_centers_and_base_quantities(ran: Ran) -> None:
    issues = ran.issues("DE01")
    assert {each["data"].get("cost_center") for each in issues} <= {"DE01-01", None}
    assert sum("base_quantity" in each["data"] for each in issues) > len(issues) / 2
