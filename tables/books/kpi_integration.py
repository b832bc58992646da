"""EDGE: how well the data come, by plant and source: latency, completeness, rates, what is open."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from functools import partial
from statistics import median_low
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from streams.contract.topics import MES_EVENTS
from tables.books.fresh import OPEN
from tables.books.kpi_asked import IntegrationAsked
from tables.books.kpi_clocks import clocks_of, period_of
from tables.books.kpi_figures import Period
from tables.books.parked import COLUMNS, parked_events
from tables.books.plants import Plants, seen
from tables.books.schema import EXCEPTIONS, FLOWS, INPUTS, LINES, TRANSACTIONS
from tables.kpi.days import Clock
from tables.kpi.flows import ACCEPTED, TICK, Flow, plain_flow
from tables.kpi.local_time import QUARTER
from tables.line.rules import Rules, rules_for

SAMPLED_LINES_MAX: Final = 100
SAMPLED_OF_A_LINE: Final = 20
"""Records that left at once, the latest, whose way from the topic is measured."""

SOURCES_MAX: Final = 1_000
"""Rows of an answer; a producer that makes up a source an event would be a thousand rows."""

UNREAD: Final = ""
"""In `flows`: a plant or source that couldn't be read."""

SPELT: Final = {"%7C": "|", "%3A": ":", "%25": "%"}
"""How these are written in a posting key; "%" is read last."""

Origin = tuple[str, str]
"""Plant and source, empty where unknown."""


