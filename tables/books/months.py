"""EDGE: the partitions of the large tables on PostgreSQL: one for each month, made ahead."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from sqlalchemy import Connection, Table

from streams.values import instant
from tables.books.schema import METADATA

AHEAD: Final = 2
"""Months that are made before they begin: a desk that is down for weeks finds the next one made."""

MONTHS_MAX: Final = 120
"""Partitions of a table: each query that names no day looks into all; what is older lies in the
rest, and goes row by row."""

_EPOCH: Final = date(1970, 1, 1)


def monthly_tables(dialect: str) -> list[Table]:
    """Return the tables that have partitions: none on SQLite."""
    if dialect != "postgresql":
        return []
    return [
        table
        for table in METADATA.sorted_tables
        if table.dialect_options["postgresql"].get("partition_by")
    ]


def make_months(connection: Connection, table: Table, now: int, days: int) -> None:
    """Make what is missing of a table's partitions from `days` ago on; `now` in microseconds."""
    there = partitions_of(connection, table)
    for first, end, name in months(table, now, days):
        if name not in there:
            _make(connection, table, name, first, end)


def months(table: Table, now: int, days: int) -> Iterator[tuple[int, int, str]]:
    """Yield (first day, day after the last, name) of each month that is kept apart."""
    today = date.fromisoformat(instant.date(now))
    oldest = today.toordinal() - days
    first = date(today.year, today.month, 1)
    for _ in range(AHEAD):
        first = _next(first)
    for _ in range(MONTHS_MAX):
        end = _next(first)
        if end.toordinal() <= oldest:
            return
        yield _day(first), _day(end), f"{table.name}_{first:%Y_%m}"
        first = date(first.year - (first.month == 1), (first.month - 2) % 12 + 1, 1)


def partitions_of(connection: Connection, table: Table) -> dict[str, int]:
    """Return the day after the last of each month of a table, by the partition's name."""
    rows = connection.exec_driver_sql(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass(%s)",
        (f'"{table.name}"',),
    )
    found = {}
    for name in rows.scalars():
        year, _, month = name.removeprefix(f"{table.name}_").partition("_")
        if year.isdigit() and month.isdigit():
            found[name] = _day(_next(date(int(year), int(month), 1)))
    return found


def _make(connection: Connection, table: Table, name: str, first: int, end: int) -> None:
    """Make a partition; what the rest has of its days moves there."""
    rest, within = f"{table.name}_rest", f"day >= {first} AND day < {end}"
    run = connection.exec_driver_sql
    run(f'LOCK TABLE "{table.name}" IN SHARE ROW EXCLUSIVE MODE')
    moved = run(f"SELECT EXISTS (SELECT FROM {rest} WHERE {within})").scalar()  # noqa: S608  # nosec
    if moved:
        run(f"CREATE TEMP TABLE moved ON COMMIT DROP AS SELECT * FROM {rest} WHERE {within}")  # noqa: S608  # nosec
        run(f"DELETE FROM {rest} WHERE {within}")  # noqa: S608  # nosec
    run(
        f'CREATE TABLE IF NOT EXISTS {name} PARTITION OF "{table.name}" '
        f"FOR VALUES FROM ({first}) TO ({end})"
    )
    if moved:
        run(f'INSERT INTO "{table.name}" SELECT * FROM moved')  # noqa: S608  # nosec
        run("DROP TABLE moved")


def _next(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _day(of: date) -> int:
    return (of - _EPOCH).days
