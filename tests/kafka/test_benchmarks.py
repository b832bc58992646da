"""The benchmarks run, and what they time is right: a smoke run, with no word on time."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

WORKLOAD_DIGEST = "3ad64591593d2da2be88d5a060b2705c"
"""Of 20,000 events: same arguments, same bytes, on any machine."""


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, BENCHMARKS / command[0], *command[1:]],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_workload_is_the_same_bytes_anywhere() -> None:
    assert WORKLOAD_DIGEST in run("workload.py", "--events", "20000", "--digest")


def test_what_metrics_cost_is_measured_on_the_job_as_it_is() -> None:
    printed = run("bench_metrics.py", "--events", "3000", "--rounds", "1", "--lines", "8")
    assert "its own calls" in printed
    assert "a scrape of 8 lines" in printed


def test_the_stages_of_a_replay_are_those_of_the_plain_code() -> None:
    assert "all stages" in run("bench_stages.py", "--events", "3000")


def test_what_master_data_costs_is_measured_on_events_that_it_lets_pass() -> None:
    few = "--events", "3000", "--items", "600", "--orders", "100", "--rounds", "1"
    printed = run("bench_known.py", *few)
    assert "963 reference records" in printed
    assert "everything required" in printed


def test_what_copies_of_master_data_cost_is_measured_part_by_part() -> None:
    printed = run("bench_copies.py", "--records", "5000", "--partitions", "2")
    assert [line.partition(":")[0] for line in printed.splitlines()] == ["kept", "spread", "taken"]


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_holds_and_copies_of_master_data_are_measured(tmp_path: Path) -> None:
    size = ["--holds", "3", "--records", "2000", "--partitions", "2"]
    printed = run("bench_reference.py", *size, "--results", str(tmp_path))
    assert "| 2,000 | 4,000 |" in printed
    assert "| exactly_once | 3 |" in printed


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_lineside_has_the_totals_of_the_workload_with_either_guarantee() -> None:
    printed = run("smoke.py", "--events", "20000")
    assert printed.count("totals right") == 2
    assert "floor: 20," in printed
