"""EDGE: the overview: plants, and each line with what it does and what it has made in its shift."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field
from sqlalchemy import Connection, func, select

from streams.contract.topics import REFERENCE
from streams.values import instant, quantity
from tables.books import amounts, known_now
from tables.books.asked import OneAsked, Text
from tables.books.fresh import OPEN, fresh, told
from tables.books.known_now import clocks_of
from tables.books.kpi_clocks import PlantClock
from tables.books.lines_now import Line, Place, lines_of, now_of, present
from tables.books.made import Made, Since, made_since, orders_now
from tables.books.parked import parked_events
from tables.books.plants import Plants, seen
from tables.books.remembered import LINES_MIN, remembered
from tables.books.schema import EXCEPTIONS, OFFSETS
from tables.kpi.days import Shift, Stretch, clipped, length, planned_between
from tables.line.rules import Rules

STATES: Final = ("running", "planned_stop", "unplanned_stop", "silent")

ORDERS_MAX: Final = 20
"""Orders that are named of a line."""


class OverviewAsked(OneAsked, frozen=True, kw_only=True):
    """Of which plant; without a word of all that are seen."""

    plant: Text | None = None


class Shown(Struct):
    """What is needed to show lines, besides the lines themselves."""

    now: int
    clocks: Mapping[str, PlantClock]
    shifts: Mapping[Place, Shift]
    """Where no shift is known: the plant's day, without a name."""
    made: Mapping[Place, Made]
    ideals: Mapping[Place, int]
    """What one piece takes on the slowest work unit, in billionths of a second."""
    exceptions: Mapping[Place, int]
    parked: Mapping[Place, int]
    working: dict[tuple[str, int, int], list[Stretch]] = field(default_factory=dict)
    """The working time of shifts by plant, calendar and begin, as far as it was asked for."""


def overview(
    connection: Connection, plants: Plants, query: OverviewAsked, now: int, rules: Rules
) -> dict[str, Any]:
    """Return plants and lines, at most `LINES_MAX` of them."""
    lines = lines_of(connection, plants, query.plant, None, now)
    shown = shown_of(connection, plants, query.plant, lines, now, rules)
    items = [item_of(each, shown) for each in lines.values()]
    by_plant: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in items:
        by_plant[item["plant"]].append(item)
    refused: Counter[str] = Counter()  # also of lines that have had no accepted event
    for (plant, _), count in shown.exceptions.items():
        if plant is not None:
            refused[plant] += count
    return {
        "fresh": fresh(connection),
        "plants": [
            {
                "plant": plant,
                "zone": shown.clocks[plant].zone_name if plant in shown.clocks else "UTC",
                **_added_up(by_plant[plant]),
                "exceptions_open": refused[plant],
            }
            for plant in sorted({*by_plant, *refused})
        ],
        "lines": items,
    }


def shown_of(
    connection: Connection,
    plants: Plants,
    plant: str | None,
    lines: Mapping[Place, Line],
    now: int,
    rules: Rules,
) -> Shown:
    """Return what is needed to show lines of one plant, or of all."""
    clocks = clocks_of(connection, plants, plant, rules, now)
    shifts = _shifts(clocks, lines, now)
    begins: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for (name, line), shift in shifts.items():
        begins[name, shift.from_].add(line)
    several = Counter(name for name, _ in begins)
    one_line = len(lines) == 1
    since = [
        Since(name, at, frozenset(of) if several[name] > 1 or one_line else None)
        for (name, at), of in begins.items()
    ]
    with_shift = {place[0] for place, shift in shifts.items() if shift.name is not None}
    return Shown(
        now,
        clocks,
        shifts,
        made_since(connection, plants, since, now, len(lines)),
        _ideals(connection, with_shift, len(lines)),
        _exceptions(connection, plants, plant),
        Counter(
            (each.row["plant"], each.row["line"])
            for each in parked_events(connection, plants, rules, plant=plant)
        ),
    )


