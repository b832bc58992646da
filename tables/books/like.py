"""EDGE: a part of a text, looked for as it is: nothing in it stands for anything else."""

from typing import Any, Final

from sqlalchemy import ColumnElement

ESCAPE: Final = "\\"

SPECIAL: Final = (ESCAPE, "%", "_")
"""What LIKE reads otherwise."""


def pattern(text: str) -> str:
    """Return a text as LIKE reads it as it is."""
    for each in SPECIAL:
        text = text.replace(each, ESCAPE + each)
    return text


def contains(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Return the condition that a column has `text` in it, in upper or lower case."""
    return column.ilike(f"%{pattern(text)}%", escape=ESCAPE)
