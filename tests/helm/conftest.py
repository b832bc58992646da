"""What the chart's tests need, and what is said where it isn't there."""

import os
from pathlib import Path

import pytest

from charts import program

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lineside"

PROGRAMS = ("helm", "kubeconform")

NOT_RUN = pytest.StashKey[list[str]]()
"""What each test lacked that didn't run."""


def _found(name: str) -> str | None:
    return program(name, *CACHE.glob(f"{name}-*"))


@pytest.fixture
def kubeconform() -> str:
    """The program."""
    found = _found("kubeconform")
    assert found is not None
    return found


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    needed = {"helm"} if item.path.name == "test_chart.py" else set()
    needed |= (
        {"kubeconform", "helm"} if "kubeconform" in getattr(item, "fixturenames", ()) else set()
    )
    lacking = [name for name in PROGRAMS if name in needed and _found(name) is None]
    if lacking:
        item.config.stash[NOT_RUN].append(lacking[0])
        pytest.skip(f"needs {' and '.join(lacking)}")


def pytest_unconfigure(config: pytest.Config) -> None:
    not_run = config.stash.get(NOT_RUN, [])
    if not_run:
        config.get_terminal_writer().line(
            f"NOT RUN: {len(not_run)} of the chart's tests. Install {', '.join(sorted(set(not_run)))}.",
            yellow=True,
            bold=True,
        )
