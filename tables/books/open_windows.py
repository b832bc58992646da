"""EDGE: what has been accepted into windows of a line that haven't closed yet."""

from collections import defaultdict
from typing import Any, Final

from sqlalchemy import Connection, select

from streams.contract.events import TYPES
from streams.values import quantity
from tables.books import leading
from tables.books.became import Plant
from tables.books.fresh import told
from tables.books.parked import COLUMNS, backflushed, parked_events
from tables.books.schema import INPUTS
from tables.books.stored import event_of
from tables.books.waiting import Line, cadence_at, plants_of
from tables.line.rules import Kind, Rules

EVENTS_MAX: Final = 5_000
"""Events that are looked at: a window of a day may have more, then it isn't shown whole."""

FED: Final = frozenset(
    {
        "production.confirmed.v1",
        "goods.received.v1",
        "material.consumed.v1",
        "scrap.declared.v1",
        "rework.declared.v1",
        "labor.booked.v1",
        "transaction.reversed.v1",
    }
)
"""The event types that go by window to the ERP, or may."""

Window = tuple[str, int, int]
"""(record type, start, end)."""


def open_windows(
    connection: Connection, plant: str, line: str, line_at: Line, rules: Rules, now: int
) -> list[dict[str, Any]]:
    """Return the open windows of what goes to the ERP, with their sums by unit."""
    if line_at.mes_at is None:
        return []
    of = plants_of(connection, frozenset({plant}), rules, now)[plant]
    known_to = max(line_at.mes_at, (line_at.closed_to or 0) + of.grace)
    begin = _earliest(of, rules, known_to - of.grace)
    column = INPUTS.c
    wanted = (
        select(*COLUMNS, column.value)
        .where(
            column.plant == plant,
            column.line == line,
            column.happened_at >= begin,
            column.type.in_(sorted(FED)),
            column.outcome == "accepted",
        )
        .order_by(column.happened_at.desc())
        .limit(EVENTS_MAX)
    )
    sums: defaultdict[Window, defaultdict[tuple[str, str | None], int]] = defaultdict(
        lambda: defaultdict(int)
    )
    rows = connection.execute(wanted).mappings().all()
    parked = parked_events(connection, frozenset({plant}), rules, line=line)
    aside = {(each.row["number"], each.row["position"]) for each in parked}
    aside |= backflushed(connection, rows)
    for row in rows:
        if (row["number"], row["position"]) in aside:
            continue
        event = event_of(row["value"])
        about = None if event is None else leading.told_of(event)
        if about is None or leading.goes_alone(about):
            continue
        for kind, _ in leading.rows(rules, about, True):
            cadence = cadence_at(rules, of, kind.record, about.time)
            if cadence is None:
                continue
            start, end = leading.window_of(cadence, about.time)
            if end + of.grace > known_to:
                _add(sums[kind.record, start, end], rules, kind, about)
    return [
        {
            "type": record,
            "window_start": told(start),
            "window_end": told(end),
            "accepted": [
                {"measure": measure, "uom": uom, "value": quantity.text(amount)}
                for (measure, uom), amount in sorted(of_window.items(), key=repr)
            ],
        }
        for (record, start, end), of_window in sorted(sums.items())
    ]


def _earliest(of: Plant, rules: Rules, at: int) -> int:
    """Return the earliest start of a window that isn't closed."""
    starts = [at - at % rules.posting]
    for kind in rules.kinds:
        if kind.erp:
            cadences = leading.cadences(rules, kind.record, of.rules, of.zone)
            starts += [leading.window_of(cadence, at)[0] for cadence in cadences]
    return min(starts)


def _add(
    sums: defaultdict[tuple[str, str | None], int], rules: Rules, kind: Kind, about: leading.Told
) -> None:
    sign = -1 if about.reversal else 1
    uom = getattr(about.data, "uom", None)
    for each in rules.plans[TYPES[about.type]].contributions:
        if each.kind_index == kind.index:
            for slot, member in each.slots:
                sums[kind.measures[slot], uom] += sign * (getattr(about.data, member, None) or 0)
