"""EDGE: conditions that are looked at besides the one whose index is to be used.

Without statistics SQLite takes an index of two columns to be better than one of one. That of plants
and lines leads to all rows of a line, that of orders, lots or ids to a few: so the former is kept
out.
"""

from typing import Any

from sqlalchemy import ColumnElement

from tables.books.plants import Plants, seen


def besides(column: Any) -> ColumnElement[Any]:
    """Return a column of texts in a form that no index serves; a null stays null."""
    found: ColumnElement[Any] = column.concat("")
    return found


def seen_besides(column: Any, plants: Plants) -> ColumnElement[bool]:
    """Return what `seen` returns, in that form."""
    return seen(besides(column), plants)