def integration(
    connection: Connection,
    plants: Plants,
    query: IntegrationAsked,
    now: int,
    rules: Rules | None = None,
    *,
    zones: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return `period` and `items`, by plant and source. Raises `AskedError`.

    The period is taken in full quarters of an hour, of arrival. `rules` are those of
    `mes.events.v1`.
    """
    flows: dict[Origin, Flow] = {}
    postings: dict[Origin, list[int]] = {}
    period = Period()
    clocks = clocks_of(connection, plants, query.plant, zones or {}, now)
    for plant, clock in clocks.items():
        begin, end = _quarters(clock.clock_of(None), query, now)
        period.widen(begin, end)
        postings |= _postings(connection, plant, begin)
        _add(connection, partial(_is, plant), begin, end, flows)
    if query.plant is None:
        # Plants of which no event was ever accepted, and what names no plant at all.
        if period.begin is None or period.end is None:
            period.widen(*_quarters(Clock(UTC), query, now))
        others = partial(_is_other, sorted(clocks), plants)
        _add(connection, others, period.begin or 0, period.end or 0, flows)
    columns = *COLUMNS, INPUTS.c.source
    for each in parked_events(
        connection, plants, rules or rules_for(MES_EVENTS), columns=columns, plant=query.plant
    ):
        origin = each.row["plant"] or UNREAD, each.row["source"] or UNREAD
        flows.setdefault(origin, Flow()).parked += 1
    items = [
        {
            "plant": plant or None,
            "source": source or None,
            **plain_flow(flow, _middle(postings.get((plant, source), ()))),
        }
        for (plant, source), flow in sorted(flows.items())
        if query.source in (None, source)
    ]
    return {"period": period.plain(), "items": items[:SOURCES_MAX]}


def _is(plant: str, column: Any) -> ColumnElement[bool]:
    return and_(column == plant)


def _is_other(known: list[str], plants: Plants, column: Any) -> ColumnElement[bool]:
    return and_(or_(column.is_(None), column.not_in(known)), seen(column, plants))


def _quarters(clock: Clock, query: IntegrationAsked, now: int) -> tuple[int, int]:
    begin, end = period_of(clock, query.from_, query.to, now)
    return begin // QUARTER * QUARTER, -(-end // QUARTER) * QUARTER


def _add(
    connection: Connection,
    of: Callable[[Any], ColumnElement[bool]],
    begin: int,
    end: int,
    flows: dict[Origin, Flow],
) -> None:
    """Add the records of some plants, and the exceptions of theirs that are open."""
    columns = FLOWS.c.plant, FLOWS.c.source, FLOWS.c.outcome
    counted = (
        select(
            *columns, func.sum(FLOWS.c.records), func.sum(FLOWS.c.lag), func.max(FLOWS.c.lag_max)
        )
        .where(
            of(FLOWS.c.plant),
            FLOWS.c.quarter >= begin,
            FLOWS.c.quarter < end,
            FLOWS.c.outcome != TICK,
        )
        .group_by(*columns)
    )
    for plant, source, outcome, records, lag, lag_max in connection.execute(counted):
        flow = flows.setdefault((plant, source), Flow())
        flow.add(outcome, int(records), int(lag), int(lag_max))
    raised = and_(EXCEPTIONS.c.raised_at >= begin, EXCEPTIONS.c.raised_at < end)
    unsettled = (
        select(
            EXCEPTIONS.c.plant,
            EXCEPTIONS.c.source,
            func.count(),
            func.sum(case((raised, 1), else_=0)),
        )
        .where(EXCEPTIONS.c.status.in_(OPEN), of(EXCEPTIONS.c.plant))
        .group_by(EXCEPTIONS.c.plant, EXCEPTIONS.c.source)
    )
    for plant, source, count, of_period in connection.execute(unsettled):
        flow = flows.setdefault((plant or UNREAD, source or UNREAD), Flow())
        flow.open_exceptions += int(count)
        flow.open_of_period += int(of_period)


def _postings(connection: Connection, plant: str, begin: int) -> dict[Origin, list[int]]:
    """Return how long the latest records that left at once took from their topic, by source."""
    lines = select(LINES.c.line).where(LINES.c.plant == plant).order_by(LINES.c.line)
    found: dict[Origin, list[int]] = {}
    for line in connection.execute(lines.limit(SAMPLED_LINES_MAX)).scalars().all():
        query = (
            select(TRANSACTIONS.c.id, TRANSACTIONS.c.written_at)
            .where(
                TRANSACTIONS.c.plant == plant,
                TRANSACTIONS.c.line == line,
                TRANSACTIONS.c.happened_at >= begin,
                TRANSACTIONS.c.window_start.is_(None),
                TRANSACTIONS.c.reverses.is_(None),
            )
            .order_by(TRANSACTIONS.c.happened_at.desc())
            .limit(SAMPLED_OF_A_LINE)
        )
        written: dict[Origin, int] = {}
        for id_, at in connection.execute(query):
            source, mark, event = id_.split(":", 2)[-1].partition("|")
            if mark:
                written[_read(source), _read(event)] = at
        for source, arrived, at in _arrivals(connection, plant, line, written):
            found.setdefault((plant, source), []).append(max(0, at - arrived))
    return found


def _arrivals(
    connection: Connection, plant: str, line: str, written: Mapping[Origin, int]
) -> Iterable[tuple[str, int, int]]:
    """Yield source, arrival on the topic, and when what came of it was written."""
    if not written:
        return
    query = select(INPUTS.c.source, INPUTS.c.event_id, INPUTS.c.arrived_at).where(
        INPUTS.c.event_id.in_(sorted({event for _, event in written})),
        INPUTS.c.plant == plant,
        INPUTS.c.line == line,
        INPUTS.c.outcome == ACCEPTED,
        INPUTS.c.arrived_at.is_not(None),
    )
    for source, event, arrived in connection.execute(query):
        at = written.get((source, event))
        if at is not None:
            yield source, arrived, at


def _read(component: str) -> str:
    for spelt, character in SPELT.items():
        component = component.replace(spelt, character)
    return component


def _middle(times: Iterable[int]) -> int | None:
    """Return the median: finals that wait, and what was parked, would make a mean useless."""
    ordered = list(times)
    return median_low(ordered) if ordered else None
