"""Books are opened and migrated; what can't be is said in a sentence without a password."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from books.postgres import drop_database, new_database
from streams.secret import Secret
from tables.books.opening import BooksError, migrate, open_books, shown, writing
from tables.books.schema import METADATA


def test_the_migrations_make_the_schema(books: Engine) -> None:
    with books.connect() as connection:
        found = compare_metadata(
            MigrationContext.configure(
                connection,
                opts={
                    "include_name": lambda name, type_, _: (
                        type_ != "table" or name in METADATA.tables
                    )
                },
            ),
            METADATA,
        )
    assert found == []


def test_migrating_again_changes_nothing(books: Engine) -> None:
    migrate(books)
    migrate(books)
    assert set(METADATA.tables) <= set(inspect(books).get_table_names())


def test_two_that_start_at_once_both_find_the_schema_made(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/new/desk.db", new_database()):
        engines = [open_books(url) for _ in range(4)]
        problems: list[BaseException] = []

        def run(engine: Engine, problems: list[BaseException] = problems) -> None:
            try:
                migrate(engine)
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=run, args=(engine,)) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for engine in engines:
            engine.dispose()
        assert problems == []
        if url.startswith("postgresql"):
            drop_database(url)


def test_books_of_a_newer_version_are_left_alone(books: Engine) -> None:
    with writing(books) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(BooksError, match="newer version of lineside"):
            migrate(books)
    finally:
        with writing(books) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:hidden@host/db", "begins with 'mysql'"),
        ("nonsense hidden", "can't be read"),
        ("sqlite://", "names no file"),
        ("postgresql://me:hidden@host", "names no database"),
    ],
)
def test_a_url_that_cannot_be_is_refused_and_not_shown(url: str, said: str) -> None:
    with pytest.raises(BooksError, match=said) as raised:
        open_books(url)
    assert "hidden" not in str(raised.value)


def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("secret2\n")
    for password in (None, Secret(f"file:{word}")):
        engine = open_books("postgresql://me:secret1@127.0.0.1:1/books", password)
        with pytest.raises(BooksError, match=r"me:\*\*\*@127.0.0.1:1/books is away") as raised:
            migrate(engine)
        assert "secret" not in str(raised.value)
        assert "secret" not in shown(engine)
        engine.dispose()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "desk.db").write_text("no database " * 100)
    engine = open_books(f"sqlite:///{tmp_path}/desk.db")
    with pytest.raises(BooksError, match="file is not a database"):
        migrate(engine)
    engine.dispose()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BooksError, match="can't be made"):
        open_books(f"sqlite:///{tmp_path}/file/books/desk.db")


def test_a_writer_waits_for_a_writer(books: Engine) -> None:
    """Two transactions that read and then write one row come one after the other."""
    with writing(books) as connection:
        connection.execute(
            text("INSERT INTO offsets (topic, number, next_offset, noted_at) VALUES ('t', 0, 0, 0)")
        )

    def add() -> None:
        for _ in range(25):
            with writing(books) as connection:
                connection.execute(text("UPDATE offsets SET next_offset = next_offset + 1"))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with books.connect() as connection:
        assert connection.execute(text("SELECT next_offset FROM offsets")).scalar() == 100
