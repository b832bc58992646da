"""EDGE: master data as lineside knows it: the list, and which kinds there are."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from streams.contract.reference import ANYWHERE
from streams.contract.reference_key import PROGRESS, SEEN
from tables.books import cursors
from tables.books.asked import ListAsked, OneAsked, Text
from tables.books.fresh import told
from tables.books.like import contains
from tables.books.plants import Plants
from tables.books.schema import REFERENCES
from tables.books.stored import data_of


class ReferencesAsked(ListAsked, frozen=True, kw_only=True):
    """Which records; `text` is a part of an id."""

    kind: Text | None = None
    plant: Text | None = None
    text: Text | None = None


class KindsAsked(OneAsked, frozen=True, kw_only=True):
    """Of which plant."""

    plant: Text | None = None


def references(
    connection: Connection, plants: Plants, query: ReferencesAsked, _now: int
) -> dict[str, Any]:
    """Return records of master data, by kind, plant and id; deleted ones, too."""
    column = REFERENCES.c
    key = (column.kind, column.plant, column.name)
    wanted = select(REFERENCES).where(*_visible(plants, query.plant))
    if query.kind is not None:
        wanted = wanted.where(column.kind == query.kind)
    if query.text is not None:
        wanted = wanted.where(contains(column.name, query.text))
    after = cursors.read(query.cursor, (str, str, str))
    if after is not None:
        wanted = wanted.where(cursors.greater(key, after))
    rows = connection.execute(wanted.order_by(*key).limit(query.limit + 1)).mappings().all()
    page, following = cursors.page(
        rows, query.limit, lambda row: (row["kind"], row["plant"], row["name"])
    )
    return {
        "items": [
            {
                "kind": row["kind"],
                "plant": row["plant"],
                "id": row["name"],
                "source": row["source"],
                "said_at": told(row["said_at"]),
                "deleted": row["deleted"],
                "data": data_of(row["value"]),
            }
            for row in page
        ],
        "next": following,
    }


def kinds(connection: Connection, plants: Plants, query: KindsAsked, _now: int) -> dict[str, Any]:
    """Return how many records there are of each kind, deleted ones aside."""
    wanted = (
        select(REFERENCES.c.kind, func.count())
        .where(*_visible(plants, query.plant), REFERENCES.c.deleted.is_(False))
        .group_by(REFERENCES.c.kind)
        .order_by(REFERENCES.c.kind)
    )
    rows = connection.execute(wanted).all()
    return {"items": [{"kind": kind, "count": count} for kind, count in rows], "next": None}


def _visible(plants: Plants, plant: str | None) -> list[ColumnElement[bool]]:
    """Return the conditions of what somebody sees: what is said of all plants, too."""
    column = REFERENCES.c
    found: list[ColumnElement[bool]] = [column.kind.not_in((SEEN, PROGRESS))]
    if plants is not None:
        found.append(or_(column.plant.in_(sorted(plants)), column.plant == ANYWHERE))
    if plant is not None:
        found.append(column.plant.in_((plant, ANYWHERE)))
    return found
