"""From events to records and back, on what the job really makes of random logs."""

import json
from collections import defaultdict
from typing import Any

import pytest
from sqlalchemy import Engine, RowMapping, select

from books.filled import fill
from logs import random_log
from reading.worlds import RULES, job_of
from runs import new_task, placed, watched
from streams.contract.topics import ERP_TRANSACTIONS
from tables.books import causes, event_traces, parked, shown
from tables.books.schema import INPUTS

Place = tuple[str, int, int]

NOW = 1_795_900_000_000_000


def _events(engine: Engine) -> list[RowMapping]:
    with engine.connect() as connection:
        wanted = select(*shown.EVENT_COLUMNS).where(INPUTS.c.outcome == "accepted")
        return list(connection.execute(wanted).mappings())


def _traced(engine: Engine) -> dict[Place, dict[str, Any]]:
    rows = _events(engine)
    with engine.connect() as connection:
        found = event_traces.traces(connection, None, rows, RULES, NOW)
    return {(each["topic"], each["partition"], each["offset"]): each for each in found}


@pytest.mark.parametrize("seed", [1, 3, 6, 9])
def test_events_and_records_find_each_other(sqlite_books: Engine, seed: int) -> None:
    job = job_of(random_log(seed, 250), 2, close=seed % 2 == 0)
    fill(sqlite_books, job)
    traced = _traced(sqlite_books)
    became = {
        at: {one["transaction"]["id"] for one in each["became"]} for at, each in traced.items()
    }
    by_name: defaultdict[tuple[str, str, str], list[Place]] = defaultdict(list)
    for at, each in traced.items():
        by_name[each["plant"], each["line"], each["id"]].append(at)
    records = {
        record["id"]: record
        for (topic, _), left in job.topics.items()
        if topic == ERP_TRANSACTIONS
        for record in (json.loads(one.value or b"") for one in left)
    }
    for key, record in records.items():
        for cause in record["data"]["causes"]:
            # One of the events of that id knows it: ids are of one source, and logs have several.
            places = by_name[record["plant"], record["line"], cause]
            assert any(key in became[at] for at in places), (key, cause)
    with sqlite_books.connect() as connection:
        for row in connection.execute(select(*shown.TRANSACTION_COLUMNS)).mappings():
            found = causes.events_of(connection, row, RULES)
            named = records[row["id"]]["data"]["causes"]
            assert {each["event_id"] for each in found} >= set(named), row["id"]


@pytest.mark.parametrize("seed", [4, 7, 10])
def test_what_left_nothing_waits_for_nothing_but_what_is_open(
    sqlite_books: Engine, seed: int
) -> None:
    # With all windows closed nothing waits but what is parked: what is said to wait for the books
    # would be a record that is missing.
    job = job_of(random_log(seed, 250), close=True)
    fill(sqlite_books, job)
    waiting = [each for each in _traced(sqlite_books).values() if each["waits_for"] is not None]
    assert [each for each in waiting if each["waits_for"]["what"] == "books"] == []


@pytest.mark.parametrize("seed", range(4, 10))
def test_what_is_parked_is_what_the_job_has_parked(sqlite_books: Engine, seed: int) -> None:
    lines = random_log(seed, 400)
    expected = 0
    for at, records in placed(lines, 2).items():
        task = new_task(at)
        for _ in watched(task, records):
            pass
        expected += task.parking.count
    fill(sqlite_books, job_of(lines, 2))
    with sqlite_books.connect() as connection:
        found = parked.parked_events(connection, None, RULES)
    assert len(found) == expected
