"""EDGE: the events that are parked now: accepted, and kept from the ERP by something active."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, RowMapping, exists, select

from streams.values import instant
from tables.books import known_now
from tables.books.besides import besides, seen_besides
from tables.books.holds import Force, active_forces, parking_of
from tables.books.plants import Plants
from tables.books.schema import INPUTS
from tables.line.plans import TOUCHED
from tables.line.rules import Rules

PARKED_MAX: Final = 10_000
"""Parked events that are looked at for one answer, of each scope: the oldest ones."""

CONSUMED: Final = "material.consumed.v1"

REVERSED: Final = "transaction.reversed.v1"

COLUMNS: Final = (
    INPUTS.c.topic,
    INPUTS.c.number,
    INPUTS.c.position,
    INPUTS.c.outcome,
    INPUTS.c.type,
    INPUTS.c.plant,
    INPUTS.c.line,
    INPUTS.c.happened_at,
    INPUTS.c.order_id,
    INPUTS.c.item,
    INPUTS.c.lot,
)
"""What tells whether an event is parked."""

_NAMED: Final = {"lot": INPUTS.c.lot, "order": INPUTS.c.order_id, "item": INPUTS.c.item}


class Parked(NamedTuple):
    """A parked event, and what keeps it."""

    row: RowMapping
    force: Force


def parked_events(
    connection: Connection,
    plants: Plants,
    rules: Rules,
    *,
    columns: Collection[Any] = COLUMNS,
    plant: str | None = None,
    line: str | None = None,
) -> list[Parked]:
    """Return the parked events, the oldest first; of very many the oldest `PARKED_MAX` of a scope.

    `columns` are those of `COLUMNS` at least.
    """
    if plant is not None:
        plants = frozenset({plant} if plants is None else plants & {plant})
    forces = active_forces(connection, plants)
    if not forces:
        return []
    values: defaultdict[str, set[str]] = defaultdict(set)
    since: dict[str, int] = {}
    for each in forces:
        values[each.scope].add(each.value)
        since[each.scope] = min(each.placed_at, since.get(each.scope, each.placed_at))
    found: dict[tuple[int, int], Parked] = {}
    by_plant = by_value(forces)
    for scope, named in values.items():
        wanted = (
            select(*columns)
            .where(
                _NAMED[scope].in_(sorted(named)),
                besides(INPUTS.c.plant).in_(sorted({each.plant for each in forces})),
                seen_besides(INPUTS.c.plant, plants),
                INPUTS.c.outcome == "accepted",
                INPUTS.c.type.in_(sorted(TOUCHED)),
                INPUTS.c.happened_at >= since[scope] - rules.retention - instant.DAY,
                ~taken_back(),
            )
            .order_by(INPUTS.c.happened_at)
            .limit(PARKED_MAX)
        )
        if line is not None:
            wanted = wanted.where(besides(INPUTS.c.line) == line)
        for row in connection.execute(wanted).mappings():
            parking = parking_of(row, touching(by_plant, row))
            if parking is not None and parking.by is not None:
                found[row["number"], row["position"]] = Parked(row, parking.by)
    booked_by_erp = backflushed(connection, [each.row for each in found.values()])
    return sorted(
        (each for at, each in found.items() if at not in booked_by_erp),
        key=lambda each: (each.row["happened_at"], each.row["number"], each.row["position"]),
    )


Forces = dict[tuple[int, str, str, str], list[Force]]
"""By partition, plant, scope and value."""


def by_value(forces: Iterable[Force]) -> Forces:
    """Return forces by what they name, so that only those are asked that could touch an event."""
    found: Forces = {}
    for each in forces:
        found.setdefault((each.number, each.plant, each.scope, each.value), []).append(each)
    return found


def touching(forces: Forces, row: RowMapping) -> list[Force]:
    """Return the forces that name something of an event."""
    number, plant = row["number"], row["plant"]
    return [
        force
        for scope, value in (("lot", row["lot"]), ("order", row["order_id"]), ("item", row["item"]))
        for force in forces.get((number, plant, scope, value), ())
    ]


def taken_back() -> Any:
    """Return the condition that an accepted reversal has taken an event of `inputs` back.

    Plants and lines are compared in a form that no index serves: SQLite would take that of lines,
    which finds all events of one, and not that of subjects, which finds the reversal.
    """
    reversal = INPUTS.alias()
    return exists(
        select(reversal.c.position).where(
            reversal.c.subject == INPUTS.c.event_id,
            reversal.c.type == REVERSED,
            reversal.c.outcome == "accepted",
            besides(reversal.c.plant) == INPUTS.c.plant,
            besides(reversal.c.line) == INPUTS.c.line,
            reversal.c.source == INPUTS.c.source,
        )
    )


def backflushed(connection: Connection, rows: Collection[RowMapping]) -> set[tuple[int, int]]:
    """Return (partition, offset) of consumption that the ERP books itself: it sends nothing."""
    consumed = [row for row in rows if row["type"] == CONSUMED and row["item"] is not None]
    if not consumed:
        return set()
    plants = frozenset(row["plant"] for row in consumed)
    items = known_now.facts(connection, "item", plants, {row["item"] for row in consumed})
    return {
        (row["number"], row["position"])
        for row in consumed
        if _books_itself(known_now.fact(items, row["plant"], row["item"]), row["happened_at"])
    }


def _books_itself(item: Any, at: int) -> bool:
    if item is None:
        return False
    said = item.get("consumption_from")
    try:
        begun = said is None or at >= instant.parse(said)
    except ValueError:
        begun = True
    return (item.get("consumption") == "erp") is begun
