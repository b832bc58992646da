"""The compiled core for tests: whether it's there, and how to do without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from msgspec import Struct

from agents.partition import meter
from streams.codec import logfile
from streams.core import WITH_SOURCES, core_of
from streams.kafka import unpacking
from streams.kafka import writer as kafka_writer
from tables.store import overlay

BUILT = core_of().name == "compiled"

MISSING = (
    "the compiled core isn't built: install a C compiler and Python's headers (gcc, python3-dev) "
    "and run make again, or set LINESIDE_CORE=plain to test lineside without it"
)


def changed_since_built() -> list[str]:
    """Return the sources that are newer than what was compiled of them: tests would pass it by."""
    changed = []
    for name in WITH_SOURCES:
        built = Path(import_module(name).__file__ or "")
        stem = built.parent / built.name.partition(".")[0]
        own = stem.with_suffix(".pyx")
        sources = own if own.exists() else stem.with_suffix(".py"), stem.with_suffix(".pxd")
        changed += [
            f"{source.parent.name}/{source.name}"
            for source in sources
            if built.suffix != ".py" and source.stat().st_mtime > built.stat().st_mtime
        ]
    return changed


def needs_core() -> None:
    """Fail where the core should have been built; skip where somebody asked to do without."""
    if not BUILT:
        if os.environ.get("LINESIDE_CORE") == "plain":
            pytest.skip("LINESIDE_CORE=plain: lineside is tested without its compiled core")
        pytest.fail(MISSING)


class Twin(Struct, frozen=True):
    """A compiled name, what stands in its place without it, and the test that holds them equal."""

    module: ModuleType
    """Where it is used."""
    name: str
    plain: Any
    test: str
    source: str = ""
    """What is imported, where that has another name."""


TWINS: Final = (
    Twin(overlay, "lay_over", overlay.lay_over_plain, "tests/store/test_overlay.py"),
    Twin(logfile, "placed_by", logfile.placed_by_plain, "tests/codec/test_logfile.py"),
    Twin(kafka_writer, "grouped", kafka_writer.grouped_plain, "tests/log/test_blocks.py"),
    Twin(
        unpacking, "whole_records", unpacking.whole_records_plain, "tests/kafka/test_unpacking.py"
    ),
    Twin(meter, "Block", None, "tests/serve/test_metrics.py", "add_ages"),
)

WITHOUT_TWINS: Final = {
    "outgoing_payload": "tests/log/test_blocks.py reads what it packs with aiokafka",
    "pairs_payload": "tests/log/test_blocks.py reads what it packs with aiokafka",
    "Block": "a way to hold records; tests/log/test_blocks.py reads them again",
    "block_from": "as Block",
    "block_of": "as Block",
}
"""Compiled names that no plain one stands beside, and what holds them."""


@contextmanager
def all_plain() -> Iterator[None]:
    """Let nothing take part that has plain code in its place; what has a source stays compiled."""
    with pytest.MonkeyPatch.context() as patch:
        for twin in TWINS:
            patch.setattr(twin.module, twin.name, twin.plain)
        yield
