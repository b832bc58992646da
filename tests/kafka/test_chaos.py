"""Faults under load: nothing is lost, nothing is wrong, and nothing repeated that mustn't be.

A short run of the suite in chaos.py; `make chaos` is the long one.
"""

import logging

import pytest

from broker import KafkaBroker
from chaos_cases import CASES
from chaos_suite import AT_LEAST_ONCE, EXACTLY_ONCE, Size, Suite

EVENTS = 40_000
SESSION_SECONDS = 2.0

RUNS = [
    ("kill", AT_LEAST_ONCE, 4),
    ("kill", EXACTLY_ONCE, 4),
    ("rebalance", EXACTLY_ONCE, 4),
    ("zombie", AT_LEAST_ONCE, 1),
    ("zombie", EXACTLY_ONCE, 1),
    ("broker-kill", AT_LEAST_ONCE, 1),
    ("broker-freeze", EXACTLY_ONCE, 1),
    ("compact", AT_LEAST_ONCE, 1),
    ("full-disk", EXACTLY_ONCE, 1),
    ("sigterm", AT_LEAST_ONCE, 2),
    ("rolling", EXACTLY_ONCE, 3),
]


@pytest.fixture(scope="module")
def suite(broker_of_session: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return Suite(broker_of_session, tmp_path_factory.mktemp("chaos"), Size(EVENTS, SESSION_SECONDS))


@pytest.fixture
def running(suite: Suite, own_broker: KafkaBroker, caplog: pytest.LogCaptureFixture) -> Suite:
    """The suite; its broker is brought back afterwards."""
    caplog.set_level(logging.CRITICAL, "aiokafka")  # brokers that are away are meant
    return suite


@pytest.mark.slow
@pytest.mark.parametrize(("name", "guarantee", "faults"), RUNS)
def test_a_fault_changes_nothing(running: Suite, name: str, guarantee: str, faults: int) -> None:
    result = running.run(CASES[name], guarantee, faults)
    assert not result.failure
    assert result.records > EVENTS / 10
    assert result.difference.none, result.difference
    assert result.good, f"{result.repeated} records are there more than once"
    assert len(result.resumed) >= 1
