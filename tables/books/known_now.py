"""EDGE: what master data say now, of the plants that the books know."""

from collections.abc import Collection, Mapping
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, select

from streams.contract.reference import ANYWHERE
from tables.books import kpi_clocks
from tables.books.kpi_clocks import PlantClock
from tables.books.plants import Plants
from tables.books.schema import REFERENCES
from tables.books.stored import data_of
from tables.line.rules import Rules

FACTS_MAX: Final = 20_000
"""Records of a kind that are looked at for one answer: 1,000 lines have some 5,000 work units."""

Facts = dict[tuple[str, str], Mapping[str, Any]]
"""The `data` of records by (plant or `*`, name)."""

_data_of = lru_cache(maxsize=2 * FACTS_MAX)(data_of)
"""The same records are asked for by every look at the overview."""


def facts(
    connection: Connection,
    kind: str,
    plants: Plants = None,
    names: Collection[str] | None = None,
) -> Facts:
    """Return what is known of a kind, of plants and of all of them, of `names` only if given."""
    columns = REFERENCES.c
    query = select(columns.plant, columns.name, columns.value).where(
        columns.kind == kind, columns.deleted.is_(False)
    )
    if plants is not None:
        query = query.where(columns.plant.in_([*sorted(plants), ANYWHERE]))
    if names is not None:
        query = query.where(columns.name.in_(sorted(names)))
    rows = connection.execute(query.limit(FACTS_MAX)).all()
    return {(row.plant, row.name): _data_of(row.value) for row in rows}


def fact(found: Facts, plant: str, name: str | None) -> Mapping[str, Any] | None:
    """Return what is known of a name in a plant: its own record goes before that of all plants."""
    if name is None:
        return None
    own = found.get((plant, name))
    return found.get((ANYWHERE, name)) if own is None else own


def clocks_of(
    connection: Connection, plants: Plants, plant: str | None, rules: Rules, now: int
) -> dict[str, PlantClock]:
    """Return the clock of each plant that is seen, or of the one that is named, by plant."""
    zones = {name: zone.key for name, zone in rules.zones.items()}
    return kpi_clocks.clocks_of(connection, plants, plant, zones, now)


def zone_of(connection: Connection, plant: str | None, rules: Rules, now: int) -> tzinfo:
    """Return the time zone of a plant; UTC where no single one is named."""
    if plant is None:
        return UTC
    return clocks_of(connection, frozenset({plant}), plant, rules, now)[plant].zone
