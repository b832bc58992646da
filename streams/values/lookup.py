"""Objects by bytes that lie in a record or a writer: compiled code doesn't copy them to look."""

from typing import Any

from streams.values.spans import Span
from streams.values.writer import Writer


class Lookup:
    """Objects by bytes."""

    def __init__(self) -> None:
        self.items: dict[bytes, Any] = {}

    def __len__(self) -> int:
        return len(self.items)


def found(lookup: Lookup, key: Span) -> Any:
    """Return the object of a key, None if there's none."""
    return None if key is None else lookup.items.get(key)


def found_written(lookup: Lookup, to: Writer) -> Any:
    """Return the object whose key a writer holds, None if there's none."""
    return lookup.items.get(bytes(to.data))


def keep(lookup: Lookup, key: bytes, value: object) -> None:
    """Put an object in."""
    lookup.items[key] = value


def drop(lookup: Lookup, key: bytes) -> None:
    """Let go of an object, if it's there."""
    lookup.items.pop(key, None)


def sized_dict(entries: int) -> dict[Any, Any]:  # noqa: ARG001  # compiled code makes room
    """Return a dict that is to have so many entries."""
    return {}
