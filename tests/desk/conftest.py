"""The books of the desk's tests: empty on each database, and filled by a factory's job."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from books.databases import *  # noqa: F403
from desk.filled import fill
from tables.books.opening import open_books


@pytest.fixture(scope="session")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with books that a job has filled; tests that write take a copy."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder)
    return folder / "desk.db"


@pytest.fixture(scope="session")
def filled(filled_file: Path) -> Iterator[Engine]:
    """Those books, to be read."""
    engine = open_books(f"sqlite:///{filled_file}")
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_filled(
    postgres_books: Engine, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    """Books on PostgreSQL that such a job has filled."""
    fill(tmp_path_factory.mktemp("filled-on-postgres"), postgres_url)
    return postgres_books
