"""EDGE: cursors: the sort key of a page's last row, so that the next page begins behind it."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, literal, tuple_

from tables.books.asked import AskedError

Key = tuple[int | str, ...]

Row = TypeVar("Row")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_WHOLE_MAX = 2**63 - 1


def written(key: Sequence[int | str]) -> str:
    """Return a sort key as an opaque text."""
    return base64.urlsafe_b64encode(_encode(list(key))).decode().rstrip("=")


def read(cursor: str | None, forms: tuple[type, ...]) -> Key | None:
    """Return the sort key in a cursor, whose members are of the types `forms`; None if none is.

    Raises `AskedError` if it is no cursor of this list.
    """
    if cursor is None:
        return None
    try:
        found: Any = _decode(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", True))
    except (msgspec.DecodeError, UnicodeError, binascii.Error, ValueError):
        found = None
    if not isinstance(found, list) or tuple(map(type, found)) != forms or not _storable(found):
        raise AskedError("cursor", "cursor isn't one that this list has given")
    return tuple(found)


def page(
    rows: Sequence[Row],
    limit: int,
    key_of: Callable[[Row], Sequence[int | str]],
    otherwise: Sequence[int | str] | None = None,
) -> tuple[Sequence[Row], str | None]:
    """Return the first `limit` rows, and the cursor of what follows, None if nothing does.

    `rows` are `limit` + 1 where there are so many. `otherwise` is from where to go on if there
    aren't, None if that is all.
    """
    if len(rows) <= limit:
        return rows, None if otherwise is None else written(otherwise)
    return rows[:limit], written(key_of(rows[limit - 1]))


def smaller(columns: Sequence[ColumnElement[Any]], key: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that the values of columns are before a sort key."""
    return tuple_(*columns) < tuple_(*map(literal, key))


def greater(columns: Sequence[ColumnElement[Any]], key: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that the values of columns are behind a sort key."""
    return tuple_(*columns) > tuple_(*map(literal, key))


def _storable(key: list[Any]) -> bool:
    return all(
        abs(each) <= _WHOLE_MAX if isinstance(each, int) else "\x00" not in each for each in key
    )
