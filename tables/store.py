"""The store of one partition: what it must offer, and the one that lives in memory."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

Change = tuple[bytes, bytes | None]
"""(key, new value), or (key, None) to forget the key."""


class Store(Protocol):
    """Keys and values of one partition.

    `write` is atomic: after a crash all of its changes are there or none.
    """

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None where there's none."""
        ...

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix`, in the order of the keys."""
        ...

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none."""
        ...

    def close(self) -> None:
        """Let go of the store; what was written stays."""
        ...


class MemoryStore:
    """A store that ends with the process: for tests."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None where there's none."""
        return [self._values.get(key) for key in keys]

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix`, in the order of the keys."""
        for key in sorted(key for key in self._values if key.startswith(prefix)):
            yield key, self._values[key]

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none."""
        for key, value in changes:
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value

    def close(self) -> None:
        """Let go of the store."""
