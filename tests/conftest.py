"""How Hypothesis searches: `ci` for every day, `--hypothesis-profile=thorough` for a night.

`few` is for tests that are run once more, of code that takes ten times as long uncompiled.

And what is said where there is no Prometheus for the tests that need one.
"""

import os
import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from compiled import changed_since_built
from not_run import Key, Lacked, count, pass_on, skip_for_want_of, take, tell, tell_passed_on
from prometheus import program
from side_by_side import SideBySide, longest_first

# Deadlines measure the machine, not the code; whole logs are large examples that take their time.
UNHURRIED = {
    "deadline": None,
    "phases": (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}

settings.register_profile("ci", max_examples=60, print_blob=True, **UNHURRIED)
settings.register_profile("few", max_examples=12, print_blob=True, **UNHURRIED)
settings.register_profile("thorough", max_examples=2_000, print_blob=True, **UNHURRIED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

NOT_RUN = Key()
"""Tests that needed Prometheus, where there is none."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("prometheus"):
        lacking = [name for name in ("promtool", "prometheus") if program(name) is None]
        skip_for_want_of(lacking, item, NOT_RUN)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a build that is older than its sources.

    And let the tests' processes be interrupted: one that runs some of the tests itself can't be.
    """
    changed = changed_since_built()
    if changed:
        raise pytest.UsageError(f"{', '.join(changed)} changed since it was built: run make")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None):
        config.pluginmanager.register(SideBySide())


def pytest_sessionfinish(session: pytest.Session) -> None:
    pass_on(session.config, NOT_RUN, _sentence)


def pytest_unconfigure(config: pytest.Config) -> None:
    tell(config, NOT_RUN, _sentence)
    tell_passed_on(config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    take(node.config, getattr(node, "workeroutput", {}))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run Kafka's tests before the others: they take the longest."""
    items[:] = longest_first(items)


def _sentence(lacked: Lacked) -> str:
    return (
        f"{count(lacked, 'test')} of metrics. Install Prometheus, or name a folder with it and its "
        "promtool in LINESIDE_TEST_PROMETHEUS."
    )
