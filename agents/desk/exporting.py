"""Summaries as Parquet: one data set a type, decimals typed, revisions added up.

And a data set of completeness: for each minute of each line whether its watermark has passed it.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection

from streams.contract.policy import Policy, Summary
from streams.trouble import Trouble
from tables.books.asked import AskedError
from tables.books.kpi_clocks import clocks_of, moment_of
from tables.books.kpi_export import SummaryRow, summary_rows
from tables.books.kpi_masters import lines_of
from tables.books.kpi_minutes import first_window
from tables.kpi.local_time import MINUTE

COMPLETENESS: Final = "completeness"
"""The data set beside those of the summaries."""

ROWS_A_FILE: Final = 1_000_000
"""A file of so many rows is some 20 MB; a data set is as many files as it takes."""

ROWS_AT_ONCE: Final = 50_000
"""Rows that are in memory until they are written: a row group."""

DIGITS: Final = 38
PLACES: Final = 9
"""Of decimals: 29 digits before the point, 9 behind it, exactly; what DuckDB and Spark read."""

FLAGS: Final = frozenset({"planned"})
"""Members of a row that are true or false; the others are text."""


class ExportError(Trouble):
    """An export that can't be made."""


Line = tuple[str, str, int | None, int | None, int | None]
"""Plant, line, the period that is asked for, and up to when the line's summaries are complete."""


def export(
    connection: Connection,
    folder: Path,
    policy: Policy,
    zones: Mapping[str, str],
    now: int,
    plant: str | None = None,
    from_: str | None = None,
    to: str | None = None,
) -> dict[str, int]:
    """Write a folder of Parquet files for each type, and return the rows of each data set.

    A data set that is there is replaced when the new one is whole. Raises `ExportError`.
    """
    _pyarrow()
    lines = list(_lines(connection, zones, now, plant, from_, to))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ExportError(f"{folder} is no folder") from None
    written: dict[str, int] = {}
    for type_, summary in policy.summaries.items():
        rows = _rows(connection, lines, type_, summary)
        written[type_] = _write(folder, type_, _schema(summary), rows)
    written[COMPLETENESS] = _write(
        folder, COMPLETENESS, _completeness_schema(), _minutes(connection, lines, now)
    )
    return written


def _pyarrow() -> Any:
    """Return the library, which few need, and which isn't installed with lineside."""
    try:
        import_module("pyarrow.parquet")
        return import_module("pyarrow")
    except ModuleNotFoundError:
        raise ExportError(
            "pyarrow isn't installed, which writes Parquet: pip install 'lineside[parquet]'"
        ) from None


def _lines(
    connection: Connection,
    zones: Mapping[str, str],
    now: int,
    plant: str | None,
    from_: str | None,
    to: str | None,
) -> Iterator[Line]:
    clocks = clocks_of(connection, None, plant, zones, now)
    for name, clock in clocks.items():
        lines = lines_of(connection, None, name, None)
        if plant is not None and not lines:
            raise AskedError("plant", f"plant is {plant!r}: the books have no line of it")
        for line, known in lines.items():
            of = clock.clock_of(line)
            closed_to = None if known is None else known.closed_to
            yield name, line, moment_of("from", from_, of), moment_of("to", to, of), closed_to


def _rows(
    connection: Connection, lines: Iterable[Line], type_: str, summary: Summary
) -> Iterator[dict[str, Any]]:
    for plant, line, begin, end, _ in lines:
        for row in summary_rows(connection, plant, line, type_, summary, begin, end):
            yield _flat(row, summary)


def _flat(row: SummaryRow, summary: Summary) -> dict[str, Any]:
    flat: dict[str, Any] = {
        "plant": row.plant,
        "line": row.line,
        "window_start": row.window_start,
        "window_end": row.window_end,
        **row.members,
        **{name: Decimal(f"{amount}e-9") for name, amount in row.measures.items()},
    }
    if summary.inputs:
        flat["count"] = row.count
    flat["revisions"] = row.revisions
    return flat


def _minutes(connection: Connection, lines: Iterable[Line], now: int) -> Iterator[dict[str, Any]]:
    """Yield each minute of lines from the plant's first window on, and whether it is complete."""
    firsts: dict[str, int | None] = {}
    for plant, line, begin, end, closed_to in lines:
        if plant not in firsts:
            firsts[plant] = first_window(connection, plant)
        first = firsts[plant]
        if first is None or closed_to is None:
            continue
        first = first if begin is None else max(begin, first)
        last = closed_to if end is None else min(end, max(now, closed_to))
        for minute in range(first // MINUTE * MINUTE, last, MINUTE):
            complete = closed_to is not None and closed_to >= minute + MINUTE
            yield {"plant": plant, "line": line, "minute": minute, "complete": complete}


def _schema(summary: Summary) -> Any:
    pyarrow = _pyarrow()
    instant = pyarrow.timestamp("us", tz="UTC")
    columns = [
        ("plant", pyarrow.string()),
        ("line", pyarrow.string()),
        ("window_start", instant),
        ("window_end", instant),
        *((name, pyarrow.bool_() if name in FLAGS else pyarrow.string()) for name in summary.row),
        *((name, pyarrow.decimal128(DIGITS, PLACES)) for name in summary.measures),
    ]
    if summary.inputs:
        columns.append(("count", pyarrow.int64()))
    return pyarrow.schema([*columns, ("revisions", pyarrow.int32())])


def _completeness_schema() -> Any:
    pyarrow = _pyarrow()
    return pyarrow.schema(
        [
            ("plant", pyarrow.string()),
            ("line", pyarrow.string()),
            ("minute", pyarrow.timestamp("us", tz="UTC")),
            ("complete", pyarrow.bool_()),
        ]
    )


def _write(folder: Path, name: str, schema: Any, rows: Iterator[dict[str, Any]]) -> int:
    """Write a data set beside the one that is there, then put it in its place; return its rows."""
    place = folder / name
    _check_replaceable(place)
    new = folder / f".{name}.{uuid4().hex}"
    new.mkdir()
    try:
        count = _write_files(new, schema, rows)
        old = folder / f".{name}.{uuid4().hex}"
        if place.exists():
            place.rename(old)
        new.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return count


def _check_replaceable(place: Path) -> None:
    """Raise `ExportError` where something is in the place that no export has written."""
    if place.exists():
        strange = [each.name for each in place.iterdir() if not each.match("part-*.parquet")]
        if strange:
            raise ExportError(f"{place} has {strange[0]!r} in it, which no export has written")


def _write_files(folder: Path, schema: Any, rows: Iterator[dict[str, Any]]) -> int:
    pyarrow = _pyarrow()
    count = 0
    number = 0
    while number == 0 or count == number * ROWS_A_FILE:
        path = folder / f"part-{number:05d}.parquet"
        with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            left = ROWS_A_FILE
            while left and (chunk := list(islice(rows, min(left, ROWS_AT_ONCE)))):
                writer.write_table(pyarrow.Table.from_pylist(chunk, schema=schema))
                left -= len(chunk)
        count += ROWS_A_FILE - left
        number += 1
    if number > 1 and count == (number - 1) * ROWS_A_FILE:
        path.unlink()  # the last file would be empty
    return count
