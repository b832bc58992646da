"""The store of one partition: what it must offer, and those that live in memory."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

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
    """A store that ends with the process.

    Keys lie on shelves by their first byte, so that a scan passes only its own.
    """

    def __init__(self) -> None:
        self._shelves: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)

    def __len__(self) -> int:
        return sum(map(len, self._shelves.values()))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None where there's none."""
        shelves = self._shelves
        return [shelves[key[0]].get(key) for key in keys]

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix`, in the order of the keys."""
        for first in sorted(self._shelves) if not prefix else [prefix[0]]:
            shelf = self._shelves[first]
            for key in sorted([key for key in shelf if key.startswith(prefix)]):
                yield key, shelf[key]

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none."""
        shelves = self._shelves
        for key, value in changes:
            if value is None:
                shelves[key[0]].pop(key, None)
            else:
                shelves[key[0]][key] = value

    def close(self) -> None:
        """Let go of the store."""


MEMORY_ENTRIES_MAX: Final = 1_000_000
"""Keys that a `SpillingStore` holds in memory: some 200 MB."""


class SpillingStore:
    """A store that ends with the process, in memory until that would be too much: for replays.

    Then all of it moves to another store, on disk, and stays there.
    """

    def __init__(self, other: Callable[[], Store], entries_max: int = MEMORY_ENTRIES_MAX) -> None:
        self._make_other = other
        self._entries_max = entries_max
        self._memory = MemoryStore()
        self._store: Store = self._memory

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None where there's none."""
        return self._store.get_many(keys)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix`, in the order of the keys."""
        return self._store.scan(prefix)

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none."""
        self._store.write(changes)
        if self._store is self._memory and len(self._memory) > self._entries_max:
            self._store = self._make_other()
            self._store.write(self._memory.scan(b""))
            self._memory = MemoryStore()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()
