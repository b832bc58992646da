"""The books read by a command: one transaction, in which nothing changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from agents.desk.running import books_of
from agents.settings.settings import Settings
from tables.books.opening import BooksError, trouble


@contextmanager
def reading(settings: Settings) -> Iterator[Connection]:
    """Give a connection to the books that the settings name. Raises `BooksError`."""
    file = _file(settings)
    if file is not None and not file.is_file():
        raise BooksError(
            f"there are no books in {file}: a desk makes them (`lineside desk`, `lineside demo`); "
            "--database or --data-dir names others"
        )
    engine = books_of(settings)
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    try:
        with engine.connect().execution_options(**options) as connection:
            yield connection
    except DBAPIError as error:
        raise trouble(engine, error) from None
    finally:
        engine.dispose()


def _file(settings: Settings) -> Path | None:
    """Return the file of books on SQLite."""
    if not settings.database:
        return Path(settings.data_dir) / "desk.db"
    scheme, _, path = settings.database.partition(":///")
    return Path(path) if scheme == "sqlite" else None
