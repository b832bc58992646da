"""A short run of `make desk-chaos`: desks are killed under load, and the books are exact."""

from argparse import Namespace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from books import books_of_topics
from books.books_of_topics import differences, expected_of
from books.databases import *  # noqa: F403
from clusters import Broker
from desk_chaos import run_case

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ASKED = Namespace(events=6_000, rate=1_000, faults=3, away=5.0, seed=7)


@pytest.mark.parametrize(
    ("case", "database"),
    [("kill", "sqlite"), ("two-desks", "postgresql"), ("database", "postgresql")],
)
def test_books_are_exact_whatever_dies(
    case: str, database: str, broker: Broker, tmp_path: Path
) -> None:
    result = run_case(broker, case, database, ASKED)
    assert result.differences == []
    assert result.events > 4_000


def test_a_record_that_is_missing_is_a_difference(sqlite_books: Engine) -> None:
    topics = {
        ("exceptions.v1", 0): [(0, b'{"id":"mes.events.v1/0/1"}')],
        ("mes.events.v1", 0): [
            (0, b'{"type":"x.v1","plant":"P","line":"L","source":"s","id":"1"}'),
            (1, b"{}"),
        ],
    }
    made = expected_of(topics)
    assert made.outcomes == {
        ("mes.events.v1", 0, 0): "accepted",
        ("mes.events.v1", 0, 1): "refused",
    }
    told = differences(sqlite_books, made)
    assert [each.partition(":")[0] for each in told] == ["inputs", "exceptions"]
    assert books_of_topics.SHOWN_MAX > 0
