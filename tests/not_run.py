"""Tests that lack something here, and the last line that says so: none is left out in silence."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

Lacked = list[list[str]]
"""What each test lacked that didn't run."""

Key = pytest.StashKey[Lacked]
"""Each conftest.py has its own: it speaks for its tests."""

PASSED_ON: Final = "not_run"

TOLD: Final = pytest.StashKey[list[str]]()
"""What other processes didn't run."""


def skip_for_want_of(lacking: list[str], item: pytest.Item, key: Key) -> None:
    """Skip a test that lacks something, and remember what."""
    if lacking:
        item.config.stash.setdefault(key, []).append(lacking)
        pytest.skip(f"needs {' and '.join(lacking)}")


def tell(config: pytest.Config, key: Key, sentence: Callable[[Lacked], str]) -> None:
    """Say what didn't run, if anything didn't; `pytest_unconfigure` comes after the summary."""
    lacked = config.stash.get(key, [])
    if lacked and not hasattr(config, "workeroutput"):
        _say(config, sentence(lacked))


def pass_on(config: pytest.Config, key: Key, sentence: Callable[[Lacked], str]) -> None:
    """Give what didn't run to the process that reports, where several run tests side by side."""
    lacked = config.stash.get(key, [])
    if lacked and hasattr(config, "workeroutput"):
        config.workeroutput.setdefault(PASSED_ON, []).append(sentence(lacked))


def tell_passed_on(config: pytest.Config) -> None:
    """Say what didn't run in other processes."""
    for sentence in config.stash.get(TOLD, []):
        _say(config, sentence)


def take(config: pytest.Config, output: Mapping[str, Any]) -> None:
    """Take what another process has passed on."""
    config.stash.setdefault(TOLD, []).extend(output.get(PASSED_ON, []))


def _say(config: pytest.Config, sentence: str) -> None:
    config.get_terminal_writer().line(f"NOT RUN: {sentence}", yellow=True, bold=True)


def count(lacked: Lacked, what: str) -> str:
    """Return "1 test" or "2 tests"."""
    return f"1 {what}" if len(lacked) == 1 else f"{len(lacked)} {what}s"
