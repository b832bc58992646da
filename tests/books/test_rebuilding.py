"""Books that are made anew are as they were, and running keepers don't mind."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agents.desk import rebuilding
from agents.keep_books import Progress, keep_books
from books.filled import contents, job_over
from books.keeping import append, caught_up, has_all, keep, opened, process
from logs import random_log
from streams.contract.policy import default_policy
from streams.embedded.books import LogBooks
from streams.embedded.transport import Broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = opened(tmp_path)
    yield broker
    broker.log.close()


async def test_a_rebuild_gives_the_same_books(books: Engine, broker: Broker) -> None:
    append(broker, job_over(random_log(61, 200), 2))
    process(broker)
    await keep(broker, books)
    before = contents(books)
    rebuilding.rebuild(books)
    assert not any(contents(books).values())
    await keep(broker, books)
    assert contents(books) == before


async def test_a_rebuild_beside_a_running_keeper_gives_the_same_books(
    books: Engine, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "TELL_SECONDS", 0.05)
    append(broker, job_over(random_log(62, 200), 2))
    process(broker)
    progress, said = Progress(), list[str]()
    task = asyncio.ensure_future(
        keep_books(LogBooks(broker), books, progress, default_policy(), settle_seconds=0)()
    )
    await caught_up(progress, task)
    before = contents(books)
    for _ in range(5):
        await asyncio.to_thread(rebuilding.rebuild, books)
        await asyncio.sleep(0.03)
    assert await asyncio.to_thread(rebuilding.wait_rebuilt, books, said.append)
    await has_all(broker, books, task)
    task.cancel()
    await asyncio.wait([task])
    assert contents(books) == before
    assert said == [] or "the books are full again" in said[-1]


async def test_a_rebuild_that_nobody_reads_for_says_so(
    sqlite_books: Engine, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "TELL_SECONDS", 0.01)
    monkeypatch.setattr(rebuilding, "STILL_SECONDS", 0.1)
    append(broker, job_over(random_log(63, 100), 2))
    process(broker)
    await keep(broker, sqlite_books)
    rebuilding.rebuild(sqlite_books)
    said = list[str]()
    assert not rebuilding.wait_rebuilt(sqlite_books, said.append)
    assert said[-1].startswith("no desk has read anything")


async def test_a_rebuild_beside_writers_of_every_partition(
    sqlite_books: Engine, broker: Broker
) -> None:
    """The books are emptied again and again while they are filled."""
    append(broker, job_over(random_log(64, 200), 2))
    process(broker)
    ended = threading.Event()

    def empty() -> None:
        while not ended.wait(0.05):
            rebuilding.rebuild(sqlite_books)

    thread = threading.Thread(target=empty)
    progress = Progress()
    task = asyncio.ensure_future(
        keep_books(LogBooks(broker), sqlite_books, progress, default_policy(), settle_seconds=0)()
    )
    thread.start()
    await asyncio.sleep(1.0)
    ended.set()
    await asyncio.to_thread(thread.join)
    await has_all(broker, sqlite_books, task)
    task.cancel()
    await asyncio.wait([task])
    found = contents(sqlite_books)
    rebuilding.rebuild(sqlite_books)
    await keep(broker, sqlite_books)
    assert contents(sqlite_books) == found
