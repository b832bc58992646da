"""EDGE: which accepted events have a source and an id that were accepted elsewhere, too."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from streams.contract.topics import MES_EVENTS
from tables.books.inserting import inserting
from tables.books.schema import DOUBLES, INPUTS

ACCEPTED: Final = "accepted"

_NAMES: Final = tuple(column.name for column in INPUTS.columns)
_TOPIC, _OUTCOME, _PLANT, _LINE, _SOURCE, _ID, _TIME, _ARRIVED = (
    _NAMES.index(name)
    for name in (
        "topic", "outcome", "plant", "line", "source", "event_id", "happened_at", "arrived_at",
    )
)  # fmt: skip

KEY_BYTES_MAX: Final = 2_600
"""PostgreSQL's indexes take no more of a row; names of so many bytes in all are nobody's."""

Place = tuple[str, str]
"""(plant, line)."""

Before = tuple[str, str, str, str, int, int | None]
"""(source, id, plant, line, time, arrival) of an accepted event."""


def note_doubles(
    connection: Connection, before: Sequence[Before], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Note which of the accepted events in rows of `inputs` are double bookings.

    `before`: the events with their ids that were accepted before.
    """
    places: defaultdict[tuple[str, str], dict[Place, int]] = defaultdict(dict)
    new = [
        (row[_SOURCE], row[_ID], row[_PLANT], row[_LINE], row[_TIME], row[_ARRIVED])
        for row in rows
        if row[_OUTCOME] == ACCEPTED and row[_TOPIC] == MES_EVENTS
    ]
    for source, id, plant, line, happened_at, arrived_at in (*before, *new):
        at = happened_at if arrived_at is None else arrived_at
        own = places[source, id]
        own[plant, line] = min(at, own.get((plant, line), at))
    found = [
        {"source": source, "event_id": id, "plant": plant, "line": line, "noted_at": at}
        for (source, id), at_places in sorted(places.items())
        if len(at_places) > 1
        for (plant, line), at in sorted(at_places.items())
        if len(f"{source}{id}{plant}{line}".encode()) <= KEY_BYTES_MAX
    ]
    if found:
        connection.execute(inserting(connection, DOUBLES).on_conflict_do_nothing(), found)
