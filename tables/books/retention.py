"""EDGE: what the books forget: records after so many days, sums after three times as many."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    delete,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.exc import OperationalError

from streams.values import instant
from streams.values.instant import date
from tables.books.emptying import BUSY, LOCK_MS
from tables.books.inserting import parts
from tables.books.months import make_months, monthly_tables, partitions_of
from tables.books.opening import writing
from tables.books.schema import (
    ACCEPTED,
    ACTS,
    DOUBLES,
    EXCEPTIONS,
    FLOWS,
    INPUTS,
    OPERATIONS,
    POSTED,
    STOPS,
    SUMMARIES,
    SUMS,
    TRANSACTIONS,
)

SLICE: Final = 2_000
"""Rows that go in one transaction: what writes waits for it, some 50 ms."""

SUMS_TIMES: Final = 3
"""Sums stay so many times as long: they are small, and a year is compared with the one before."""

OPEN: Final = ("open", "asked", "resent")
"""Exceptions with which nothing is settled stay, however old."""


def keep_for(engine: Engine, days: int, now: int, more: Callable[[], bool]) -> int:
    """Delete what is older, and make the partitions of months to come; return how many rows went.

    `now` is in microseconds. `more` is asked before each slice whether to go on: the rest goes the
    next time. What went with a whole partition isn't counted.
    """
    oldest = now - days * instant.DAY
    for table in monthly_tables(engine.dialect.name):
        _alone(engine, partial(make_months, table=table, now=now, days=days))
        _alone(engine, partial(_drop_months, table=table, oldest=oldest))
    gone = 0
    for table, condition in _old(oldest, now - days * SUMS_TIMES * instant.DAY):
        keys = [table.c[column.name] for column in table.primary_key]
        found: Sequence[Any] = ()
        while more():
            with writing(engine) as connection:
                found = connection.execute(select(*keys).where(condition).limit(SLICE)).all()
                for part in parts(map(tuple, found)):
                    connection.execute(delete(table).where(tuple_(*keys).in_(part)))
            gone += len(found)
            if len(found) < SLICE:
                break
    return gone


def _old(oldest: int, oldest_sum: int) -> list[tuple[Table, ColumnElement[bool]]]:
    """Return what goes: records that are older than `oldest`, sums that are than `oldest_sum`.

    A record stays, too, while it was written lately: it may come twice yet, and would be added up
    again.
    """
    day = oldest // instant.DAY
    inputs, acts, exceptions = INPUTS.c, ACTS.c, EXCEPTIONS.c
    kept = select(exceptions.id).where(exceptions.id == acts.subject)
    return [
        (INPUTS, or_(and_(inputs.day > 0, inputs.day < day),
                     and_(inputs.day == 0, inputs.happened_at < oldest))),
        (TRANSACTIONS, and_(TRANSACTIONS.c.day < day, TRANSACTIONS.c.written_at < oldest)),
        (SUMMARIES, and_(SUMMARIES.c.day < day, SUMMARIES.c.written_at < oldest)),
        (EXCEPTIONS, and_(exceptions.raised_at < oldest, exceptions.status.not_in(OPEN))),
        (ACTS, and_(acts.at < oldest, ~kept.exists())),
        (DOUBLES, DOUBLES.c.noted_at < oldest),
        (STOPS, func.coalesce(STOPS.c.ended_at, STOPS.c.started_at) < oldest),
        *((table, and_(table.c.quarter > 0, table.c.quarter < oldest_sum))
          for table in (SUMS, ACCEPTED, FLOWS, OPERATIONS)),
        (POSTED, and_(POSTED.c.posting_date != "", POSTED.c.posting_date < date(oldest_sum))),
    ]  # fmt: skip


def _drop_months(connection: Connection, table: Table, oldest: int) -> None:
    """Drop the partitions whose days are all older, and in which nothing was written lately."""
    written = "arrived_at" if table is INPUTS else "written_at"
    for name, end in partitions_of(connection, table).items():
        if end > oldest // instant.DAY:
            continue
        lately = f"SELECT EXISTS (SELECT FROM {name} WHERE {written} >= {oldest})"  # noqa: S608  # nosec
        if not connection.exec_driver_sql(lately).scalar():
            connection.exec_driver_sql(f"DROP TABLE {name}")


def _alone(engine: Engine, work: Callable[[Connection], None]) -> None:
    """Change a table's partitions, unless somebody uses it for long: then it's done another time.

    Rows of a month that isn't made lie in the rest until it is.
    """
    try:
        with writing(engine) as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout TO {LOCK_MS}")
            work(connection)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in BUSY:
            raise
