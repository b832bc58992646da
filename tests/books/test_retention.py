"""What is old goes, what is open stays, and months are partitions of their own on PostgreSQL."""

from sqlalchemy import Connection, Engine, func, select, text

from books.filled import contents, fill, job_over
from logs import random_log
from streams.values import instant
from tables.books import retention
from tables.books.months import make_months, monthly_tables, partitions_of
from tables.books.opening import writing
from tables.books.retention import keep_for
from tables.books.schema import EXCEPTIONS, METADATA, SUMMARIES, TRANSACTIONS

AT = 1_795_240_800 * instant.SECOND
"""2026-11-21T06:00:00Z, when the logs of tests begin."""


def make_all(connection: Connection, days: int) -> None:
    for table in monthly_tables("postgresql"):
        make_months(connection, table, AT, days)


def _always() -> bool:
    return True


def test_nothing_goes_before_its_time(books: Engine) -> None:
    fill(books, job_over(random_log(71, 200)))
    before = contents(books)
    keep_for(books, 400, AT + 390 * instant.DAY, _always)
    assert contents(books) == before


def test_records_go_and_sums_stay_three_times_as_long(books: Engine) -> None:
    fill(books, job_over(random_log(71, 200)))
    with writing(books) as connection:
        connection.execute(EXCEPTIONS.update().values(status="dismissed"))
    sums = contents(books)["sums"]
    assert sums
    later = AT + 430 * instant.DAY
    keep_for(books, 400, later, _always)
    found = contents(books)
    assert found["sums"] == sums
    for table in (TRANSACTIONS, SUMMARIES, EXCEPTIONS):
        assert found[table.name] == [], table.name
    # A bare file says not when a record came, and what can't be read not when it happened.
    assert {row[11] for row in found["inputs"]} <= {None}
    keep_for(books, 400, AT + 3 * 430 * instant.DAY, _always)
    left = contents(books)
    kept = {"lines", "units", "copies", "references", "inputs"}
    assert {name for name, rows in left.items() if rows} - kept <= {"flows", "stops"}
    assert {row[0] for row in left["flows"]} <= {0}  # a bare file says not when a record came
    assert {row[6:] for row in left["stops"]} <= {(None, None)}  # told of, and never seen


def test_exceptions_that_are_open_stay(books: Engine) -> None:
    fill(books, job_over(random_log(72, 200)))
    with books.connect() as connection:
        before = connection.execute(select(func.count()).select_from(EXCEPTIONS)).scalar()
    keep_for(books, 400, AT + 4_000 * instant.DAY, _always)
    with books.connect() as connection:
        after = connection.execute(select(func.count()).select_from(EXCEPTIONS)).scalar()
    assert before == after
    assert before


def test_a_slice_at_a_time(sqlite_books: Engine, monkeypatch: object) -> None:
    fill(sqlite_books, job_over(random_log(71, 200)))
    asked = iter([True, False])
    old = retention.SLICE
    try:
        retention.SLICE = 10
        gone = keep_for(sqlite_books, 400, AT + 430 * instant.DAY, lambda: next(asked, False))
    finally:
        retention.SLICE = old
    assert gone == 10


def test_months_are_partitions_and_go_as_a_whole(postgres_books: Engine) -> None:
    job = job_over(random_log(73, 200))
    fill(postgres_books, job)
    with writing(postgres_books) as connection:
        make_all(connection, 100)  # what lies in the rest moves into its month
        there = partitions_of(connection, TRANSACTIONS)
        assert {"transactions_2026_11", "transactions_2027_01", "transactions_2026_08"} <= set(
            there
        )
        within = connection.execute(text("SELECT count(*) FROM transactions_2026_11")).scalar()
        rest = connection.execute(text("SELECT count(*) FROM transactions_rest")).scalar()
    assert within
    assert rest == 0
    before = contents(postgres_books)
    fill(postgres_books, job)
    assert contents(postgres_books) == before
    keep_for(postgres_books, 30, AT + 100 * instant.DAY, _always)
    with postgres_books.connect() as connection:
        left = partitions_of(connection, TRANSACTIONS)
    assert "transactions_2026_11" not in left
    assert "transactions_2027_03" in left
    assert contents(postgres_books)["transactions"] == []


def test_a_month_in_which_something_was_written_lately_stays(postgres_books: Engine) -> None:
    """Events of long ago are sent in: what is made of them may come twice in the log yet."""
    fill(postgres_books, job_over(random_log(73, 100)))
    with writing(postgres_books) as connection:
        make_all(connection, 30)
        connection.execute(TRANSACTIONS.update().values(written_at=AT + 99 * instant.DAY))
    before = contents(postgres_books)["transactions"]
    assert before
    keep_for(postgres_books, 30, AT + 100 * instant.DAY, _always)
    assert contents(postgres_books)["transactions"] == before


def test_every_table_has_a_rule_or_stays_for_a_reason() -> None:
    old = {table.name for table, _ in retention._old(0, 0)}
    kept = {"offsets", "processed", "references", "copies", "lines", "units", "claims"}
    assert old | kept == set(METADATA.tables)
