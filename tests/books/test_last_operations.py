"""A piece that goes through three operations is one piece: it counts where it is finished."""

from sqlalchemy import Engine, select

from tables.books.added import Added
from tables.books.adding_up import add_up
from tables.books.kpi_sums import summed
from tables.books.made import Since, made_since
from tables.books.opening import writing
from tables.books.rows_outputs import ROW_MEMBERS
from tables.books.schema import LINES, OPERATIONS

HOUR = 3_600_000_000
START = 494_400 * HOUR
NANO = 1_000_000_000
TYPE = "summary.production.v1"


def reported(engine: Engine, *rows: tuple[str, int, str, str, int, int]) -> None:
    """Put rows into the books: line, hour, order, operation, good and scrap."""
    added = Added()
    for line, hour, order, operation, good, scrap in rows:
        members = [None] * len(ROW_MEMBERS)
        values = {"order": order, "operation": operation, "item": "FG", "uom": "pc"}
        for name, value in values.items():
            members[ROW_MEMBERS.index(name)] = value
        for measure, amount in (("good", good), ("scrap", scrap)):
            key = "DE01", line, TYPE, START + hour * HOUR, f"{order}|{operation}|FG|pc", measure
            added.sum(key, members, amount * NANO)
        added.line("DE01", line, 3, START + (hour + 1) * HOUR)
    with writing(engine) as connection:
        add_up(connection, added)


def line_made(engine: Engine, line: str) -> list[dict[str, object]]:
    with engine.connect() as connection:
        assert connection.execute(select(LINES.c.line)).first() is not None
        found = made_since(connection, None, [Since("DE01", START, None)], START + 9 * HOUR, 1)
    return found["DE01", line].items()


def of_hours(engine: Engine, where: str | None) -> list[int]:
    stretches = [(hour, START + hour * HOUR, START + (hour + 1) * HOUR) for hour in range(3)]
    with engine.connect() as connection:
        sums = summed(
            connection, "DE01", ["L1", "L2"], TYPE, stretches, ("uom",), ("good",), where=where
        )
    return [sums.get((hour, "pc", "good"), 0) // NANO for hour in range(3)]


def test_good_pieces_of_a_line_are_those_of_the_last_operation_and_scrap_that_of_all(
    books: Engine,
) -> None:
    reported(
        books,
        ("L1", 0, "4711", "0010", 100, 1),
        ("L1", 0, "4711", "0020", 90, 2),
        ("L1", 0, "4711", "0030", 80, 3),
    )
    assert line_made(books, "L1") == [{"uom": "pc", "good": "80", "scrap": "6", "rework": "0"}]


def test_hours_before_the_last_operation_began_count_nothing_so_that_sums_of_hours_are_the_days(
    books: Engine,
) -> None:
    reported(books, ("L1", 0, "4711", "0010", 100, 0))
    assert of_hours(books, "line") == [100, 0, 0]  # as far as is known
    reported(books, ("L1", 1, "4711", "0010", 50, 0), ("L1", 1, "4711", "0020", 70, 0))
    reported(books, ("L1", 2, "4711", "0020", 80, 0))
    assert of_hours(books, "line") == [0, 70, 80]
    assert of_hours(books, None) == [100, 120, 80]


def test_an_order_that_goes_over_two_lines_is_finished_on_each_and_as_an_order_once(
    books: Engine,
) -> None:
    reported(books, ("L1", 0, "4711", "0010", 100, 0), ("L2", 1, "4711", "0020", 60, 0))
    assert of_hours(books, "line") == [100, 60, 0]
    assert of_hours(books, "order") == [0, 60, 0]


def test_a_batch_that_comes_later_with_an_earlier_operation_changes_nothing(books: Engine) -> None:
    reported(books, ("L1", 1, "4711", "0020", 60, 0))
    reported(books, ("L1", 0, "4711", "0010", 100, 0))
    with books.connect() as connection:
        row = connection.execute(select(OPERATIONS)).one()
    assert (row.operation, row.quarter) == ("0020", START + HOUR)
