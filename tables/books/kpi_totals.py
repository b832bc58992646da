"""EDGE: what was accepted, and what of it has left for the ERP: exactly, by type and unit."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, func, select

from streams.contract.policy import Policy, default_policy
from tables.books.amounts import billionths
from tables.books.amounts import text as amount_text
from tables.books.kpi_asked import TotalsAsked
from tables.books.plants import Plants, seen
from tables.books.schema import ACCEPTED, FLOWS, POSTED
from tables.kpi.flows import ACCEPTED as WAS_ACCEPTED
from tables.kpi.flows import DUPLICATE, TELEMETRY, TICK

COUNTED: Final = "records"
"""In place of a measure: events that have none are counted."""

Measured = tuple[str, str, str]
"""Type, measure, unit."""


def totals(
    connection: Connection,
    plants: Plants,
    query: TotalsAsked,
    now: int,  # noqa: ARG001  # all queries are asked in one form
    *,
    zones: Mapping[str, str] | None = None,  # noqa: ARG001
    policy: Policy | None = None,
) -> dict[str, Any]:
    """Return `items` by type of event, measure and unit, and `records` by topic.

    What hasn't left is in windows that are open, or parked, or booked by the ERP itself.
    """
    leads = _leads_to(policy or default_policy())
    accepted = _sums(connection, ACCEPTED, plants, query)
    posted = _sums(connection, POSTED, plants, query)
    items = []
    for (type_, measure, uom), (records, amount) in sorted(accepted.items()):
        becomes, posted_measure = leads.get((type_, measure), (None, measure))
        counted = amount if measure else records
        left = None
        if becomes is not None:
            left = posted.get((becomes, posted_measure, uom), (0, 0))[1]
        items.append(
            {
                "type": type_,
                "becomes": becomes,
                "measure": measure or COUNTED,
                "uom": uom or None,
                "accepted": _text(counted, measure),
                "left": None if left is None else _text(left, measure),
                "not_left": None if left is None else _text(counted - left, measure),
            }
        )
    return {"items": items, "records": _records(connection, plants, query)}


def _text(counted: int, measure: str) -> str:
    return amount_text(0, counted) if measure else str(counted)


def _leads_to(policy: Policy) -> dict[tuple[str, str], tuple[str | None, str]]:
    """Return the transaction, and its measure, that a measure of an event goes into."""
    found: dict[tuple[str, str], tuple[str | None, str]] = {}
    for name, transaction in policy.transactions.items():
        for type_, inputs in transaction.inputs.items():
            for measure, member in inputs.items():
                found.setdefault((type_, member), (name, measure))
    return found


def _sums(
    connection: Connection, table: Table, plants: Plants, query: TotalsAsked
) -> dict[Measured, tuple[int, int]]:
    """Return records and billionths by type, measure and unit."""
    columns = table.c.type, table.c.measure, table.c.uom
    wanted = select(
        *columns, func.sum(table.c.records), func.sum(table.c.whole), func.sum(table.c.nano)
    ).where(seen(table.c.plant, plants), *_of(table, query))
    return {
        (type_, measure, uom): (int(records), billionths(whole, nano))
        for type_, measure, uom, records, whole, nano in connection.execute(
            wanted.group_by(*columns)
        )
    }


def _records(connection: Connection, plants: Plants, query: TotalsAsked) -> list[dict[str, Any]]:
    """Return by topic how many records came in, and as what they ended: law 5 of the contract."""
    columns = FLOWS.c.topic, FLOWS.c.outcome
    wanted = (
        select(*columns, func.sum(FLOWS.c.records))
        .where(seen(FLOWS.c.plant, plants), *_of(FLOWS, query))
        .group_by(*columns)
    )
    found: dict[str, dict[str, Any]] = {}
    for topic, outcome, records in connection.execute(wanted):
        row = found.setdefault(
            topic,
            {"topic": topic, "in": 0, "accepted": 0, "duplicate": 0, "exception": 0, "tick": 0},
        )
        row["in"] += int(records)
        row[_ending(outcome)] += int(records)
    return [found[topic] for topic in sorted(found)]


def _ending(outcome: str) -> str:
    if outcome in (WAS_ACCEPTED, TELEMETRY):
        return "accepted"
    return outcome if outcome in (DUPLICATE, TICK) else "exception"


def _of(table: Table, query: TotalsAsked) -> list[Any]:
    wanted = []
    if query.plant is not None:
        wanted.append(table.c.plant == query.plant)
    if query.line is not None:
        wanted.append(table.c.line == query.line)
    return wanted
