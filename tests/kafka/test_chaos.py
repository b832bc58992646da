"""Faults under load: nothing is lost, nothing is wrong, and nothing repeated that mustn't be.

A short run of the suite in chaos.py; `make chaos` is the long one.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import chaos_bombs
import chaos_cluster
import chaos_floods
import chaos_hosts
from broker import KafkaBroker
from chaos_cases import Case, one_after_the_other
from chaos_job import Chaos
from chaos_suite import AT_LEAST_ONCE, EXACTLY_ONCE, Result, Size, Suite
from kafka_cluster import KafkaCluster

EVENTS = 40_000
SESSION_SECONDS = 2.0

PATIENT_SECONDS = 8.0
"""Where work itself takes long: the default of a worker."""

RUNS = [
    (
        AT_LEAST_ONCE,
        {"kill": 2, "zombie": 1, "flipped-bytes": 2, "broker-kill": 1, "compact": 1, "copying": 1},
    ),
    (AT_LEAST_ONCE, {"sigterm": 2}),
    (EXACTLY_ONCE, {"kill": 2, "rebalance": 2, "zombie": 1, "rolling": 3}),
    (EXACTLY_ONCE, {"full-disk": 1, "broker-freeze": 1, "parked": 1}),
]
"""Kinds of faults, and how many of each, under one load and with one comparison at the end.

SIGTERM is apart: nothing may be repeated there.
"""

COPIES_MIN = 1_000
"""So many there are of what is told at first: orders, lines and work units, items for everybody."""

SCALE = 0.05
"""Of floods: what is refused here, and what isn't bounded, shows in a part of it, rows aside."""

BOMB_SCALE = 0.25

WORKER_MB_MAX = 400
"""A bomb of a quarter's 200 MB, unpacked at once and copied once, is past it."""


def flooded(chaos: Chaos) -> None:
    """Each flood, a bomb and a thousand idle connections, one after the other."""
    chaos.scale = 1.0
    chaos_floods.flood_rows(chaos)
    chaos.scale = SCALE
    for flood in (
        chaos_floods.flood_backlog,
        chaos_floods.flood_lines,
        chaos_floods.flood_exceptions,
        chaos_floods.flood_duplicates,
        chaos_hosts.hold_connections,
    ):
        flood(chaos)
    chaos.scale = BOMB_SCALE
    chaos_bombs.drop_bombs(chaos)


FLOODED = Case("flooded", flooded, 1, 60, under_load=False)
WITHOUT_ONE_BROKER = Case("without-one-broker", chaos_cluster.freeze_one, 1, 60, brokers=3)


@pytest.fixture(scope="module")
def suite(broker_of_session: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    size = Size(EVENTS, SESSION_SECONDS, SCALE, mb_max=WORKER_MB_MAX)
    return Suite(broker_of_session, tmp_path_factory.mktemp("chaos"), size)


@pytest.fixture
def running(suite: Suite, own_broker: KafkaBroker, caplog: pytest.LogCaptureFixture) -> Suite:
    """The suite; its broker is brought back afterwards."""
    caplog.set_level(logging.CRITICAL, "aiokafka")  # brokers that are away are meant
    return suite


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("guarantee", "faults"),
    RUNS,
    ids=lambda each: "-".join(each) if isinstance(each, dict) else each,
)
def test_faults_change_nothing(running: Suite, guarantee: str, faults: Mapping[str, int]) -> None:
    check(running.run(one_after_the_other(faults), guarantee, 1))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_flood_changes_anything(running: Suite, own_broker: KafkaBroker, tmp_path: Path) -> None:
    patient = Suite(own_broker, tmp_path, replace(running.size, session_seconds=PATIENT_SECONDS))
    check(patient.run(FLOODED, AT_LEAST_ONCE, 1))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_broker_of_three_that_hangs_changes_nothing(
    running: Suite, own_cluster: KafkaCluster, tmp_path: Path
) -> None:
    of_three = Suite(own_cluster, tmp_path, replace(running.size, session_seconds=PATIENT_SECONDS))
    check(of_three.run(WITHOUT_ONE_BROKER, EXACTLY_ONCE, 1))


def check(result: Result) -> None:
    """Fail unless it came out as promised, with master data in the log."""
    assert not result.failure
    assert result.copies > COPIES_MIN
    assert result.records > EVENTS / 10
    assert result.difference.none, result.difference
    assert result.good, f"{result.repeated} records are there more than once"
    assert len(result.resumed) >= 1
