"""EDGE: holds, active and released, what each of them keeps from the ERP, and these events."""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, and_, select

from tables.books import cursors, shown
from tables.books.asked import ListAsked, Text
from tables.books.fresh import told
from tables.books.parked import Parked, parked_events
from tables.books.plants import Plants, seen
from tables.books.schema import INPUTS, REFERENCES
from tables.books.stored import data_of
from tables.line.rules import Rules


class HoldsAsked(ListAsked, frozen=True, kw_only=True):
    """Which holds: active ones, released ones, or both."""

    plant: Text | None = None
    active: bool | None = None


class ParkedAsked(ListAsked, frozen=True, kw_only=True):
    """Which parked events."""

    plant: Text | None = None
    line: Text | None = None
    hold: Text | None = None


class Touched(Struct):
    """What a hold keeps from the ERP."""

    count: int = 0
    oldest: int | None = None


def holds(
    connection: Connection, plants: Plants, query: HoldsAsked, _now: int, rules: Rules
) -> dict[str, Any]:
    """Return holds by plant and name; a hold that isn't master data yet isn't there yet."""
    release = REFERENCES.alias()
    key = (REFERENCES.c.plant, REFERENCES.c.name)
    wanted = (
        select(
            *key,
            REFERENCES.c.said_at,
            REFERENCES.c.value,
            release.c.said_at.label("released_at"),
            release.c.value.label("release"),
        )
        .select_from(
            REFERENCES.outerjoin(
                release,
                and_(
                    release.c.kind == "hold_release",
                    release.c.plant == REFERENCES.c.plant,
                    release.c.name == REFERENCES.c.name,
                ),
            )
        )
        .where(REFERENCES.c.kind == "hold", seen(REFERENCES.c.plant, plants))
    )
    if query.plant is not None:
        wanted = wanted.where(REFERENCES.c.plant == query.plant)
    if query.active is not None:
        missing = release.c.key.is_(None)
        wanted = wanted.where(missing if query.active else ~missing)
    after = cursors.read(query.cursor, (str, str))
    if after is not None:
        wanted = wanted.where(cursors.greater(key, after))
    rows = connection.execute(wanted.order_by(*key).limit(query.limit + 1)).mappings().all()
    page, following = cursors.page(rows, query.limit, lambda row: (row["plant"], row["name"]))
    touched: dict[tuple[str, str], Touched] = {}
    if any(row["release"] is None for row in page):
        touched = touched_by(parked_events(connection, plants, rules, plant=query.plant))
    return {
        "items": [_hold(row, touched.get((row["plant"], row["name"]), Touched())) for row in page],
        "next": following,
    }


def touched_by(parked: list[Parked]) -> dict[tuple[str, str], Touched]:
    """Return what each hold keeps from the ERP, by its plant and name."""
    found: dict[tuple[str, str], Touched] = {}
    for row, force in parked:
        if not force.by_status:
            each = found.setdefault((force.plant, force.name), Touched())
            each.count += 1
            at = int(row["happened_at"])
            each.oldest = at if each.oldest is None else min(each.oldest, at)
    return found


def parked(
    connection: Connection, plants: Plants, query: ParkedAsked, _now: int, rules: Rules
) -> dict[str, Any]:
    """Return the events that are parked, the oldest first, each with what keeps it."""
    after = cursors.read(query.cursor, (int, int, int))
    found = [
        each
        for each in parked_events(connection, plants, rules, plant=query.plant, line=query.line)
        if query.hold is None or query.hold in (each.force.name, each.force.label)
    ]
    behind = [each for each in found if after is None or _key(each) > after]
    page, following = cursors.page(behind, query.limit, _key)
    rows = _whole(connection, list(page))
    return {
        "items": [
            shown.event(rows[each.row["topic"], each.row["number"], each.row["position"]])
            | {"hold": each.force.label}
            for each in page
        ],
        "next": following,
    }


def _key(each: Parked) -> tuple[int, int, int]:
    return each.row["happened_at"], each.row["number"], each.row["position"]


def _whole(connection: Connection, page: list[Parked]) -> dict[tuple[Any, ...], Any]:
    """Return the rows of a page with all their columns, by their places."""
    places: dict[tuple[str, int], list[int]] = {}
    for each in page:
        at = each.row["topic"], each.row["number"]
        places.setdefault(at, []).append(each.row["position"])
    found = {}
    for (topic, number), positions in places.items():
        wanted = select(*shown.EVENT_COLUMNS).where(
            INPUTS.c.topic == topic, INPUTS.c.number == number, INPUTS.c.position.in_(positions)
        )
        for row in connection.execute(wanted).mappings():
            found[topic, number, row["position"]] = row
    return found


def _hold(row: Any, touched: Touched) -> dict[str, Any]:
    data = data_of(row["value"])
    release = {} if row["release"] is None else data_of(row["release"])
    return {
        "plant": row["plant"],
        "hold": row["name"],
        "scope": data.get("scope"),
        "value": data.get("value"),
        "item": data.get("item"),
        "reason": data.get("reason"),
        "placed_at": told(row["said_at"]),
        "released_at": told(row["released_at"]),
        "disposition": release.get("disposition"),
        "touched": touched.count,
        "oldest": told(touched.oldest),
    }
