"""EDGE: which accepted events have a source and an id that were accepted elsewhere, too."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from streams.contract.topics import MES_EVENTS
from tables.books.inserting import among, inserting
from tables.books.schema import DOUBLES, INPUTS

ACCEPTED: Final = "accepted"

_NAMES: Final = tuple(column.name for column in INPUTS.columns)
_TOPIC, _OUTCOME, _PLANT, _LINE, _SOURCE, _ID, _TIME, _ARRIVED = (
    _NAMES.index(name)
    for name in (
        "topic", "outcome", "plant", "line", "source", "event_id", "happened_at", "arrived_at",
    )
)  # fmt: skip

Place = tuple[str, str]
"""(plant, line)."""


def note_doubles(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Note which of some rows of `inputs` are double bookings; they are in the table already."""
    names = {
        (row[_SOURCE], row[_ID])
        for row in rows
        if row[_OUTCOME] == ACCEPTED and row[_TOPIC] == MES_EVENTS
    }
    if not names:
        return
    column = INPUTS.c
    there = connection.execute(
        select(
            column.source, column.event_id, column.plant, column.line, column.arrived_at,
            column.happened_at,
        ).where(
            among(connection, column.event_id, {id for _, id in names}),
            column.topic == MES_EVENTS,
            column.outcome == ACCEPTED,
        )
    )  # fmt: skip
    places: defaultdict[tuple[str, str], dict[Place, int]] = defaultdict(dict)
    for source, id, plant, line, arrived_at, happened_at in there:
        if (source, id) in names:
            at = happened_at if arrived_at is None else arrived_at
            places[source, id].setdefault((plant, line), at)
    found = [
        {"source": source, "event_id": id, "plant": plant, "line": line, "noted_at": at}
        for (source, id), at_places in places.items()
        if len(at_places) > 1
        for (plant, line), at in at_places.items()
    ]
    if found:
        connection.execute(inserting(connection, DOUBLES).on_conflict_do_nothing(), found)
