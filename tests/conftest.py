"""How Hypothesis searches: `ci` for every day, `--hypothesis-profile=thorough` for a night.

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

# Deadlines measure the machine, not the code; whole logs are large examples that take their time.
UNHURRIED = {
    "deadline": None,
    "phases": (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}

settings.register_profile("ci", max_examples=60, print_blob=True, **UNHURRIED)
settings.register_profile("thorough", max_examples=2_000, print_blob=True, **UNHURRIED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

NOT_RUN = Key()
"""Tests that needed Prometheus, where there is none."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("prometheus"):
        lacking = [name for name in ("promtool", "prometheus") if program(name) is None]
        skip_for_want_of(lacking, item, NOT_RUN)


def pytest_configure() -> None:
    """Refuse a build that is older than its sources.

    And let the tests' processes be interrupted: one that runs some of the tests itself can't be.
    """
    changed = changed_since_built()
    if changed:
        raise pytest.UsageError(f"{', '.join(changed)} changed since it was built: run make")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
    """Keep a file's tests together where several processes run them, Kafka's before the others."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(str(item.path)))
    items.sort(key=lambda item: item.path.parent.name != "kafka")


def _sentence(lacked: Lacked) -> str:
    return (
        f"{count(lacked, 'test')} of metrics. Install Prometheus, or name a folder with it and its "
        "promtool in LINESIDE_TEST_PROMETHEUS."
    )
