"""EDGE: what figures go by besides sums: lines of a plant, their work units, how fast they are."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, func, select

from streams.contract.topics import (
    SUMMARY_AVAILABILITY,
    SUMMARY_CONSUMPTION,
    SUMMARY_DOWNTIME,
    SUMMARY_MACHINE,
    SUMMARY_MACHINE_STATE,
    SUMMARY_PRODUCTION,
    SUMMARY_SCRAP,
)
from streams.values import quantity
from tables.books.asked import AskedError
from tables.books.plants import Plants, seen
from tables.books.schema import LINES, REFERENCES, STOPS, SUMS, UNITS
from tables.books.stored import data_of

LINES_MAX: Final = 2_000
"""Of one question: as many as the overview shows."""

TYPES: Final = (
    SUMMARY_PRODUCTION,
    SUMMARY_CONSUMPTION,
    SUMMARY_SCRAP,
    SUMMARY_DOWNTIME,
    SUMMARY_AVAILABILITY,
    SUMMARY_MACHINE,
    SUMMARY_MACHINE_STATE,
)

UNITS_MAX: Final = 20_000
"""Work units of one question."""


class Unit(Struct, frozen=True):
    """A work unit that is known: from master data, its states, or its stops."""

    line: str
    work_unit: str
    ideal: int | None
    """PRI: what one piece takes, in billionths of a second."""
    stops: bool
    """Whether the MES reports its stops; else machine states tell when it stood still."""


class Known(Struct, frozen=True):
    """From when on, and up to when, the summaries of a line are known."""

    begun: int
    closed_to: int


Lines = dict[str, Known | None]
"""The lines of a plant; None of a line of which no summary has left yet."""


def lines_of(connection: Connection, plants: Plants, plant: str, line: str | None) -> Lines:
    """Return the lines of a plant that are seen, in order. Raises `AskedError` of too many."""
    begun = [
        select(func.min(SUMS.c.quarter))
        .where(SUMS.c.plant == LINES.c.plant, SUMS.c.line == LINES.c.line, SUMS.c.type == type_)
        .scalar_subquery()
        for type_ in TYPES
    ]  # each is one look into the index
    query = select(LINES.c.line, LINES.c.closed_to, *begun).where(
        LINES.c.plant == plant, seen(LINES.c.plant, plants)
    )
    if line is not None:
        query = query.where(LINES.c.line == line)
    rows = connection.execute(query.order_by(LINES.c.line).limit(LINES_MAX + 1)).all()
    if len(rows) > LINES_MAX:
        raise AskedError("line", f"line is missing: {plant} has more than {LINES_MAX:,}, name one")
    found: Lines = {}
    for name, closed_to, *firsts in rows:
        known = [first for first in firsts if first is not None]
        found[name] = None if closed_to is None else Known(min(known, default=closed_to), closed_to)
    return found


def units_of(connection: Connection, plant: str, lines: Sequence[str]) -> list[Unit]:
    """Return the work units of lines, in order."""
    ideals = ideals_of(connection, plant)
    stops = select(STOPS.c.line, STOPS.c.work_unit).where(
        STOPS.c.plant == plant, STOPS.c.line.in_(lines), STOPS.c.work_unit.is_not(None)
    )
    stopped = {(line, unit) for line, unit in connection.execute(stops.distinct())}
    states = select(UNITS.c.line, UNITS.c.work_unit).where(
        UNITS.c.plant == plant, UNITS.c.line.in_(lines)
    )
    stated = {(line, unit) for line, unit in connection.execute(states)}
    of_lines = set(lines)
    known = {place for place in ideals if place[0] in of_lines} | stopped | stated
    return [
        Unit(line, unit, ideals.get((line, unit)), (line, unit) in stopped)
        for line, unit in sorted(known)[:UNITS_MAX]
    ]


def ideals_of(connection: Connection, plant: str) -> dict[tuple[str, str], int | None]:
    """Return the work units of a plant's master data by line, each with its `ideal_seconds`."""
    query = (
        select(REFERENCES.c.value)
        .where(
            REFERENCES.c.kind == "work_unit",
            REFERENCES.c.plant == plant,
            ~REFERENCES.c.deleted,
        )
        .limit(UNITS_MAX)
    )
    found: dict[tuple[str, str], int | None] = {}
    for (value,) in connection.execute(query):
        data = data_of(value)
        line, unit = data.get("line"), data.get("work_unit")
        if isinstance(line, str) and isinstance(unit, str):
            found[line, unit] = _positive(data.get("ideal_seconds"))
    return found


def _positive(given: object) -> int | None:
    if given is None:
        return None
    try:
        scaled = quantity.parse(given)
    except ValueError:
        return None
    return scaled if scaled > 0 else None
