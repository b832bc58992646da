"""The compiled core for tests: whether it's there, and how to do without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

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


@contextmanager
def all_plain() -> Iterator[None]:
    """Let nothing compiled take part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition, "Folding", None)
        patch.setattr(partition, "advance", line.advance_plain)
        patch.setattr(line, "advance", line.advance_plain)
        patch.setattr(line, "close", line.close_plain)
        patch.setattr(line, "row_of", line.row_of_plain)
        for module in (line, stored, windows):
            patch.setattr(module, "Row", windows.PlainRow)
        patch.setattr(stored, "rows_bytes", stored.rows_bytes_plain)
        patch.setattr(stored, "numbers", stored.numbers_plain)
        patch.setattr(stored, "sums_by_name", stored.sums_plain)
        patch.setattr(overlay, "lay_over", overlay.lay_over_plain)
        patch.setattr(logfile, "placed_by", logfile.placed_by_plain)
        patch.setattr(kafka_writer, "grouped", kafka_writer.grouped_plain)
        patch.setattr(unpacking, "whole_records", unpacking.whole_records_plain)
        yield
