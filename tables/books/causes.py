"""EDGE: which events caused a record: by its causes, and by the row and window that it has.

A record names the ids of its first 20 events. What else is in a window's row is found as the job
found it: events of the types that feed the record, with the row's members, in the window.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from streams.contract.transactions import NOTIFICATION, REVERSAL
from tables.books import leading, shown
from tables.books.besides import besides
from tables.books.schema import INPUTS
from tables.books.stored import data_of, event_of
from tables.line.rules import Rules

EVENTS_MAX: Final = 200
"""Of one record: a row of a day may have thousands."""

_SPELT: Final = (("%3A", ":"), ("%7C", "|"), ("%25", "%"))
"""How a posting key writes what it has a meaning for, `%` last."""


def events_of(connection: Connection, record: RowMapping, rules: Rules) -> list[RowMapping]:
    """Return the accepted events that went into a record, as far as it names them or has a row."""
    data = data_of(record["value"])
    conditions: list[ColumnElement[bool]] = [
        besides(INPUTS.c.plant) == record["plant"],
        besides(INPUTS.c.line) == record["line"],
        INPUTS.c.outcome == "accepted",
    ]
    found: dict[tuple[Any, ...], RowMapping] = {}
    causes = [each for each in data.get("causes") or [] if each]
    if causes:
        named = select(*shown.EVENT_COLUMNS).where(*conditions, INPUTS.c.event_id.in_(causes))
        source = source_of(record)
        if source is not None:
            named = named.where(INPUTS.c.source == source)
        for row in connection.execute(named.limit(EVENTS_MAX)).mappings():
            found[_at(row)] = row
    if len(found) < int(data.get("cause_count") or 0) and record["window_start"] is not None:
        for row in _in_row(connection, record, conditions, rules):
            found.setdefault(_at(row), row)
    return sorted(found.values(), key=_at)[:EVENTS_MAX]


def source_of(record: RowMapping) -> str | None:
    """Return the source in the posting key of a record that one event caused, None of another."""
    key = record["id"]
    if record["type"] == NOTIFICATION or record["window_start"] is not None or _of_stop(key):
        return None
    source, found, _ = key.rpartition(":")[2].partition("|")
    for spelt, character in _SPELT:
        source = source.replace(spelt, character)
    return source if found else None


def _of_stop(key: str) -> bool:
    return key.startswith(("mn:", "rv:mn:"))


def _at(row: RowMapping) -> tuple[Any, ...]:
    return row["topic"], row["number"], row["position"]


def summed(connection: Connection, summary: RowMapping, rules: Rules) -> list[RowMapping]:
    """Return the accepted events that are in a row of a summary, `EVENTS_MAX` at most."""
    conditions: list[ColumnElement[bool]] = [
        INPUTS.c.plant == summary["plant"],
        INPUTS.c.line == summary["line"],
        INPUTS.c.outcome == "accepted",
    ]
    return sorted(_in_row(connection, summary, conditions, rules, erp=False), key=_at)[:EVENTS_MAX]


def _in_row(
    connection: Connection,
    record: RowMapping,
    conditions: list[ColumnElement[bool]],
    rules: Rules,
    erp: bool = True,
) -> list[RowMapping]:
    """Return the events of the window whose row is the record's."""
    kind = next((each for each in rules.kinds if each.record == record["type"]), None)
    if kind is None or record["type"] == REVERSAL:
        return []
    members = [
        column == record[name]
        for name, column in (("order_id", INPUTS.c.order_id), ("item", INPUTS.c.item))
        if record[name] is not None
    ]
    query = select(*shown.EVENT_COLUMNS).where(
        *conditions,
        *members,
        INPUTS.c.happened_at >= record["window_start"],
        INPUTS.c.happened_at < record["window_end"],
    )
    found = []
    for row in connection.execute(query.limit(5 * EVENTS_MAX)).mappings():
        event = event_of(row["value"])
        told = None if event is None else leading.told_of(event)
        if told is None or told.reversal or (erp and leading.goes_alone(told)):
            continue
        for fed, text in leading.rows(rules, told, erp):
            start = leading.key_start(fed, told, record["window_start"], text)
            if fed is kind and record["id"].startswith(start):
                found.append(row)
    return found
