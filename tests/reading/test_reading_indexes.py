"""No query reads a whole table of records: each is answered by an index, on either database."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from reading.questions import QUESTIONS, Question
from reading.worlds import ALL, DE02, at, happened
from runs import confirmed
from tables.books.opening import migrate, open_books

MAY_SCAN_NOTHING_ELSE = re.compile(r"SCAN (?:inputs|transactions|summaries|sums)\b(?! USING)")


WHOLE_LINE = re.compile(r"USING INDEX (?:inputs|transactions)_line \(plant=\?(?: AND line=\?)?\)")
"""All rows of a line, of which few are wanted."""


@contextmanager
def _statements(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def _plans(connection: Connection, statement: str, parameters: Any, how: str) -> list[str]:
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor()
    cursor.execute(f"{how} {statement}", parameters)
    plans = [" ".join(map(str, row)) for row in cursor.fetchall()]
    cursor.close()
    return plans


@pytest.mark.parametrize("question", QUESTIONS, ids=[each.name for each in QUESTIONS])
def test_sqlite_answers_by_an_index(indexed: Engine, question: Question) -> None:
    for plants in (ALL, DE02):
        with _statements(indexed) as statements, indexed.connect() as connection:
            question.answered(connection, plants, at(1_000))
            for statement, parameters in list(statements):
                for plan in _plans(connection, statement, parameters, "EXPLAIN QUERY PLAN"):
                    assert not MAY_SCAN_NOTHING_ELSE.search(plan), (plan, statement)
                    assert not WHOLE_LINE.search(plan), (plan, statement)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Books with some events; what a planner takes without statistics is that tables are large."""
    engine = open_books(f"sqlite:///{tmp_path_factory.mktemp('indexed')}/desk.db")
    migrate(engine)
    happened(engine, *(confirmed(n, "1", id=f"p{n}", plant="DE02", line="X2") for n in range(99)))
    yield engine
    engine.dispose()


def test_postgresql_answers_by_an_index(postgres_books: Engine) -> None:
    happened(postgres_books, confirmed(10, "1", id="p1", plant="DE02", line="X2"))
    scanned = re.compile(r"Seq Scan on (?:inputs|transactions|summaries)")
    for question in QUESTIONS:
        with _statements(postgres_books) as statements, postgres_books.connect() as connection:
            question.answered(connection, ALL, at(1_000))
            connection.execute(text("SET LOCAL enable_seqscan TO off"))
            for statement, parameters in list(statements):
                for plan in _plans(connection, statement, parameters, "EXPLAIN"):
                    assert not scanned.search(plan), (question.name, plan, statement)
