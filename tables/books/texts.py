"""Texts as the books can hold them: none that a database refuses, none too long for an index."""

import re
from hashlib import sha256
from typing import Final

INDEXED_BYTES_MAX: Final = 1_200
"""PostgreSQL's indexes take entries of 2,704 bytes: two such texts, or one with plant and line."""

KEPT_BYTES: Final = 1_120
"""So much stays of a longer one, before its hash."""

NAME_CHARACTERS_MAX: Final = 256
"""Of a member that a refused event names: no accepted one has more."""

_REFUSED = re.compile("[\x00\ud800-\udfff]")


def fitted(text: str) -> str:
    """Return a key that an index takes: a longer one is cut, and ends with its hash.

    Equal keys stay equal, and different ones different: whoever looks one up calls this first.
    """
    if len(text) * 4 <= INDEXED_BYTES_MAX:
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= INDEXED_BYTES_MAX:
        return text
    begin = encoded[:KEPT_BYTES].decode("utf-8", "ignore")
    return f"{begin}#{sha256(encoded).hexdigest()}"


def clean(text: str) -> str:
    """Return a text without NUL and lone surrogates, which PostgreSQL and UTF-8 don't have."""
    return _REFUSED.sub("\ufffd", text)


def name(value: object) -> str | None:
    """Return a text that anybody may have written as a name; None of what is no text, or empty."""
    if not isinstance(value, str) or not value:
        return None
    return clean(value[:NAME_CHARACTERS_MAX])
