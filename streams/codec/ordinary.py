"""Which values the typed decoder may read: those that hide nothing that it doesn't look at."""

from typing import Any, Final
from unicodedata import is_normalized

from msgspec.structs import astuple

from streams.codec.document import NESTING_MAX, VALUE_BYTES_MAX
from streams.contract.events import Tick, TransactionReversed

ATTRIBUTES_REQUIRED: Final = 8
"""An event has so many of them, `data` among them."""


def printable(value: bytes) -> bool:
    """Return whether bytes are printable text in form C; then so is each text in it."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    return text.isprintable() and is_normalized("NFC", text)


def hides_nothing(value: bytes, event: Any) -> bool:
    """Return whether no text begins or ends with a space, and surely no name is there twice.

    `value` is printable JSON without escapes, and what the typed decoder has made `event` of: each
    quotation mark begins or ends a string, and the space is all the white space in one.
    """
    counted = value.count(b'":') == _name_count(event)  # so often something known is named
    if b"\n" in value or b"\r" in value or b"\t" in value:
        counted = False  # a name before one of them wasn't counted
    if b" " not in value:
        return counted or not _names_twice(value.split(b'"'))
    counted = counted and b'" ' not in value
    between = value.split(b'"')
    texts = b'"'.join([b"", *between[1::2], b""])
    if b' "' in texts or b'" ' in texts:
        return False
    return counted or not _names_twice(between)


def _names_twice(between: list[bytes]) -> bool:
    """Return whether a name is there twice, in two objects perhaps.

    `between` is what lies between quotation marks.
    """
    texts = between[1::2]
    if len(texts) == len(set(texts)):
        return False
    after = iter(between[2::2])
    names = [text for text in texts if next(after, b"").lstrip()[:1] == b":"]
    return len(names) != len(set(names))


def _name_count(event: Any) -> int:
    """Return how many names an event has that hold something; -1 where that can't be said."""
    if event.__class__ is Tick:
        return -1
    told = astuple(event.data)
    count = ATTRIBUTES_REQUIRED + len(told) - told.count(None)
    if event.__class__ is TransactionReversed:
        count += _names_within(event.data.original)
    return count


def _names_within(value: Any) -> int:
    if value.__class__ is dict:
        return len(value) + sum(map(_names_within, value.values()))
    return sum(map(_names_within, value)) if value.__class__ is list else 0


def surely_shallow(value: bytes) -> bool:
    """Return whether JSON is small, and not nested too deep whatever its brackets are."""
    return len(value) <= VALUE_BYTES_MAX and value.count(b"[") + value.count(b"{") <= NESTING_MAX
