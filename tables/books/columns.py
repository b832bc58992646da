"""EDGE: the columns of the books' tables, and what holds the tables together."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    MetaData,
    Text,
    text,
)

METADATA: Final = MetaData()


def words(name: str, *, needed: bool = False) -> Column[str]:
    return Column(name, Text, nullable=not needed)


def some(name: str, *columns: str) -> Index:
    """Return an index of the rows whose first column is something: most rows have no serial.

    So it is small, and its statistics say of a value what they'd otherwise say of nothing: a
    planner that takes all rows to be equal reads them all.
    """
    there = text(f"{columns[0]} IS NOT NULL")
    return Index(name, *columns, sqlite_where=there, postgresql_where=there)


def whole(name: str, *, needed: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=not needed)
