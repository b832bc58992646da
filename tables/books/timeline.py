"""EDGE: a line over some hours: its stops, its machine states, and why it stood still."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, or_, select

from streams.contract.events import MachineState
from streams.contract.topics import SUMMARY_DOWNTIME, SUMMARY_PRODUCTION
from tables.books import amounts
from tables.books.fresh import told
from tables.books.last_operations import finished
from tables.books.lines_now import LASTING
from tables.books.made import MEASURES, QUARTER, Made
from tables.books.schema import INPUTS, STOPS, SUMS
from tables.books.stored import event_of

PIECES_MAX: Final = 2_000
"""Stops, and machine states, of a timeline, each: the newest ones."""

REASONS_MAX: Final = 100

STATE: Final = "machine.state.v1"


class Span(NamedTuple):
    """Of which line, from when to when."""

    plant: str
    line: str
    begin: int
    end: int


def pieces(connection: Connection, span: Span) -> list[dict[str, Any]]:
    """Return stops and machine states that share time with a span, cut to it, in order."""
    found = [*_stops(connection, span), *_states(connection, span)]
    found.sort(key=lambda each: (each[0], each[1] or ""))
    return [piece for _, _, piece in found]


Piece = tuple[int, str | None, dict[str, Any]]


def _piece(
    span: Span,
    work_unit: str | None,
    begin: int,
    end: int,
    state: str,
    planned: bool | None,
    reason: str | None,
) -> Piece:
    begin, end = max(begin, span.begin), min(end, span.end)
    return (
        begin,
        work_unit,
        {
            "work_unit": work_unit,
            "from": told(begin),
            "to": told(end),
            "state": state,
            "planned": planned,
            "reason": reason,
        },
    )


def _stops(connection: Connection, span: Span) -> list[Piece]:
    """Return the stops; one without an end lasts until the span's end, a day at most."""
    column = STOPS.c
    wanted = (
        select(STOPS)
        .where(
            column.plant == span.plant,
            column.line == span.line,
            column.started_at < span.end,
            or_(
                column.ended_at > span.begin,
                column.ended_at.is_(None) & (column.started_at > span.begin - LASTING),
            ),
        )
        .order_by(column.started_at.desc())
        .limit(PIECES_MAX)
    )
    found = []
    for row in connection.execute(wanted):
        end = row.started_at + LASTING if row.ended_at is None else row.ended_at
        state = "planned_stop" if row.planned else "unplanned_stop"
        found.append(
            _piece(span, row.work_unit, row.started_at, end, state, row.planned, row.reason)
        )
    return found


def _states(connection: Connection, span: Span) -> list[Piece]:
    """Return what machine states say; each lasts until the next one of its work unit."""
    column = INPUTS.c
    wanted = (
        select(column.happened_at, column.value)
        .where(
            column.plant == span.plant,
            column.line == span.line,
            column.happened_at >= span.begin - LASTING // 8,
            column.happened_at < span.end,
            column.type == STATE,
            column.outcome == "accepted",
        )
        .order_by(column.happened_at.desc())
        .limit(PIECES_MAX)
    )
    next_of: dict[str, int] = {}
    found = []
    for row in connection.execute(wanted):
        event = event_of(row.value)
        if not isinstance(event, MachineState):
            continue
        data = event.data
        end = min(next_of.get(data.work_unit, span.end), row.happened_at + LASTING)
        next_of[data.work_unit] = row.happened_at
        if end > span.begin and end > row.happened_at:
            found.append(
                _piece(span, data.work_unit, row.happened_at, end, data.state, None, data.reason)
            )
    return found


def pareto(connection: Connection, span: Span) -> list[dict[str, Any]]:
    """Return how long the line stood still for which reason, the longest first.

    It is of whole quarters of an hour, as far as windows have closed.
    """
    column = SUMS.c
    columns = (column.reason, column.planned, column.measure)
    wanted = (
        select(*columns, func.sum(column.whole), func.sum(column.nano))
        .where(*_of(span, SUMMARY_DOWNTIME), column.measure.in_(("seconds", "stops")))
        .group_by(*columns)
    )
    found: defaultdict[tuple[str | None, bool | None], dict[str, int]] = defaultdict(dict)
    for reason, planned, measure, whole, nano in connection.execute(wanted):
        found[reason, planned][measure] = amounts.billionths(whole, nano)
    longest = sorted(found.items(), key=lambda each: -each[1].get("seconds", 0))
    return [
        {
            "reason": reason,
            "planned": planned,
            "seconds": amounts.text(0, sums.get("seconds", 0)),
            "stops": sums.get("stops", 0) // amounts.NANO,
        }
        for (reason, planned), sums in longest[:REASONS_MAX]
    ]


def rates(connection: Connection, span: Span) -> list[dict[str, Any]]:
    """Return what was made in each quarter of an hour, as far as windows have closed."""
    column = SUMS.c
    columns = (column.quarter, column.uom, column.measure)
    source, is_last = finished(SUMS, "line")
    wanted = (
        select(*columns, func.sum(column.whole), func.sum(column.nano))
        .select_from(source)
        .where(*_of(span, SUMMARY_PRODUCTION), column.measure.in_(MEASURES), is_last)
        .group_by(*columns)
    )
    found: defaultdict[int, Made] = defaultdict(Made)
    for quarter, uom, measure, whole, nano in connection.execute(wanted):
        found[quarter].add(uom, measure, amounts.billionths(whole, nano))
    return [
        {"at": told(quarter), **item}
        for quarter, made in sorted(found.items())
        for item in made.items()
    ]


def _of(span: Span, type_: str) -> Sequence[Any]:
    return (
        SUMS.c.plant == span.plant,
        SUMS.c.line == span.line,
        SUMS.c.type == type_,
        SUMS.c.quarter >= span.begin - span.begin % QUARTER,
        SUMS.c.quarter < span.end,
    )
