"""EDGE: a batch of one partition, written with its offset in one transaction: each record once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, Engine

from streams.contract.topics import (
    AUDIT,
    ERP_MASTER,
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    INPUTS,
    OUTPUTS,
    REFERENCE,
)
from streams.log.record import TP, Record
from tables.books import opening
from tables.books.acting import take_acts
from tables.books.added import Added
from tables.books.adding_up import add_up
from tables.books.inserting import Twice, insert_new
from tables.books.positions import move, positions
from tables.books.rows_exceptions import Exceptions, exceptions_of
from tables.books.rows_inputs import Read, read_inputs
from tables.books.rows_outputs import (
    Outputs,
    add_summaries,
    add_transactions,
    summaries_of,
    transactions_of,
)
from tables.books.rows_reference import references_of
from tables.books.schema import SUMMARIES, TRANSACTIONS
from tables.books.writing_exceptions import write_exceptions
from tables.books.writing_inputs import resolve_masters, write_inputs
from tables.books.writing_references import write_references

TOPICS: Final = (*INPUTS, *OUTPUTS, REFERENCE, ERP_MASTER, AUDIT)
"""What the books are made of."""

FIRST: Final = (EXCEPTIONS, REFERENCE)
"""What has to be there before inputs: it says what became of their records."""

ATTEMPTS_MAX: Final = 5
"""Without a look at what is there, then with one; what another desk writes at the same moment is
seen by the next look."""

Measures = Mapping[str, tuple[str, ...]]


class Batch(Struct, frozen=True):
    """Records of one partition in the order of their offsets."""

    at: TP
    expected: int | None
    """How far the books have to be; None: they have had nothing of the partition yet."""
    records: Sequence[Record]
    next_offset: int
    """How far they are afterwards."""
    needs: Mapping[TP, int] = {}
    """How far the books have to be in other partitions, so that what became of these is known."""


class Written(Struct, frozen=True):
    """What was written."""

    unread: int
    """Records of an output that lineside didn't write: they are passed over."""


def write(engine: Engine, batch: Batch, measures: Measures, now: int) -> Written | None:
    """Write a batch; None, and nothing is written, where the books are elsewhere by now.

    Raises `DBAPIError` where the database can't, and `ValueError`, `OverflowError` or a `DataError`
    where a record has what it can't hold.
    """
    read = _read(batch)
    for attempt in range(ATTEMPTS_MAX):
        try:
            with opening.writing(engine, lasting=False) as connection:
                if not _may_write(connection, batch, now):
                    return None
                return Written(_fill(connection, batch, read, measures, look=attempt > 0))
        except Twice:  # a record was written twice, as happens when a worker dies
            continue
    topic, number = batch.at
    raise opening.BooksError(
        f"the books have records of partition {number} of {topic} that they don't know of: run "
        "lineside desk rebuild"
    )


def _may_write(connection: Connection, batch: Batch, now: int) -> bool:
    """Move the offset on; return whether it was where it has to be, and so are the others."""
    if not move(connection, batch.at, batch.expected, batch.next_offset, now):
        connection.rollback()
        return False
    if batch.needs:
        found = positions(connection)
        if any(found.get(at, 0) < offset for at, offset in batch.needs.items()):
            connection.rollback()
            return False
    return True


def _read(batch: Batch) -> Any:
    """Return what the records are; it takes no database."""
    topic, _ = batch.at
    if topic in INPUTS:
        return read_inputs(topic, batch.records)
    if topic == EXCEPTIONS:
        return exceptions_of(batch.records)
    if topic == REFERENCE:
        return references_of(batch.records)
    if topic == ERP_TRANSACTIONS:
        return transactions_of(batch.records)
    return summaries_of(topic, batch.records) if topic in OUTPUTS else batch.records


def _fill(connection: Connection, batch: Batch, read: Any, measures: Measures, look: bool) -> int:
    topic, number = batch.at
    if not batch.records:
        return 0
    if topic in INPUTS:
        taken: list[Read] = read
        write_inputs(connection, batch.at, taken)
        return 0
    if topic == EXCEPTIONS:
        refused: Exceptions = read
        write_exceptions(connection, refused, look)
        return refused.unread
    if topic == REFERENCE:
        rows, unread = read
        write_references(connection, rows)
        return int(unread)
    if topic == ERP_MASTER:
        resolve_masters(connection, number, batch.records)
        return 0
    if topic == AUDIT:
        take_acts(connection, [record.value for record in batch.records])
        return 0
    return _write_outputs(connection, topic, read, measures, look)


def _write_outputs(
    connection: Connection, topic: str, made: Outputs, measures: Measures, look: bool
) -> int:
    added = Added()
    if topic == ERP_TRANSACTIONS:
        new = insert_new(connection, TRANSACTIONS, made.rows, look)
        add_transactions(added, made, new)
    else:
        new = insert_new(connection, SUMMARIES, made.rows, look)
        add_summaries(added, made, new, measures)
    add_up(connection, added)
    return made.unread
