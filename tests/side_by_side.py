"""How `make test` divides the tests between its processes, and what becomes of one that dies."""

import os
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

KAFKA: Final = "kafka"
"""A folder whose tests one process runs, one after the other: they share a broker."""

WHOLE: Final = f"{KAFKA}/all"
"""What stands for its files where there is one broker for all: nobody can help with them."""

LONGEST: Final = ("test_chaos.py", "test_frozen.py", "test_upgrades.py", "test_growing.py")
"""Of that folder, and first: what is under load has no other broker beside it, then."""

DIED: Final = pytest.StashKey[list[str]]()
"""Processes that ended before they should."""


class SideBySide:
    """A plugin for the process that hands out tests."""

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> "Scheduler":
        return Scheduler(config, log)

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Note a process that died; what it was running has failed, or it was between two tests."""
        if error:
            node.config.stash.setdefault(DIED, []).append(f"{node.gateway.id}: {error}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail where a process died, even if each of the tests has passed."""
        if session.config.stash.get(DIED, []) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        for died in config.stash.get(DIED, []):
            terminalreporter.write_line(f"DIED: a process of tests, {died}", red=True, bold=True)


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
    """Gives files whole: Kafka's to the first process, and to the others what isn't Kafka's.

    A process takes a file when it is nearly done with what it has. One that finds none of its own
    kind any more helps with the other kind: with Kafka's, it starts a broker of its own, unless
    LINESIDE_TEST_BROKER names one.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._with_kafka: Any = None
        """The process that has Kafka's tests."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        shared = "LINESIDE_TEST_BROKER" in os.environ and is_kafkas(PurePosixPath(file))
        return WHOLE if shared else file

    def _assign_work_unit(self, node: Any) -> None:
        if self._with_kafka is None:
            self._with_kafka = node
        with_kafka = node is self._with_kafka
        own = (file for file in self.workqueue if is_kafkas(PurePosixPath(file)) == with_kafka)
        self.workqueue.move_to_end(next(own, next(iter(self.workqueue))), last=False)
        super()._assign_work_unit(node)

    def remove_node(self, node: Any) -> str | None:
        """Return the test that a process died of; it isn't given to the next one."""
        if node is self._with_kafka:
            self._with_kafka = None
        own = self.assigned_work[node].values()
        crashed = next((name for tests in own for name, done in tests.items() if not done), None)
        for tests in own:
            if crashed in tests:
                tests[crashed] = True
        super().remove_node(node)
        return crashed


def is_kafkas(file: PurePosixPath) -> bool:
    """Return whether a file's tests are Kafka's."""
    return KAFKA in file.parent.parts


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests with Kafka's first, and of those the longest."""

    def place(item: pytest.Item) -> int:
        if not is_kafkas(PurePosixPath(item.path)):
            return len(LONGEST) + 1
        name = item.path.name
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    return sorted(items, key=place)
