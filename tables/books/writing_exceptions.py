"""EDGE: exceptions, each once, and what was done about them before they came."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from tables.books.acting import recall_acts
from tables.books.inserting import among, insert_new
from tables.books.rows_exceptions import Exceptions
from tables.books.rows_inputs import REFUSED
from tables.books.schema import EXCEPTIONS, INPUTS
from tables.books.writing_inputs import settle


def write_exceptions(connection: Connection, made: Exceptions, look: bool) -> None:
    """Write exceptions; acts on them, and their events sent again, may have been read before."""
    new = insert_new(connection, EXCEPTIONS, made.rows, look)
    if new:
        recall_acts(connection, new)
        settle(connection, _settled(connection, new))
    settle(connection, {id: (False, at) for id, at in made.resent.items()})


def _settled(connection: Connection, ids: Collection[str]) -> dict[str, tuple[bool, int | None]]:
    """Return what became of the events of exceptions that were sent again already."""
    found: dict[str, tuple[bool, int | None]] = {}
    columns = INPUTS.c
    for id, outcome, at in connection.execute(
        select(columns.resent_from, columns.outcome, columns.arrived_at).where(
            columns.resent_from.is_not(None), among(connection, columns.resent_from, ids)
        )
    ):
        accepted = outcome != REFUSED
        if accepted or id not in found:
            found[id] = accepted, at
    refused = select(EXCEPTIONS.c.resent_from, EXCEPTIONS.c.raised_at).where(
        among(connection, EXCEPTIONS.c.resent_from, ids)
    )
    for id, at in connection.execute(refused):
        found.setdefault(id, (False, at))
    return found
