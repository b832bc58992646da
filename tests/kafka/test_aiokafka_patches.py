"""What is replaced of aiokafka's: each name is there, in the version that is pinned, and replaced."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

from streams.kafka import aiokafka_patches, cluster
from streams.kafka.aiokafka_patches import PATCHES, VERSION, Patch

ROOT = Path(__file__).parent.parent.parent

ASK = """
import json, sys
from pkgutil import resolve_name
asked = json.loads(sys.argv[1])
print(json.dumps([hasattr(resolve_name(where), name) for where, name in asked]))
"""

MADE = re.compile(r"\bAIOKafka(?:Client|Consumer|Producer|AdminClient)\(")


def test_every_name_is_there_in_the_aiokafka_that_is_installed() -> None:
    # In another process: in this one they are replaced already.
    asked = [(patch.where, patch.name) for patch in PATCHES]
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(asked)], capture_output=True, text=True, check=True
    )
    there = json.loads(done.stdout)
    assert len(set(asked)) == len(there)
    for patch, found in zip(PATCHES, there, strict=True):
        assert found is not patch.added, f"{patch.where}.{patch.name}"


def test_the_version_is_the_one_that_is_pinned() -> None:
    assert importlib.metadata.version("aiokafka") == VERSION
    assert f"\naiokafka=={VERSION} " in (ROOT / "requirements.lock").read_text("utf-8")
    major, minor, _ = map(int, VERSION.split("."))
    pinned = f'>={major}.{minor},<{major}.{minor + 1}",'
    assert re.search(rf'"aiokafka\[.*\]{pinned}', (ROOT / "pyproject.toml").read_text("utf-8"))


def test_whoever_makes_a_client_has_them_replaced() -> None:
    for patch in PATCHES:
        assert getattr(resolve_name(patch.where), patch.name) is patch.ours, patch.name
    makers = [
        path
        for folder in ("streams", "tables", "agents")
        for path in (ROOT / folder).rglob("*.py")
        if MADE.search(path.read_text("utf-8"))
    ]
    assert makers == [Path(cluster.__file__)]


def test_each_says_why() -> None:
    for patch in PATCHES:
        assert re.fullmatch(r"[A-Za-z].{30,}\.", patch.why), patch.name


def test_a_name_that_aiokafka_has_no_more_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Patch(where="aiokafka.client", name="create_connection", ours=None, why="It was there.")
    monkeypatch.setattr(aiokafka_patches, "PATCHES", (gone,))
    with pytest.raises(AttributeError, match="create_connection"):
        aiokafka_patches.apply()
