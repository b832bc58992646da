"""EDGE: what an accepted event waits for: its window, its turn as a final one, a hold, the books.

What the watermark of a line is isn't in the books. That it has gone at least so far is: events have
such times, and summaries of windows that are closed have left.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, select

from streams.values import instant
from tables.books import known_now, leading
from tables.books.became import Plant, Seen
from tables.books.fresh import told as told_at
from tables.books.holds import Force, Parking, parking_of
from tables.books.leading import Told
from tables.books.schema import INPUTS, LINES
from tables.line import windows
from tables.line.periods import WAITED_FOR
from tables.line.rules import Rules
from tables.line.windows import Cadence

LOOKED_AT_MAX: Final = 5_000
"""Events of a line that are passed over to find what was known before another: a quarter of an hour
of a busy one. What lies further back has left, or never will."""

Waits = dict[str, Any]


class Line(Struct, frozen=True):
    """How far a line is known to be."""

    mes_at: int | None
    closed_to: int | None


def lines_of(connection: Connection, plants: Sequence[str]) -> dict[tuple[str, str], Line]:
    """Return how far lines are."""
    rows = connection.execute(select(LINES).where(LINES.c.plant.in_(sorted(plants))))
    return {(row.plant, row.line): Line(row.mes_at, row.closed_to) for row in rows}


def waits_for(
    connection: Connection,
    each: Seen,
    line: Line,
    forces: Sequence[Force],
    plant: Plant,
    rules: Rules,
    taken_back: bool,
) -> Waits | None:
    """Return what an accepted event of which nothing has left waits for, None for nothing.

    `taken_back`: an accepted reversal names it.
    """
    told = each.told
    if told is None or not leading.singly(rules, told) or _is_nothing(told):
        return None
    parking = None if told.reversal else parking_of(each.row, forces)
    if parking is not None and parking.by is not None:
        return None if taken_back else _waits("hold", hold=parking.by.label)
    alone = leading.goes_alone(told)
    if (taken_back or told.reversal) and alone:
        return None  # it was taken out, or its own record says it
    final = getattr(told.data, "final", None) is True
    cadence = _final_of(rules, plant, told) if final else _cadence_of(rules, plant, told)
    if cadence is None or (alone and not final):
        return None if taken_back or told.reversal else _waits("books")
    known_to = max(line.mes_at or 0, (line.closed_to or 0) + plant.grace)
    own_end = leading.window_of(cadence, told.time)[1]
    end = own_end
    if own_end + plant.grace <= known_to:
        before = _watermark_before(connection, each, parking)
        end = windows.carrier_of(cadence, own_end, before, before - plant.grace)
    if end + plant.grace > known_to:
        return _waits("final" if final else "window", until=end + plant.grace)
    return None if taken_back or told.reversal else _waits("books")


def plants_of(
    connection: Connection, plants: frozenset[str], rules: Rules, now: int
) -> dict[str, Plant]:
    """Return what of plants decides on windows."""
    said: dict[str, list[Mapping[str, Any]]] = {}
    for (plant, _), data in sorted(known_now.facts(connection, "rules", plants).items()):
        said.setdefault(plant, []).append(data)
    timings = {
        plant: data for (plant, _), data in known_now.facts(connection, "timing", plants).items()
    }
    found = {}
    for plant in plants:
        seconds = timings.get(plant, {}).get("grace_seconds")
        grace = seconds * instant.SECOND if isinstance(seconds, int) else rules.grace
        zone = known_now.zone_of(connection, plant, rules, now)
        found[plant] = Plant(said.get(plant, ()), zone, grace)
    return found


def _waits(what: str, until: int | None = None, hold: str | None = None) -> Waits:
    return {"what": what, "until": told_at(until), "hold": hold}


def _is_nothing(told: Told) -> bool:
    """Return whether all that an event measures is zero: a row of it alone isn't sent."""
    measures = [getattr(told.data, name, None) for name in ("quantity", "seconds")]
    there = [each for each in measures if each is not None]
    return bool(there) and not any(there) and not leading.goes_alone(told)


def _in_force(plant: Plant, at: int) -> list[Mapping[str, Any]]:
    """Return the rules that hold for events of a time: the last that began, as far as it's said."""
    begun = []
    for each in plant.rules:
        try:
            valid_from = instant.parse(each.get("valid_from"))
        except ValueError:
            continue
        if valid_from <= at:
            begun.append((valid_from, each))
    return [max(begun, key=lambda one: one[0])[1]] if begun else []


def _cadence_of(rules: Rules, plant: Plant, told: Told) -> Cadence | None:
    """Return how the windows follow each other in which an event leaves, None: it goes at once."""
    for each in leading.singly(rules, told):
        found = cadence_at(rules, plant, each.record, told.time)
        if found is not None:
            return found
    return None


def cadence_at(rules: Rules, plant: Plant, record: str, at: int) -> Cadence | None:
    """Return how windows of a record type follow each other for events of a time, by what is said.

    None: it goes at once. A line goes over to new rules at a midnight: near one this may be off.
    """
    said = _in_force(plant, at)
    cadences = leading.cadences(rules, record, said, plant.zone)
    if said and record in (said[0].get("transactions") or {}) and record in rules.by_window:
        cadences = cadences[1:]  # the settings' own is first
    return cadences[0] if cadences else None


def _final_of(rules: Rules, plant: Plant, told: Told) -> Cadence:
    """Return whose window a final confirmation waits for: the one that ends last."""
    said = _in_force(plant, told.time)
    waits = [Cadence(rules.posting)]
    for record in WAITED_FOR:
        waits += leading.cadences(rules, record, said, plant.zone)
    return max(waits, key=lambda each: leading.window_of(each, told.time)[1])


def _watermark_before(connection: Connection, each: Seen, parking: Parking | None) -> int:
    """Return the greatest time that was accepted on the line before an event, or before it went on.

    The event's own time, if none is found nearby.
    """
    row, column = each.row, INPUTS.c
    position = row["position"] if parking is None else parking.freed
    near = (
        select(column.happened_at, column.position)
        .where(
            column.plant == row["plant"],
            column.line == row["line"],
            column.topic == row["topic"],
            column.outcome == "accepted",
            column.happened_at.is_not(None),
        )
        .order_by(column.happened_at.desc())
        .limit(LOOKED_AT_MAX)
        .subquery()
    )
    wanted = select(near.c.happened_at).where(near.c.position < position)
    found = connection.execute(wanted.order_by(near.c.happened_at.desc()).limit(1)).scalar()
    return max(int(found or 0), int(row["happened_at"]))
