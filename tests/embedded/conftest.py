"""Lets the tests of this folder import its helpers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from workers import Case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A simulated log, and what has to leave for it."""
    return Case(tmp_path_factory.mktemp("case"))
