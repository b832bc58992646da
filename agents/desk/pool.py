"""Queries of the books in a few threads: how many at a time, and for how long."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from agents.desk.errors import DeskError

QUERIES_MAX: Final = 6
"""Queries at a time: of the connections of the books, the others are for what writes."""

WAITING_MAX: Final = 60
"""Queries that wait for one of these; more are told to ask again."""

QUERY_SECONDS_MAX: Final = 10.0
"""Of one query, then the database gives it up."""

LOST_SECONDS_MAX: Final = 45.0
"""A request is told so late that the database is away, though its thread may still wait for it:
longer than the waiting for a place and a query, and than a silent connection is kept."""

STEPS: Final = 10_000
"""Of SQLite's machine, between two looks at the clock: less than a millisecond."""

T = TypeVar("T")


class Pool:
    """A few threads that read the books, each query in a transaction of its own."""

    def __init__(self, engine: Engine, seconds_max: float = QUERY_SECONDS_MAX) -> None:
        self.engine = engine
        self.errors = 0
        """How often the database was away, or broke off."""
        self._seconds_max = seconds_max
        self._threads = ThreadPoolExecutor(QUERIES_MAX, "lineside-desk")
        self._asked = 0
        self._closed = False

    @property
    def asked(self) -> int:
        """How many queries run or wait."""
        return self._asked

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Return what a query finds, in a snapshot. Raises `DeskError`."""

        def work() -> T:
            with self._snapshot() as connection:
                return query(connection)

        return await self.run(work)

    async def run(self, work: Callable[[], T]) -> T:
        """Do what waits for the books in a thread. Raises `DeskError`."""
        if self._asked >= QUERIES_MAX + WAITING_MAX:
            raise DeskError("unavailable", f"{self._asked} questions wait already: ask again later")
        try:
            future = self._threads.submit(work)
        except RuntimeError:
            raise DeskError("unavailable", "the desk is on its way down") from None
        self._asked += 1
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), LOST_SECONDS_MAX)
        except TimeoutError:
            self.errors += 1
            raise DeskError("unavailable", "the database doesn't answer") from None
        except PoolTimeoutError:
            raise DeskError("unavailable", "all connections to the database are taken") from None
        except DBAPIError as error:
            raise self._refusal(error) from error

    def _done(self, _: object) -> None:
        self._asked -= 1

    def _refusal(self, error: DBAPIError) -> DeskError:
        """Return what the database's error means for who asked."""
        kind = type(error.orig).__name__
        if kind == "QueryCanceled" or str(error.orig) == "interrupted":
            said = f"that takes longer than {self._seconds_max:g} s: ask for less"
            return DeskError("unavailable", said)
        if kind in ("DataError", "NumericValueOutOfRange", "CharacterNotInRepertoire"):
            return DeskError("invalid", "the database can't look for such a value")
        self.errors += 1
        return DeskError("unavailable", "the database is away")

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that only reads, with a limit of time."""
        if self.engine.dialect.name == "postgresql":
            with self._on_postgres() as connection:
                yield connection
        else:
            with self._on_sqlite() as connection:
                yield connection

    @contextmanager
    def _on_postgres(self) -> Iterator[Connection]:
        engine = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        with engine.connect() as connection:
            limit = round(self._seconds_max * 1_000)
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {limit}")
            yield connection

    @contextmanager
    def _on_sqlite(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            deadline = time.monotonic() + self._seconds_max
            driver.set_progress_handler(lambda: self._closed or time.monotonic() > deadline, STEPS)
            try:
                connection.begin()
                yield connection
            finally:
                driver.set_progress_handler(None, 0)

    async def close(self) -> None:
        """Let go of the threads: what waits is dropped, SQLite stops at once."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
