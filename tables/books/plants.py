"""EDGE: whose rows somebody sees: each query of the books says it."""

from sqlalchemy import ColumnElement, false, true
from sqlalchemy.sql.elements import KeyedColumnElement

Plants = frozenset[str] | None
"""The plants that somebody sees; None: all, and what has no plant, too."""


def seen(
    column: KeyedColumnElement[str] | ColumnElement[str], plants: Plants
) -> ColumnElement[bool]:
    """Return the condition on a column of plants; a row without a plant is seen by those of all."""
    if plants is None:
        return true()
    if not plants:
        return false()
    return column.in_(sorted(plants))


def sees(plant: str | None, plants: Plants) -> bool:
    """Return whether a row of a plant is seen."""
    return plants is None or (plant is not None and plant in plants)
