"""EDGE: what lines do now: running, stopped as planned or not, or silent; and since when.

An unplanned stop that has no end goes before all else. A line of which nothing has come for ten
minutes is silent, and no planned stop hides that. What is left is told by machine states; a line
without any runs as long as events come.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct, field
from sqlalchemy import ColumnElement, Connection, select

from streams.values.instant import DAY, SECOND
from tables.books.plants import Plants, seen
from tables.books.schema import LINES, STOPS, UNITS

State = Literal["running", "planned_stop", "unplanned_stop", "silent", "unknown"]

SILENT: Final = 600 * SECOND
"""A line of which nothing has arrived for so long is silent."""

LASTING: Final = DAY
"""A stop or a state of which no end is known isn't looked at any more after so long: the contract
counts none for longer (`episode_limit_seconds`, `state_limit_seconds`)."""

LINES_MAX: Final = 2_000
"""Lines of one answer."""

ROWS_MAX: Final = 50_000
"""Open stops, and work units, of one answer: 25 a line."""

RUNNING: Final = frozenset({"Execute", "Starting", "Completing", "Unholding", "Unsuspending"})
STOPPED: Final = frozenset(
    {"Stopped", "Stopping", "Aborted", "Aborting", "Clearing", "Held", "Holding"}
)
"""Machine states in which a work unit works, and in which something has stopped it; in the others
it is ready, or waits."""

Place = tuple[str, str]
"""(plant, line)."""


class Stop(NamedTuple):
    """A stop that has no end yet."""

    work_unit: str | None
    reason: str | None
    planned: bool | None
    started_at: int


class Unit(NamedTuple):
    """A work unit and its last machine state."""

    work_unit: str
    state: str
    since: int
    reason: str | None
    order: str | None


class Line(Struct):
    """What the books have of a line, and what it does now."""

    plant: str
    line: str
    clock: int | None
    """The greatest time of an event."""
    arrived_at: int | None
    closed_to: int | None
    stops: list[Stop] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    last_end: int | None = None
    """When the stop that began last ended, None if it hasn't."""


class Now(NamedTuple):
    """What a line does, since when, and what is said of it."""

    state: State
    since: int | None
    reason: str | None
    work_unit: str | None


def lines_of(
    connection: Connection, plants: Plants, plant: str | None, line: str | None, now: int
) -> dict[Place, Line]:
    """Return the lines that are seen, with their open stops and work units, in order."""
    wanted = select(LINES).where(*_of(LINES.c, plants, plant, line))
    rows = connection.execute(wanted.order_by(LINES.c.plant, LINES.c.line).limit(LINES_MAX))
    found = {
        (row.plant, row.line): Line(
            row.plant,
            row.line,
            max((at for at in (row.mes_at, row.machine_at) if at is not None), default=None),
            row.arrived_at,
            row.closed_to,
        )
        for row in rows
    }
    _add_stops(connection, found, plants, plant, line)
    _add_units(connection, found, plants, plant, line, now)
    return found


def _add_stops(
    connection: Connection,
    found: Mapping[Place, Line],
    plants: Plants,
    plant: str | None,
    line: str | None,
) -> None:
    """Add the stops that have no end, and when the one that began last ended."""
    column = STOPS.c
    wanted = (
        select(
            column.plant, column.line, column.work_unit, column.reason, column.planned,
            column.started_at,
        )
        .where(
            *_of(column, plants, plant, line),
            column.ended_at.is_(None),
            column.started_at.is_not(None),
        )
        .limit(ROWS_MAX)
    )  # fmt: skip
    for row in connection.execute(wanted):
        at = found.get((row.plant, row.line))
        if at is not None:
            at.stops.append(Stop(row.work_unit, row.reason, row.planned, row.started_at))
    last = (
        select(column.ended_at)
        .where(
            column.plant == LINES.c.plant,
            column.line == LINES.c.line,
            column.started_at.is_not(None),
        )
        .order_by(column.started_at.desc())
        .limit(1)
        .correlate(LINES)
        .scalar_subquery()
    )
    ends = select(LINES.c.plant, LINES.c.line, last).where(*_of(LINES.c, plants, plant, line))
    for name, of, ended_at in connection.execute(ends.limit(LINES_MAX)):
        if (name, of) in found:
            found[name, of].last_end = ended_at


def _add_units(
    connection: Connection,
    found: Mapping[Place, Line],
    plants: Plants,
    plant: str | None,
    line: str | None,
    now: int,
) -> None:
    column = UNITS.c
    wanted = (
        select(
            column.plant, column.line, column.work_unit, column.state, column.since,
            column.reason, column.order_id,
        )
        .where(*_of(column, plants, plant, line))
        .order_by(column.plant, column.line, column.work_unit)
        .limit(ROWS_MAX)
    )  # fmt: skip
    oldest = {place: present(at, now) - LASTING for place, at in found.items()}
    for name, of, *told in connection.execute(wanted).all():
        if (name, of) in found and told[2] >= oldest[name, of]:
            found[name, of].units.append(Unit(*told))


def _of(
    columns: Any, plants: Plants, plant: str | None, line: str | None
) -> list[ColumnElement[bool]]:
    conditions = [seen(columns.plant, plants)]
    if plant is not None:
        conditions.append(columns.plant == plant)
    if line is not None:
        conditions.append(columns.line == line)
    return conditions


def present(line: Line, now: int) -> int:
    """Return what time it is on a line by its own events: the greatest, and what passed since."""
    if line.clock is None:
        return now
    return line.clock + max(0, now - (now if line.arrived_at is None else line.arrived_at))


def now_of(line: Line, now: int) -> Now:
    """Return what a line does."""
    oldest = present(line, now) - LASTING
    stops = [each for each in line.stops if each.started_at >= oldest]
    unplanned = _first(each for each in stops if not each.planned)
    if unplanned is not None:
        return Now("unplanned_stop", unplanned.started_at, unplanned.reason, unplanned.work_unit)
    if line.arrived_at is not None and now - line.arrived_at >= SILENT:
        return Now("silent", line.arrived_at, None, None)
    planned = _first(each for each in stops if each.planned)
    if planned is not None:
        return Now("planned_stop", planned.started_at, planned.reason, planned.work_unit)
    return _by_machines(line)


def _by_machines(line: Line) -> Now:
    running = [each for each in line.units if each.state in RUNNING]
    if running:
        since = min(each.since for each in running)
        return Now("running", max(since, line.last_end or since), None, None)
    stopped = [each for each in line.units if each.state in STOPPED]
    if stopped:
        first = min(stopped, key=lambda each: each.since)
        return Now("unplanned_stop", first.since, first.reason or first.state, first.work_unit)
    if line.units:
        return Now("unknown", max(each.since for each in line.units), None, None)
    if line.arrived_at is None:
        return Now("unknown", None, None, None)
    return Now("running", line.last_end, None, None)


def _first(stops: Iterable[Stop]) -> Stop | None:
    return min(stops, key=lambda each: each.started_at, default=None)
