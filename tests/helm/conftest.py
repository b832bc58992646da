"""What the chart's tests need, and what is said where it isn't there."""

import os
from pathlib import Path

import pytest

from charts import program
from not_run import Key, Lacked, pass_on, skip_for_want_of, tell

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lineside"

PROGRAMS = ("helm", "kubeconform")

NOT_RUN = Key()


def _found(name: str) -> str | None:
    return program(name, *CACHE.glob(f"{name}-*"))


@pytest.fixture
def kubeconform() -> str:
    """The program."""
    found = _found("kubeconform")
    assert found is not None
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    needed = {"helm"} if item.path.name == "test_chart.py" else set()
    needed |= (
        {"kubeconform", "helm"} if "kubeconform" in getattr(item, "fixturenames", ()) else set()
    )
    lacking = [name for name in PROGRAMS if name in needed and _found(name) is None]
    skip_for_want_of(lacking, item, NOT_RUN)


def pytest_sessionfinish(session: pytest.Session) -> None:
    pass_on(session.config, NOT_RUN, _sentence)


def pytest_unconfigure(config: pytest.Config) -> None:
    tell(config, NOT_RUN, _sentence)


def _sentence(lacked: Lacked) -> str:
    programs = sorted({first for first, *_ in lacked})
    return f"{len(lacked)} of the chart's tests. Install {', '.join(programs)}."
