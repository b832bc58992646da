"""EDGE: exceptions by filters: the list, how many there are, and which reasons are frequent."""

import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final, Literal

from msgspec import field
from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from streams.values.instant import SECOND
from tables.books import cursors, shown
from tables.books.asked import ListAsked, Moment, Seconds, Text, choices, period
from tables.books.fresh import told
from tables.books.known_now import zone_of
from tables.books.like import contains
from tables.books.plants import Plants, seen
from tables.books.schema import EXCEPTIONS
from tables.line.rules import Rules

STATUSES: Final = ("open", "asked", "resent", "resolved", "refused_again", "dismissed")

TOTAL_MAX: Final = 10_000
"""Exceptions are counted as far as this: more is "10000+"."""

SCANNED_MAX: Final = 100_000
"""So many are looked through for a part of a text: some tenths of a second."""

REASONS_OF_MAX: Final = 20_000
"""The newest so many are asked for their reasons."""

REASONS_MAX: Final = 10

_VALUE: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+(?:[.:T-]\d+)*Z?""")
"""What differs from one record to the next: values, numbers, times."""

FOLDED: Final = "…"


class ExceptionsAsked(ListAsked, frozen=True, kw_only=True):
    """Which exceptions. `age_min` and `age_max` are in seconds; `assigned_to` empty: nobody."""

    plant: Text | None = None
    line: Text | None = None
    class_: Text | None = field(default=None, name="class")
    """One or more, a comma between them; so are `code` and `status`."""
    code: Text | None = None
    source: Text | None = None
    type: Text | None = None
    status: Text | None = None
    assigned_to: str | None = None
    age_min: Seconds | None = None
    age_max: Seconds | None = None
    text: Text | None = None
    """A part of the reason, of the event's id, or of the exception's."""
    order: Text | None = None
    item: Text | None = None
    lot: Text | None = None
    serial: Text | None = None
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None
    sort: Literal["oldest", "newest"] = "newest"


def exceptions(
    connection: Connection, plants: Plants, query: ExceptionsAsked, now: int, rules: Rules
) -> dict[str, Any]:
    """Return the exceptions that are asked for, and how many there are."""
    conditions = where_of(query, plants, now, zone_of(connection, query.plant, rules, now))
    oldest = query.sort == "oldest"
    after = cursors.read(query.cursor, (int, str))
    page_conditions = list(conditions)
    if after is not None:
        compare = cursors.greater if oldest else cursors.smaller
        page_conditions.append(compare(_KEY, after))
    wanted = scanned(shown.EXCEPTION_COLUMNS, page_conditions, query.text, not oldest)
    rows = connection.execute(wanted.limit(query.limit + 1)).mappings().all()
    page, following = cursors.page(rows, query.limit, lambda row: (row["raised_at"], row["id"]))
    return {
        "items": [shown.exception(row, now) for row in page],
        "next": following,
        "total": total(connection, conditions, query.text),
    }


def reasons(
    connection: Connection, plants: Plants, query: ExceptionsAsked, now: int, rules: Rules
) -> dict[str, Any]:
    """Return the most frequent reasons; those that differ in their values only are one."""
    conditions = where_of(query, plants, now, zone_of(connection, query.plant, rules, now))
    wanted = scanned(
        (EXCEPTIONS.c.code, EXCEPTIONS.c.reason, EXCEPTIONS.c.raised_at),
        conditions,
        query.text,
    )
    met: dict[tuple[str, str], list[int]] = {}
    for code, reason, raised_at in connection.execute(wanted.limit(REASONS_OF_MAX)):
        count = met.setdefault((code, folded(reason)), [0, raised_at])
        count[0] += 1
        count[1] = min(count[1], raised_at)
    often = sorted(met.items(), key=lambda each: (-each[1][0], each[0]))[:REASONS_MAX]
    return {
        "items": [
            {"code": code, "reason": reason, "count": count, "oldest": told(oldest)}
            for (code, reason), (count, oldest) in often
        ]
    }


def folded(reason: str) -> str:
    """Return a reason without the values in it."""
    return _VALUE.sub(FOLDED, reason)


def where_of(
    query: ExceptionsAsked, plants: Plants, now: int, zone: tzinfo | None
) -> list[ColumnElement[bool]]:
    """Return the conditions of a filter, all but `text`: that takes `scanned`.

    Raises `AskedError`.
    """
    column = EXCEPTIONS.c
    found: list[ColumnElement[bool]] = [seen(column.plant, plants)]
    for value, compared in (
        (query.plant, column.plant),
        (query.line, column.line),
        (query.source, column.source),
        (query.type, column.type),
        (query.order, column.order_id),
        (query.item, column.item),
        (query.lot, column.lot),
        (query.serial, column.serial),
    ):
        if value is not None:
            found.append(compared == value)
    for name, value, known in (
        ("class", query.class_, tuple(shown.SERVICE_SECONDS)),
        ("status", query.status, STATUSES),
    ):
        named = choices(name, value, known)
        if named:
            found.append(column[name].in_(named))
    if query.code is not None:
        found.append(column.code.in_(query.code.split(",")))
    if query.assigned_to == "":
        found.append(column.assigned_to.is_(None))
    elif query.assigned_to is not None:
        found.append(column.assigned_to == query.assigned_to)
    begin, end = period(query.from_, query.to, zone)
    if begin is not None:
        found.append(column.raised_at >= begin)
    if end is not None:
        found.append(column.raised_at < end)
    if query.age_min is not None:
        found.append(column.raised_at <= now - query.age_min * SECOND)
    if query.age_max is not None:
        found.append(column.raised_at >= now - query.age_max * SECOND)
    return found


def scanned(
    columns: Sequence[Any],
    conditions: Sequence[ColumnElement[bool]],
    text: str | None,
    newest_first: bool = True,
) -> Select[Any]:
    """Return the query of exceptions in an order; of so many only, where a text is looked for."""
    order: list[Any] = [each.desc() if newest_first else each for each in _KEY]
    if text is None:
        return select(*columns).where(*conditions).order_by(*order)
    needed = {each.name: each for each in (*columns, *_SEARCHED, *_KEY)}
    within = select(*needed.values()).where(*conditions).order_by(*order).limit(SCANNED_MAX)
    few = within.subquery()
    there = [contains(few.c[each.name], text) for each in _SEARCHED]
    again: list[Any] = [few.c.raised_at, few.c.id]
    if newest_first:
        again = [each.desc() for each in again]
    return select(*(few.c[each.name] for each in columns)).where(or_(*there)).order_by(*again)


def total(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    text: str | None,
) -> int | str:
    """Return how many there are; more than are counted is "10000+"."""
    if text is None:
        wanted = select(EXCEPTIONS.c.id).where(*conditions).limit(TOTAL_MAX + 1)
    else:
        wanted = scanned((EXCEPTIONS.c.id,), conditions, text).limit(TOTAL_MAX + 1)
    count = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar() or 0
    return f"{TOTAL_MAX}+" if count > TOTAL_MAX else int(count)


_SEARCHED: Final = (EXCEPTIONS.c.reason, EXCEPTIONS.c.id, EXCEPTIONS.c.event_id)

_KEY: Final = (EXCEPTIONS.c.raised_at, EXCEPTIONS.c.id)
