"""EDGE: rows into a table, thousands at a time, and what of them is there already."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from msgspec.json import encode
from psycopg import Error as PostgresError
from psycopg.errors import UniqueViolation
from sqlalchemy import ARRAY, ColumnElement, Connection, Table, Text, any_, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.sql.elements import KeyedColumnElement

Row = tuple[Any, ...]

PARAMETERS_MAX: Final = 500
"""Keys of one statement, where each is a parameter."""


class Twice(Exception):  # an expected refusal
    """A row is there already: the transaction has to be done again, with a look at what is."""


def insert(connection: Connection, table: Table, rows: Collection[Row]) -> None:
    """Insert rows, in the order of the table's columns. Raises `Twice` if one is there."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
        return
    try:
        connection.exec_driver_sql(_insert(table), list(rows))
    except IntegrityError:
        raise Twice from None


def insert_new(
    connection: Connection, table: Table, rows: Mapping[str, Row], look: bool
) -> list[str]:
    """Insert rows by their first column, and return which weren't there.

    Without `look` it is taken that none is: it raises `Twice` if one was.
    """
    new = list(rows)
    if look and rows:
        key = table.c[0]
        found = set(connection.execute(select(key).where(among(connection, key, new))).scalars())
        new = [each for each in new if each not in found]
    insert(connection, table, [rows[each] for each in new])
    return new


def among(
    connection: Connection, column: KeyedColumnElement[str], keys: Collection[str]
) -> ColumnElement[bool]:
    """Return the condition that a text is one of very many: they are one parameter."""
    if connection.dialect.name == "postgresql":
        condition: ColumnElement[bool] = column == any_(literal(list(keys), ARRAY(Text)))
        return condition
    given = func.json_each(encode(list(keys)).decode()).table_valued("value")
    return column.in_(select(given.c.value))


def inserting(connection: Connection, table: Table) -> Any:
    """Return an INSERT that may say what is to be done on a conflict."""
    made = postgresql if connection.dialect.name == "postgresql" else sqlite
    return made.insert(table)


T = TypeVar("T")


def parts(whole: Iterable[T]) -> Iterator[Sequence[T]]:
    """Yield parts that one statement takes."""
    listed = list(whole)
    for start in range(0, len(listed), PARAMETERS_MAX):
        yield listed[start : start + PARAMETERS_MAX]


def _copy(connection: Connection, table: Table, rows: Collection[Row]) -> None:
    driver: Any = connection.connection.driver_connection
    statement = _copying(table)
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            write = copy.write_row
            for row in rows:
                write(row)
    except UniqueViolation:
        raise Twice from None
    except PostgresError as error:
        raise DBAPIError.instance(statement, None, error, PostgresError) from None


@cache
def _copying(table: Table) -> str:
    return f'COPY "{table.name}" ({_names(table)}) FROM STDIN'


@cache
def _insert(table: Table) -> str:
    places = ", ".join("?" for _ in table.columns)
    return f'INSERT INTO "{table.name}" ({_names(table)}) VALUES ({places})'  # noqa: S608  # nosec


def _names(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)
