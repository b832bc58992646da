"""EDGE: what a batch adds, added to the sums of the books."""

from typing import Any, Final

from sqlalchemy import Column, Connection, Float, Table, case, cast, func, null, select, tuple_

from streams.contract.topics import SUMMARY_PRODUCTION
from tables.books.added import Added, Stop
from tables.books.amounts import NANO, Amount, of_billionths
from tables.books.inserting import inserting, parts
from tables.books.rows_outputs import ROW_MEMBERS
from tables.books.schema import ACCEPTED, FLOWS, LINES, OPERATIONS, POSTED, STOPS, SUMS, UNITS

SUM_MAX: Final = 9_200_000_000_000_000_000
"""A sum that would grow past what a column holds stays as it is: thousands of events of 10^15 each
would have to come, and the books go on."""

_Rows = list[dict[str, Any]]

_ORDER: Final = ROW_MEMBERS.index("order")
_OPERATION: Final = ROW_MEMBERS.index("operation")


def add_up(connection: Connection, added: Added) -> None:
    """Add what a batch adds; the order of tables and rows is always the same, so that two that
    write at once wait for one another, and never each for the other."""
    _add(connection, FLOWS, ("records", "lag"), _flows(added), greatest=("lag_max",))
    _add(connection, ACCEPTED, ("records", "whole", "nano"), _amounts(ACCEPTED, added.accepted))
    _add(connection, POSTED, ("records", "whole", "nano"), _amounts(POSTED, added.posted))
    _add(connection, SUMS, ("whole", "nano"), _sums(added))
    _add(connection, OPERATIONS, (), _operations(added), greatest=("operation", "quarter"))
    _add(connection, LINES, (), _lines(added), ("mes_at", "machine_at", "arrived_at", "closed_to"))
    _move_units(connection, added)
    _move_stops(connection, added)


def _add(
    connection: Connection,
    table: Table,
    sums: tuple[str, ...],
    rows: _Rows,
    greatest: tuple[str, ...] = (),
) -> None:
    if not rows:
        return
    adding = inserting(connection, table)
    new = adding.excluded
    changes: dict[str, Any] = {name: _bounded(table.c[name], new[name]) for name in sums}
    changes |= {name: _greatest(table.c[name], new[name]) for name in greatest}
    keys = [column.name for column in table.primary_key]
    connection.execute(adding.on_conflict_do_update(index_elements=keys, set_=changes), rows)


def _bounded(before: Column[Any], new: Any) -> Any:
    within = func.abs(cast(before, Float) + new) < SUM_MAX
    return case((within, before + new), else_=before)


def _greatest(before: Column[Any], new: Any) -> Any:
    return case((before.is_(null()), new), (new > before, new), else_=before)


def _flows(added: Added) -> _Rows:
    names = ("quarter", "topic", "plant", "line", "source", "outcome", "records", "lag", "lag_max")
    return [
        dict(zip(names, (*key, *counts), strict=True))
        for key, counts in sorted(added.flows.items())
    ]


def _amounts(table: Table, amounts: dict[Any, list[int]]) -> _Rows:
    names = [column.name for column in table.columns]
    return [
        dict(zip(names, (*key, records, *_parts(scaled)), strict=True))
        for key, (records, scaled) in sorted(amounts.items())
    ]


def _sums(added: Added) -> _Rows:
    rows = []
    for key, (scaled, members) in sorted(added.sums.items(), key=lambda item: item[0]):
        row = dict(zip(("plant", "line", "type", "quarter", "row", "measure"), key, strict=True))
        row["whole"], row["nano"] = _parts(scaled)
        for name, value in zip(ROW_MEMBERS, members, strict=True):
            row["order_id" if name == "order" else name] = value
        rows.append(row)
    return rows


def _operations(added: Added) -> _Rows:
    """Return the last operation of each order on each line for which something was made."""
    last: dict[tuple[str, str, str], tuple[str, int]] = {}
    for (plant, line, type_, quarter, _, _), (_, members) in added.sums.items():
        order, operation = members[_ORDER], members[_OPERATION]
        if type_ == SUMMARY_PRODUCTION and order and operation:
            before = last.get((plant, line, order), (operation, quarter))
            last[plant, line, order] = max(before[0], operation), max(before[1], quarter)
    names = ("plant", "line", "order_id", "operation", "quarter")
    return [dict(zip(names, (*key, *row), strict=True)) for key, row in sorted(last.items())]


def _parts(scaled: int) -> Amount:
    """Return what a batch adds, as the columns hold it."""
    return of_billionths(max(-SUM_MAX * NANO, min(scaled, SUM_MAX * NANO)))


def _lines(added: Added) -> _Rows:
    names = ("plant", "line", "mes_at", "machine_at", "arrived_at", "closed_to")
    return [
        dict(zip(names, (*key, *instants), strict=True))
        for key, instants in sorted(added.lines.items(), key=lambda item: item[0])
    ]


def _move_units(connection: Connection, added: Added) -> None:
    """Let work units be in the states that were reported.

    A report of the state that a unit is in doesn't change since when; an older one changes nothing.
    """
    keys = tuple_(UNITS.c.plant, UNITS.c.line, UNITS.c.work_unit)
    for part in parts(sorted(added.units)):
        now: dict[Any, Any] = {
            tuple(row[:3]): tuple(row[3:])
            for row in connection.execute(select(*UNITS.columns).where(keys.in_(part)))
        }
        before = dict(now)
        for key in part:
            for reported in added.units[key]:
                state, since, reason, _, _ = reported
                known = now.get(key)
                if known is not None and since < known[1]:
                    continue
                if known is not None and (known[0], known[2]) == (state, reason):
                    now[key] = (state, known[1], *reported[2:])
                else:
                    now[key] = reported
        changed = [(*key, *now[key]) for key in part if now[key] != before.get(key)]
        _replace(connection, UNITS, 3, changed)


def _move_stops(connection: Connection, added: Added) -> None:
    """Let episodes be as they were told: a classification replaces reason and whether planned."""
    for classified in (False, True):
        rows = [
            (*key, *_stop_row(stop))
            for key, stop in sorted(added.stops.items(), key=lambda item: item[0])
            if stop.told is classified
        ]
        _replace(connection, STOPS, 3, rows, ("reason", "planned") if classified else ())


def _stop_row(stop: Stop) -> tuple[Any, ...]:
    return stop.work_unit, stop.reason, stop.planned, stop.started_at, stop.ended_at


def _replace(
    connection: Connection,
    table: Table,
    key_columns: int,
    rows: list[tuple[Any, ...]],
    replaced: tuple[str, ...] | None = None,
) -> None:
    """Insert rows or change those that are there: all members, or `replaced` and what was null."""
    if not rows:
        return
    names = [column.name for column in table.columns]
    adding = inserting(connection, table)
    new = adding.excluded
    changes = {
        name: new[name]
        if replaced is None or name in replaced
        else func.coalesce(table.c[name], new[name])
        for name in names[key_columns:]
    }
    connection.execute(
        adding.on_conflict_do_update(index_elements=names[:key_columns], set_=changes),
        [dict(zip(names, row, strict=True)) for row in rows],
    )
