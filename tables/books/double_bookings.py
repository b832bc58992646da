"""EDGE: bookings that are there twice: one source and id, accepted on two lines or in two plants.

An event's identity has its line in it. So an MES that mends the line of a booking and sends it
again under the same id books twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import field
from sqlalchemy import Connection, RowMapping, func, select, tuple_

from streams.contract.events import REVERSIBLE
from streams.contract.members import NAME_CHARACTERS_MAX
from streams.values import instant
from tables.books import cursors, shown
from tables.books.asked import ListAsked, Moment, Text, period
from tables.books.besides import seen_besides
from tables.books.known_now import zone_of
from tables.books.parked import taken_back
from tables.books.plants import Plants, seen
from tables.books.schema import DOUBLES, INPUTS
from tables.books.stored import document, event_of
from tables.line.rules import Rules

PLACES_MAX: Final = 20
"""Bookings under one source and id that are shown."""

Name = tuple[str, str]
"""(source, id)."""


class DoublesAsked(ListAsked, frozen=True, kw_only=True):
    """Which double bookings: by when the later one was learnt."""

    plant: Text | None = None
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None


def double_bookings(
    connection: Connection, plants: Plants, query: DoublesAsked, now: int, rules: Rules
) -> dict[str, Any]:
    """Return double bookings, the newest first; one that nobody sees both sides of isn't there."""
    begin, end = period(query.from_, query.to, zone_of(connection, query.plant, rules, now))
    of_places = select(DOUBLES).where(seen(DOUBLES.c.plant, plants))
    if query.plant is not None:
        of_places = of_places.where(DOUBLES.c.plant == query.plant)
    place = of_places.subquery().c
    grouped = (
        select(place.source, place.event_id, func.max(place.noted_at).label("noted_at"))
        .group_by(place.source, place.event_id)
        .subquery()
    )
    key = (grouped.c.noted_at, grouped.c.source, grouped.c.event_id)
    wanted = select(*key)
    if begin is not None:
        wanted = wanted.where(grouped.c.noted_at >= begin)
    if end is not None:
        wanted = wanted.where(grouped.c.noted_at < end)
    after = cursors.read(query.cursor, (int, str, str))
    if after is not None:
        wanted = wanted.where(cursors.smaller(key, after))
    ordered = wanted.order_by(*(each.desc() for each in key)).limit(query.limit + 1)
    rows = connection.execute(ordered).all()
    page, following = cursors.page(rows, query.limit, tuple)
    names = [(row.source, row.event_id) for row in page]
    return {"items": of_names(connection, plants, names, now), "next": following}


def of_names(
    connection: Connection, plants: Plants, names: Iterable[Name], now: int
) -> list[dict[str, Any]]:
    """Return the double bookings of these sources and ids, those that are none left out."""
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return []
    column = INPUTS.c
    rows = connection.execute(
        select(*shown.EVENT_COLUMNS, taken_back().label("taken_back"))
        .where(
            column.event_id.in_(sorted({name[1] for name in wanted})),
            tuple_(column.source, column.event_id).in_(wanted),
            column.outcome == "accepted",
            seen_besides(column.plant, plants),
        )
        .order_by(column.arrived_at, column.topic, column.number, column.position)
        .limit(PLACES_MAX * len(wanted))
    ).mappings()
    by_name: defaultdict[Name, list[RowMapping]] = defaultdict(list)
    for row in rows:
        by_name[row["source"], row["event_id"]].append(row)
    return [
        _double(name, by_name[name], now)
        for name in wanted
        if len({(row["plant"], row["line"]) for row in by_name[name]}) > 1
    ]


def _double(name: Name, rows: Sequence[RowMapping], now: int) -> dict[str, Any]:
    events = [event_of(row["value"]) for row in rows]
    told = [None if one is None else (type(one), one.time, one.data) for one in events]
    return {
        "source": name[0],
        "id": name[1],
        "events": [shown.event(row) for row in rows[:PLACES_MAX]],
        "same_data": None not in told and all(each == told[0] for each in told),
        "suggested_reversal": _suggested(rows, now),
    }


def _suggested(rows: Sequence[RowMapping], now: int) -> dict[str, Any] | None:
    """Return the event that takes the first booking back: the later one is what was mended.

    None where all but one are taken back already, or events of the type can't be.
    """
    standing = [row for row in rows if not row["taken_back"]]
    if len(standing) < 2 or standing[0]["type"] not in REVERSIBLE:
        return None
    row = standing[0]
    original = document(row["value"])
    if not original:
        return None
    id = f"reversal:{row['plant']}:{row['line']}:{row['event_id']}"
    return {
        "specversion": "1.0",
        "type": "transaction.reversed.v1",
        "source": row["source"],
        "id": id[:NAME_CHARACTERS_MAX],
        "time": instant.text(max(now, row["happened_at"])),
        "plant": row["plant"],
        "line": row["line"],
        "data": {
            "reverses": row["event_id"],
            "original": {name: original.get(name) for name in ("type", "time", "data")},
        },
    }
