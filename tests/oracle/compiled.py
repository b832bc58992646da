"""The compiled core for tests: whether it's there, and how to do without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

import pytest
from msgspec import Struct

from agents.partition import meter
from streams.codec import logfile
from streams.kafka import record_batches as kafka_batches
from streams.kafka import unpacking
from streams.kafka import writer as kafka_writer
from tables.line import line, windows
from tables.partition import partition, stored
from tables.store import overlay

BUILT = kafka_batches.COMPILED and partition.Folding is not None

MISSING = (
    "the compiled core isn't built: install a C compiler and Python's headers (gcc, python3-dev) "
    "and run make again, or set LINESIDE_CORE=plain to test lineside without it"
)


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


FOLDING: Final = "tests/partition/test_folding.py"

TWINS: Final = (
    Twin(partition, "Folding", None, FOLDING),
    Twin(partition, "advance", line.advance_plain, FOLDING, "closing"),
    Twin(line, "advance", line.advance_plain, FOLDING, "closing"),
    Twin(line, "close", line.close_plain, "tests/line/test_closing.py", "closing"),
    Twin(line, "row_of", line.row_of_plain, FOLDING),
    *(Twin(module, "Row", windows.PlainRow, FOLDING) for module in (line, stored, windows)),
    Twin(stored, "rows_bytes", stored.rows_bytes_plain, "tests/line/test_closing.py"),
    Twin(stored, "numbers", stored.numbers_plain, "tests/line/test_closing.py", "numbers_bytes"),
    Twin(stored, "sums_by_name", stored.sums_plain, FOLDING, "sums_bytes"),
    Twin(overlay, "lay_over", overlay.lay_over_plain, "tests/store/test_overlay.py"),
    Twin(logfile, "placed_by", logfile.placed_by_plain, "tests/codec/test_logfile.py"),
    Twin(kafka_writer, "grouped", kafka_writer.grouped_plain, "tests/log/test_blocks.py"),
    Twin(
        unpacking, "whole_records", unpacking.whole_records_plain, "tests/kafka/test_unpacking.py"
    ),
    Twin(meter, "Block", None, "tests/serve/test_metrics.py", "add_ages"),
)

WITHOUT_TWINS: Final = {
    "count_types": "used with Folding only",
    "outgoing_payload": "tests/log/test_blocks.py reads what it packs with aiokafka",
    "pairs_payload": "tests/log/test_blocks.py reads what it packs with aiokafka",
    "Block": "a way to hold records; tests/log/test_blocks.py reads them again",
    "block_from": "as Block",
    "block_of": "as Block",
}
"""Compiled names that no plain one stands beside, and what holds them."""


@contextmanager
def all_plain() -> Iterator[None]:
    """Let nothing compiled take part in what a partition does."""
    with pytest.MonkeyPatch.context() as patch:
        for twin in TWINS:
            patch.setattr(twin.module, twin.name, twin.plain)
        yield
