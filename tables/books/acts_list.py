"""EDGE: the audit trail: who did what to which exception, the newest act first."""

from typing import Any

from msgspec import field
from sqlalchemy import Connection, RowMapping, select

from tables.books import cursors, shown
from tables.books.asked import ListAsked, Moment, Text, period
from tables.books.known_now import zone_of
from tables.books.plants import Plants, seen
from tables.books.schema import ACTS
from tables.line.rules import Rules


class ActsAsked(ListAsked, frozen=True, kw_only=True):
    """Which acts; `subject` is the id of an exception."""

    who: Text | None = None
    subject: str | None = None
    act: Text | None = None
    plant: Text | None = None
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None


def acts(
    connection: Connection, plants: Plants, query: ActsAsked, now: int, rules: Rules
) -> dict[str, Any]:
    """Return the acts that are asked for, the newest first."""
    begin, end = period(query.from_, query.to, zone_of(connection, query.plant, rules, now))
    wanted = select(*shown.ACT_COLUMNS).where(seen(ACTS.c.plant, plants))
    for name in ("who", "subject", "act", "plant"):
        value = getattr(query, name)
        if value is not None:
            wanted = wanted.where(ACTS.c[name] == value)
    if begin is not None:
        wanted = wanted.where(ACTS.c.at >= begin)
    if end is not None:
        wanted = wanted.where(ACTS.c.at < end)
    after = cursors.read(query.cursor, (int, str))
    if after is not None:
        wanted = wanted.where(cursors.smaller((ACTS.c.at, ACTS.c.id), after))
    ordered = wanted.order_by(ACTS.c.at.desc(), ACTS.c.id.desc()).limit(query.limit + 1)
    rows = connection.execute(ordered).mappings().all()
    page, following = cursors.page(rows, query.limit, lambda row: (row["at"], row["id"]))
    return {"items": [shown.act(row) for row in page], "next": following}


def acts_of(connection: Connection, exception: str, limit: int) -> list[RowMapping]:
    """Return the last acts on an exception, in their order."""
    wanted = select(*shown.ACT_COLUMNS).where(ACTS.c.subject == exception)
    rows = connection.execute(wanted.order_by(ACTS.c.at.desc(), ACTS.c.id.desc()).limit(limit))
    return list(reversed(rows.mappings().all()))
