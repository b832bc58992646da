"""EDGE: records of inputs, with what became of them, and of those that were sent again."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Final

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from streams.contract.topics import ERP_MASTER, MES_EVENTS
from streams.log.lineage import resent_from
from streams.log.record import TP, Record
from streams.values import instant
from tables.books.adding_up import add_up
from tables.books.doubles import Before, note_doubles
from tables.books.inserting import among, insert, parts
from tables.books.rows_inputs import (
    ACCEPTED,
    Copy,
    Identity,
    Read,
    Refusal,
    candidates,
    rows_of,
)
from tables.books.schema import COPIES, EXCEPTIONS, INPUTS

EARLY_DAYS: Final = 32
"""An event comes at most a day before its time, by a plant's settings: so far back, from the time
of an event, another one with its identity may have arrived. A month more is looked at for double
bookings, whose times may differ."""

_SETTLING: Final = (
    update(EXCEPTIONS)
    .where(EXCEPTIONS.c.id == bindparam("of"), EXCEPTIONS.c.status != "resolved")
    .values(status=bindparam("stands"), changed_at=bindparam("then"))
)


def write_inputs(connection: Connection, at: TP, read: Sequence[Read]) -> None:
    """Write records of an input whose exceptions the books have."""
    topic, number = at
    refused = _refused(connection, at, read[0].record.offset, read[-1].record.offset)
    before = _before(connection, topic, candidates(read, refused))
    known = {(plant, line, source, id, time) for source, id, plant, line, time, _ in before}
    made = rows_of(topic, number, read, refused, known)
    insert(connection, INPUTS, made.rows)
    if topic == MES_EVENTS:
        note_doubles(connection, before, made.rows)
        _write_copies(connection, number, made.copies)
    add_up(connection, made.added)
    settle(connection, made.resent)


def settle(connection: Connection, resent: Mapping[str, tuple[bool, int | None]]) -> None:
    """Say of exceptions whose events were sent again what became of them, and when.

    One that was accepted stays so: another sending is a duplicate, or a conflict with it.
    """
    if resent:
        connection.execute(
            _SETTLING,
            [
                {"of": id, "stands": "resolved" if accepted else "refused_again", "then": then}
                for id, (accepted, then) in sorted(resent.items())
            ],
        )


def resolve_masters(connection: Connection, number: int, records: Sequence[Record]) -> None:
    """Say of records of `erp.master.v1` that were sent again that they were taken, if they were."""
    resent = [(record, id) for record in records if (id := resent_from(record.headers)) is not None]
    if resent:
        first, last = resent[0][0].offset, resent[-1][0].offset
        refused = _refused(connection, (ERP_MASTER, number), first, last)
        found: dict[str, tuple[bool, int | None]] = {}
        for record, id in resent:
            accepted = record.offset not in refused
            if accepted or id not in found:
                found[id] = accepted, record.timestamp
        settle(connection, found)


def _refused(connection: Connection, at: TP, first: int, last: int) -> dict[int, Refusal]:
    """Return the exceptions of a partition's records, by offset."""
    columns = EXCEPTIONS.c
    rows = connection.execute(
        select(columns.position, columns.code, columns.plant, columns.line).where(
            columns.topic == at[0],
            columns.number == at[1],
            columns.position.between(first, last),
        )
    )
    return {position: Refusal(code, plant, line) for position, code, plant, line in rows}


def _before(connection: Connection, topic: str, wanted: Mapping[Identity, int]) -> list[Before]:
    """Return the events with the ids of these that were accepted before."""
    if not wanted:
        return []
    columns = INPUTS.c
    oldest = min(identity[4] for identity in wanted) // instant.DAY - EARLY_DAYS
    rows = connection.execute(
        select(
            columns.source,
            columns.event_id,
            columns.plant,
            columns.line,
            columns.happened_at,
            columns.arrived_at,
        ).where(
            among(connection, columns.event_id, {identity[3] for identity in wanted}),
            columns.topic == topic,
            columns.outcome == ACCEPTED,
            or_(columns.day >= oldest, columns.day == 0),
        )
    )
    sources = {(identity[2], identity[3]) for identity in wanted}
    return [found for row in rows if (found := tuple(row))[:2] in sources]


def _write_copies(connection: Connection, number: int, copies: Sequence[Copy]) -> None:
    """Write holds and releases, and of orders those that hold, and what came after these."""
    held = _held(connection, number, [copy for copy in copies if copy.kind == "order"])
    rows = []
    for copy in copies:
        if copy.kind == "order":
            if not copy.matters and (copy.plant, copy.name) not in held:
                continue
            held.add((copy.plant, copy.name))
        rows.append((number, copy.position, copy.kind, copy.plant, copy.name, copy.value))
    insert(connection, COPIES, rows)


def _held(connection: Connection, number: int, orders: Collection[Copy]) -> set[tuple[str, str]]:
    columns = COPIES.c
    queries = (
        select(columns.plant, columns.name).where(
            and_(columns.kind == "order", columns.number == number, columns.name.in_(part))
        )
        for part in parts({copy.name for copy in orders})
    )
    rows = chain.from_iterable(connection.execute(query) for query in queries)
    return {(plant, name) for plant, name in rows}