def item_of(line: Line, shown: Shown) -> dict[str, Any]:
    """Return a line as an item."""
    place = line.plant, line.line
    doing = now_of(line, shown.now)
    made = shown.made.get(place, Made())
    shift = shown.shifts[place]
    at = present(line, shown.now)
    orders = orders_now(made.orders, at)
    orders += sorted({unit.order for unit in line.units if unit.order} - {*orders})
    lasted = None
    if doing.since is not None:  # silence is of this machine's clock, all else of the line's
        until = shown.now if doing.state == "silent" else at
        lasted = max(0, until - doing.since) // instant.SECOND
    behind = 0
    if line.clock is not None and line.closed_to is not None:
        behind = max(0, line.clock - line.closed_to) // instant.SECOND
    return {
        "plant": line.plant,
        "line": line.line,
        "state": doing.state,
        "since": told(doing.since),
        "lasted_seconds": lasted,
        "reason": doing.reason,
        "work_unit": doing.work_unit,
        "last_event": told(line.clock),
        "last_arrival": told(line.arrived_at),
        "closed_to": told(line.closed_to),
        "behind_seconds": behind,
        "shift": None
        if shift.name is None
        else {"name": shift.name, "from": told(shift.from_), "to": told(shift.to)},
        "made": made.items(),
        "planned": _planned(line, shift, shown, made, at),
        "down_seconds": made.still("down"),
        "planned_down_seconds": made.still("planned_down"),
        "orders": orders[:ORDERS_MAX],
        "exceptions_open": shown.exceptions.get(place, 0),
        "parked": shown.parked.get(place, 0),
    }


def _shifts(
    clocks: Mapping[str, PlantClock], lines: Mapping[Place, Line], now: int
) -> dict[Place, Shift]:
    """Return the shift of each line, else the plant's day; lines of a calendar share theirs."""
    found: dict[Place, Shift] = {}
    by_calendar: defaultdict[tuple[str, int], list[Shift]] = defaultdict(list)
    for place, line in lines.items():
        clock = clocks.get(place[0])
        if clock is None:
            continue
        at = min(max(present(line, now), instant.EARLIEST), instant.LATEST)
        known = by_calendar[place[0], id(clock.calendar_of(line.line))]
        shift = next((each for each in known if each.from_ <= at < each.to), None)
        if shift is None:
            shift = clock.shift_at(line.line, at) or clock.day_at(line.line, at)
            known.append(shift)
        found[place] = shift
    return found


def _planned(
    line: Line, shift: Shift, shown: Shown, made: Made, at: int
) -> list[dict[str, Any]] | None:
    """Return what could have been made in the shift's working time so far.

    That is what the slowest work unit of the line makes in its `ideal_seconds`. None where no shift
    or no such time is known, or pieces are counted in several units.
    """
    ideal = shown.ideals.get((line.plant, line.line))
    if shift.name is None or not ideal or len(made.units) > 1:
        return None
    clock = shown.clocks[line.plant].clock_of(line.line)
    of_shift = line.plant, id(clock.calendar), shift.from_
    stretches = shown.working.get(of_shift)
    if stretches is None:
        stretches = planned_between(clock, shift.from_, shift.to)
        shown.working[of_shift] = stretches
    worked = length(clipped(stretches, shift.from_, min(at, shift.to)))
    pieces = worked * 1_000 // ideal
    uom = next(iter(made.units), None)
    return [{"uom": uom, "quantity": amounts.text(pieces, 0)}]


def _ideals(connection: Connection, plants: set[str], lines: int) -> dict[Place, int]:
    """Return what a piece takes; of very many lines as it was when master data last changed."""
    if not plants:
        return {}
    if lines < LINES_MIN:
        return _read_ideals(connection, plants)
    said = select(OFFSETS.c.next_offset).where(OFFSETS.c.topic == REFERENCE)
    read_to = tuple(connection.execute(said.order_by(OFFSETS.c.number)).scalars())
    key = "ideals", str(connection.engine.url), frozenset(plants), read_to
    return remembered(key, lambda: _read_ideals(connection, plants))


def _read_ideals(connection: Connection, plants: set[str]) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for (plant, _), data in known_now.facts(connection, "work_unit", frozenset(plants)).items():
        line, seconds = data.get("line"), data.get("ideal_seconds")
        if isinstance(line, str) and seconds is not None:
            try:
                ideal = quantity.parse(seconds)
            except ValueError:
                continue
            found[plant, line] = max(ideal, found.get((plant, line), 0))
    return found


def _exceptions(connection: Connection, plants: Plants, plant: str | None) -> dict[Place, int]:
    column = EXCEPTIONS.c
    wanted = select(column.plant, column.line, func.count()).where(
        column.status.in_(OPEN), seen(column.plant, plants)
    )
    if plant is not None:
        wanted = wanted.where(column.plant == plant)
    rows = connection.execute(wanted.group_by(column.plant, column.line))
    return {(name, line): count for name, line, count in rows}


def _added_up(lines: list[dict[str, Any]]) -> dict[str, int]:
    states = Counter(line["state"] for line in lines)
    return {
        "lines": len(lines),
        **{state: states[state] for state in STATES},
        "parked": sum(line["parked"] for line in lines),
    }
