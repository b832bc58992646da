"""EDGE: how late each line is in its shift, and why, from the books."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, select

from streams.contract.topics import SUMMARY_DOWNTIME, SUMMARY_MACHINE_STATE, SUMMARY_PRODUCTION
from streams.values import instant
from tables.books import lines_now
from tables.books.fresh import OPEN
from tables.books.kpi_asked import LateAsked
from tables.books.kpi_clocks import PlantClock, clocks_of
from tables.books.kpi_facts import MADE, PER_MICROSECOND, Books
from tables.books.kpi_figures import by_calendar
from tables.books.kpi_masters import ideals_of, lines_of
from tables.books.kpi_stretches import Numbered
from tables.books.plants import Plants
from tables.books.schema import EXCEPTIONS, FLOWS, REFERENCES
from tables.books.stored import data_of
from tables.kpi.days import Clock, Shift, clipped, length, planned_between
from tables.kpi.flows import ACCEPTED
from tables.kpi.lateness import Evidence, Lost, cause_of, plain, verdict_of
from tables.kpi.local_time import QUARTER
from tables.kpi.states import WAITING

EVIDENCE_MAX: Final = 10
"""Of a line: what took the most time."""

USUAL: Final = 300 * instant.SECOND
"""Summaries are behind by the grace, the windows' length and the ticks: that isn't late yet."""

HOUR: Final = 4 * QUARTER


def late(
    connection: Connection,
    plants: Plants,
    query: LateAsked,
    now: int,
    *,
    zones: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return `items`: the lines that are seen, the latest first, each with its shift so far."""
    rows = []
    for plant, clock in clocks_of(connection, plants, query.plant, zones or {}, now).items():
        here = lines_now.lines_of(connection, plants, plant, None, now)
        lines = {line: row for (_, line), row in here.items()}
        groups = _groups(connection, plant)
        for of, names in by_calendar(clock, lines_of(connection, plants, plant, None)):
            at = max(lines_now.present(lines[name], now) for name in names)
            shift = _shift(clock, next(iter(names)), at)
            books = Books(connection, plant, names)
            lost = _lost(books, of, shift, at, groups)
            for line, each in lost.items():
                verdict = verdict_of(each)
                rows.append((-verdict.late, plant, line, shift, at, plain(verdict)))
    rows.sort(key=lambda row: row[:3])
    return {
        "items": [
            {
                "plant": plant,
                "line": line,
                "shift": shift.name,
                "from": instant.text(shift.from_),
                "to": instant.text(at),
                **verdict,
                "evidence": verdict["evidence"][:EVIDENCE_MAX],
            }
            for _, plant, line, shift, at, verdict in rows
        ]
    }


def _shift(clock: PlantClock, line: str, at: int) -> Shift:
    return clock.shift_at(line, at) or clock.day_at(line, at)


def _lost(
    books: Books,
    clock: Clock,
    shift: Shift,
    at: int,
    groups: Mapping[str, str],
) -> dict[str, Lost]:
    """Return what lines with one calendar have lost in a shift, until now."""
    begin, end = shift.from_, min(shift.to, -(-at // QUARTER) * QUARTER)
    planned = planned_between(clock, begin, end)
    stretches = [(0, from_, to) for from_, to in planned]
    ideals = _slowest(books)
    found = {}
    for line, known in books.lines.items():
        begun, closed_to = (begin, begin) if known is None else (known.begun, known.closed_to)
        worked = length(clipped(planned, begun, min(at, closed_to)))
        unheard = length(clipped(planned, closed_to, at)) if at - closed_to > USUAL else 0
        found[line] = Lost(
            worked * PER_MICROSECOND, unheard * PER_MICROSECOND, ideals.get(line), good=0
        )
    _add_made(books, stretches, found)
    _add_stops(books, stretches, groups, found)
    _add_refused(books, found)
    _add_lag(books, at, found)
    return found


def _slowest(books: Books) -> dict[str, int]:
    """Return the greatest ideal time of the work units of a line, by line."""
    found: dict[str, int] = {}
    for (line, _), ideal in ideals_of(books.connection, books.plant).items():
        if ideal is not None:
            found[line] = max(ideal, found.get(line, 0))
    return found


def _add_made(books: Books, stretches: Sequence[Numbered], found: Mapping[str, Lost]) -> None:
    """Add what was made: good pieces count only where all are of one unit of measure."""
    uoms: dict[str, set[str | None]] = {}
    made = books.summed(SUMMARY_PRODUCTION, stretches, ("line", "uom"), MADE, where="line")
    for (_, line, uom, _), value in made.items():
        if value:
            uoms.setdefault(line, set()).add(uom)
    for (_, line, _, measure), value in made.items():
        lost = found[line]
        if len(uoms.get(line, ())) > 1:
            lost.good = None
        elif measure != "good":
            lost.rejected += value
        elif lost.good is not None:
            lost.good += value


def _add_stops(
    books: Books,
    stretches: Sequence[Numbered],
    groups: Mapping[str, str],
    found: Mapping[str, Lost],
) -> None:
    rows = ("line", "work_unit", "reason", "planned")
    stops = books.summed(SUMMARY_DOWNTIME, stretches, rows, ("seconds",))
    for (_, line, unit, reason, planned, _), seconds in stops.items():
        if seconds > 0:
            why = cause_of(reason or "", bool(planned), groups.get(reason or ""))
            what = f"{unit or line}: {reason or 'a stop without a reason'}"
            found[line].stops.append(Evidence(why, what, seconds))
    by = ("line", "work_unit", "state")
    states = books.summed(SUMMARY_MACHINE_STATE, stretches, by, ("seconds",))
    for (_, line, unit, state, _), seconds in states.items():
        if state in WAITING and seconds > 0:
            found[line].stops.append(Evidence("material", f"{unit}: {state}", seconds))


def _add_refused(books: Books, found: Mapping[str, Lost]) -> None:
    query = (
        select(EXCEPTIONS.c.line, func.count())
        .where(
            EXCEPTIONS.c.status.in_(OPEN),
            EXCEPTIONS.c.plant == books.plant,
            EXCEPTIONS.c.line.in_(tuple(books.lines)),
        )
        .group_by(EXCEPTIONS.c.line)
    )
    for line, count in books.connection.execute(query):
        found[line].refused = int(count)


def _add_lag(books: Books, at: int, found: Mapping[str, Lost]) -> None:
    query = (
        select(FLOWS.c.line, func.sum(FLOWS.c.lag), func.sum(FLOWS.c.records))
        .where(
            FLOWS.c.plant == books.plant,
            FLOWS.c.line.in_(tuple(books.lines)),
            FLOWS.c.quarter >= at - HOUR,
            FLOWS.c.outcome == ACCEPTED,
        )
        .group_by(FLOWS.c.line)
    )
    for line, lag, records in books.connection.execute(query):
        found[line].lag = max(0, int(lag) // int(records)) * PER_MICROSECOND if records else 0


def _groups(connection: Connection, plant: str) -> dict[str, str]:
    """Return the group of each reason that has one; the plant's own goes before that of all."""
    query = (
        select(REFERENCES.c.value)
        .where(
            REFERENCES.c.kind == "reason",
            REFERENCES.c.plant.in_((plant, "*")),
            ~REFERENCES.c.deleted,
        )
        .order_by(REFERENCES.c.plant)
    )
    return dict(_grouped(data_of(value) for (value,) in connection.execute(query)))


def _grouped(records: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    for data in records:
        reason, group = data.get("reason"), data.get("group")
        if isinstance(reason, str) and isinstance(group, str):
            yield reason, group
