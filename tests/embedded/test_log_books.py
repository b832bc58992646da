"""The keeper of the books on the embedded log."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, func, select, text

from agents.keep_books import Progress, keep_books
from books.databases import *  # noqa: F403
from books.filled import contents, fill, job_over
from books.keeping import a_job, append, has_all, keep, opened, process
from books.postgres import drop_database, new_database
from logs import random_log
from streams.contract.policy import default_policy
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, INPUTS, MES_EVENTS
from streams.embedded.books import LogBooks
from streams.embedded.transport import Broker
from tables.books.opening import migrate, open_books
from tables.books.positions import positions
from tables.books.schema import INPUTS as TABLE

KILLS = 20


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = opened(tmp_path)
    yield broker
    broker.log.close()


@pytest.fixture
def expected(tmp_path: Path) -> Iterator[Engine]:
    """Books that are filled by hand."""
    engine = open_books(f"sqlite:///{tmp_path}/expected.db")
    migrate(engine)
    yield engine
    engine.dispose()


async def test_the_books_have_what_the_log_has(
    broker: Broker, books: Engine, expected: Engine
) -> None:
    job = job_over(random_log(51, 300), 2)
    append(broker, job, Random(51))
    process(broker)
    progress = await keep(broker, books)
    fill(expected, job)
    assert contents(books) == contents(expected)
    assert progress.stopped == {}
    assert progress.missed == progress.unread == 0
    assert progress.trouble is None
    assert progress.changes > 0


async def test_inputs_are_read_no_further_than_the_job_has_processed_them(
    broker: Broker, sqlite_books: Engine, expected: Engine
) -> None:
    job = job_over(random_log(52, 200), 2)
    append(broker, job)
    ends = {
        (topic, n): broker.log.partition(topic, n).end_offset for topic in INPUTS for n in (0, 1)
    }
    halves = {at: end // 2 for at, end in ends.items()}
    process(broker, halves)
    await keep(broker, sqlite_books)
    with sqlite_books.connect() as connection:
        read = {at: offset for at, offset in positions(connection).items() if at[0] in INPUTS}
        last = connection.execute(
            select(func.max(TABLE.c.position)).where(
                TABLE.c.topic == MES_EVENTS, TABLE.c.number == 0
            )
        ).scalar()
    assert read == {at: half for at, half in halves.items() if half}
    assert last is None or last < halves[MES_EVENTS, 0]
    process(broker)
    await keep(broker, sqlite_books)
    fill(expected, job)
    assert contents(sqlite_books) == contents(expected)


async def test_the_books_grow_with_the_log(
    broker: Broker, sqlite_books: Engine, expected: Engine
) -> None:
    """What arrives while the keeper runs; and what the page waits for is told."""
    job, progress = job_over(random_log(53, 200), 2), Progress()
    task = asyncio.ensure_future(
        keep_books(LogBooks(broker), sqlite_books, progress, default_policy(), settle_seconds=0)()
    )
    seen = await progress.changed(0, 0.01)
    rng = Random(53)
    for at in sorted(job.topics):
        if at[0] not in INPUTS:
            own = job.topics[at]
            while own[broker.log.partition(*at).end_offset :]:
                end = broker.log.partition(*at).end_offset
                part = own[end : end + rng.randint(1, 60)]
                broker.append(
                    *at, [(one.timestamp, one.key, one.value, one.headers) for one in part]
                )
                await asyncio.sleep(0)
    append(broker, job)
    process(broker)
    broker.wake()
    async with asyncio.timeout(60):
        seen = await progress.changed(seen, 40)
        assert seen > 0
    await has_all(broker, sqlite_books, task)
    task.cancel()
    await asyncio.wait([task])
    fill(expected, job)
    assert contents(sqlite_books) == contents(expected)


async def test_two_keepers_at_once_double_nothing(
    broker: Broker, books: Engine, expected: Engine
) -> None:
    job = job_over(random_log(54, 200), 2)
    append(broker, job)
    process(broker)
    await asyncio.gather(keep(broker, books), keep(broker, books))
    fill(expected, job)
    assert contents(books) == contents(expected)


async def test_a_topic_that_was_made_anew_is_told_and_not_read(
    broker: Broker, sqlite_books: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    at = ERP_TRANSACTIONS, 0
    broker.append(*at, [(None, b"k", b"{}", ())] * 5)
    end = 5
    await keep(broker, sqlite_books)
    with sqlite_books.begin() as connection:
        connection.execute(text("UPDATE offsets SET next_offset = 12"))
    progress = await keep(broker, sqlite_books)
    assert set(progress.stopped) == {at}
    assert f"ends at {end}, and the books have read it up to {end + 7}" in progress.stopped[at]
    assert "desk rebuild" in caplog.text


async def test_records_that_went_before_they_were_read_are_counted(
    broker: Broker, sqlite_books: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streams.embedded import log as module

    monkeypatch.setattr(module, "SEGMENT_BYTES", 1_000)
    monkeypatch.setattr(module, "RETENTION_BYTES", 3_000)
    entries = [(None, b"k", b'{"n":%d}' % n, ()) for n in range(20)]
    at = EXCEPTIONS, 1
    broker.append(*at, entries)
    await keep(broker, sqlite_books)
    broker.log.partition(*at).needed_from = None
    for _ in range(30):
        broker.append(*at, entries)
    start = broker.log.partition(*at).start_offset
    assert start > 20
    progress = await keep(broker, sqlite_books)
    assert progress.missed == start - 20


async def test_the_log_keeps_outputs_until_the_books_have_them(
    broker: Broker, sqlite_books: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streams.embedded import log as module

    monkeypatch.setattr(module, "SEGMENT_BYTES", 1_000)
    monkeypatch.setattr(module, "RETENTION_BYTES", 3_000)
    LogBooks(broker)
    entries = [(None, b"k", b'{"n":%d}' % n, ()) for n in range(20)]
    for _ in range(30):
        broker.append(EXCEPTIONS, 1, entries)
    assert broker.log.partition(EXCEPTIONS, 1).start_offset == 0
    await keep(broker, sqlite_books)
    for _ in range(10):
        broker.append(EXCEPTIONS, 1, entries)
    assert broker.log.partition(EXCEPTIONS, 1).start_offset > 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_keeper_that_is_killed_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path, kind: str, expected: Engine
) -> None:
    job = a_job()
    broker = opened(tmp_path)
    append(broker, job, Random(1))
    broker.log.close()
    url = f"sqlite:///{tmp_path}/desk.db" if kind == "sqlite" else new_database()
    program = "from books.keeping import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), url, str(KILLS)],
        capture_output=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        text=True,
    )
    ended = done.stdout.split()
    assert len(ended) == KILLS + 1, done.stderr
    assert ended[-1] == "0", done.stderr
    assert ended.count("-9") >= KILLS // 4
    engine = open_books(url)
    fill(expected, job)
    assert contents(engine) == contents(expected)
    engine.dispose()
    if kind == "postgresql":
        drop_database(url)
