"""Tests that lack something here, and the last line that says so: none is left out in silence."""

from collections.abc import Callable

import pytest

Lacked = list[list[str]]
"""What each test lacked that didn't run."""

Key = pytest.StashKey[Lacked]
"""Each conftest.py has its own: it speaks for its tests."""


def skip_for_want_of(lacking: list[str], item: pytest.Item, key: Key) -> None:
    """Skip a test that lacks something, and remember what."""
    if lacking:
        item.config.stash.setdefault(key, []).append(lacking)
        pytest.skip(f"needs {' and '.join(lacking)}")


def tell(config: pytest.Config, key: Key, sentence: Callable[[Lacked], str]) -> None:
    """Say what didn't run, if anything didn't; `pytest_unconfigure` comes after the summary."""
    lacked = config.stash.get(key, [])
    if lacked:
        config.get_terminal_writer().line(f"NOT RUN: {sentence(lacked)}", yellow=True, bold=True)


def count(lacked: Lacked, what: str) -> str:
    """Return "1 test" or "2 tests"."""
    return f"1 {what}" if len(lacked) == 1 else f"{len(lacked)} {what}s"
