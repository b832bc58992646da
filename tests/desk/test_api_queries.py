"""Questions to the books: how long, how many at a time, and a database that is away."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select, text

from agents.desk.errors import DeskError
from agents.desk.pool import QUERIES_MAX, WAITING_MAX, Pool
from books.postgres import Postgres
from desk.desks import asked, visited
from tables.books.opening import migrate, open_books, writing
from tables.books.schema import FLOWS

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}


def endless(connection: Connection) -> Any:
    """Ask for what never ends."""
    return connection.execute(text(ENDLESS[connection.dialect.name])).scalar()


def flows(connection: Connection) -> int:
    """Count rows."""
    return connection.execute(select(func.count()).select_from(FLOWS)).scalar_one()


@pytest.fixture
async def pool(books: Engine) -> AsyncIterator[Pool]:
    made = Pool(books, seconds_max=0.3)
    yield made
    await made.close()


async def test_a_question_that_takes_too_long_is_given_up_and_the_next_is_answered(
    pool: Pool,
) -> None:
    began = time.monotonic()
    with pytest.raises(DeskError, match=r"longer than 0\.3 s") as refused:
        await pool.read(endless)
    assert refused.value.status == 503
    assert refused.value.headers()["Retry-After"]
    assert time.monotonic() - began < 5
    assert pool.errors == 0  # the database is well
    for _ in range(2 * QUERIES_MAX):
        assert await pool.read(flows) == 0


async def test_a_question_sees_one_state_of_the_books_and_changes_nothing(pool: Pool) -> None:
    row = {
        "quarter": 0, "topic": "t", "plant": "p", "line": "l", "source": "s", "outcome": "accepted",
        "records": 1, "lag": 0, "lag_max": 0,
    }  # fmt: skip
    between, written = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[int, int]:
        before = flows(connection)
        between.set()
        assert written.wait(10)
        return before, flows(connection)

    def write() -> None:
        assert between.wait(10)
        with writing(pool.engine) as connection:
            connection.execute(FLOWS.insert(), row)
        written.set()

    pool._seconds_max = 20
    asking = asyncio.ensure_future(pool.read(twice))
    await asyncio.to_thread(write)
    assert await asking == (0, 0)
    assert await pool.read(flows) == 1


async def test_more_questions_than_can_wait_are_told_to_come_back(pool: Pool) -> None:
    going = threading.Event()

    def wait() -> bool:
        return going.wait(20)

    asking = [asyncio.ensure_future(pool.run(wait)) for _ in range(QUERIES_MAX + WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(DeskError, match="wait already") as refused:
        await pool.read(flows)
    assert refused.value.status == 503
    going.set()
    assert all(await asyncio.gather(*asking))
    assert await pool.read(flows) == 0


async def test_a_pool_that_closes_waits_for_no_endless_question(sqlite_books: Engine) -> None:
    pool = Pool(sqlite_books, seconds_max=60)
    asking = asyncio.ensure_future(pool.read(endless))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await pool.close()
    assert time.monotonic() - began < 5
    with pytest.raises(DeskError):
        await asking
    with pytest.raises(DeskError, match="on its way down"):
        await pool.read(flows)


async def test_while_the_database_is_away_answers_are_503_and_then_they_are_answers_again() -> None:
    with closing(Postgres()) as postgres:
        engine = open_books(postgres.url)
        migrate(engine)
        try:
            async with visited(engine) as session:
                assert (await asked(session, "/exceptions"))[0] == 200
                await asyncio.to_thread(postgres.kill)
                for _ in range(3):
                    status, body = await asked(session, "/exceptions")
                    assert (status, body["error"]["code"]) == (503, "unavailable")
                    assert postgres.url not in str(body)
                status, body = await asked(session, "/health")
                assert (status, body["status"]) == (200, "broken")
                assert not body["database"]["reachable"]
                await asyncio.to_thread(postgres.start)
                assert (await asked(session, "/exceptions"))[0] == 200
        finally:
            engine.dispose()
