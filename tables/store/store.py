"""The store of one partition: what it must offer, and those that live in memory."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol

from msgspec import Struct

Change = tuple[bytes, bytes | None]
"""(key, new value), or (key, None) to forget the key."""

Changes = dict[bytes, bytes | None]
"""New values by key, None to forget the key."""

HEAD: Final = b"o"
"""The key of a state's head, which says what state it is; it ends every set of changes."""


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

    def size_bytes(self) -> int | None:
        """Return about how much room it takes, None where nobody counts."""
        ...

    def close(self) -> None:
        """Let go of the store; what was written stays."""
        ...


class MemoryStore:
    """A store that ends with the process.

    Keys lie on shelves by their first byte, so that a scan passes only its own. A shelf that is
    scanned is sorted once until its keys change: a tick may sweep any number of lines.
    """

    def __init__(self) -> None:
        self._by_first_byte: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._sorted: dict[int, list[bytes]] = {}
        """The keys of shelves as they are, of those that were scanned since they changed."""

    def __len__(self) -> int:
        return sum(map(len, self._by_first_byte.values()))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None where there's none."""
        by_first_byte = self._by_first_byte
        return [by_first_byte[key[0]].get(key) for key in keys]

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix`, in the order of the keys."""
        for first in sorted(self._by_first_byte) if not prefix else [prefix[0]]:
            entries = self._by_first_byte[first]
            keys = self._sorted.get(first)
            if keys is None:
                keys = self._sorted[first] = sorted(entries)
            found = []
            for at in range(bisect_left(keys, prefix), len(keys)):
                if not keys[at].startswith(prefix):
                    break
                found.append((keys[at], entries[keys[at]]))
            yield from found

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none."""
        by_first_byte = self._by_first_byte
        for key, value in changes:
            entries = by_first_byte[key[0]]
            if (value is None) is (key in entries):
                self._sorted.pop(key[0], None)
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value

    def size_bytes(self) -> None:
        """Return that nobody counts."""

    def close(self) -> None:
        """Let go of the store."""


MEMORY_ENTRIES_MAX: Final = 600_000
"""Keys that the `SpillingStore`s of one room hold in memory together: some 120 MB."""

SPILLED_TOGETHER: Final = 10_000
"""Keys that move to the other store in one write."""


class MemoryBudget(Struct):
    """What several `SpillingStore`s share: how many keys they hold in memory, and may."""

    entries: int = 0
    entries_max: int = MEMORY_ENTRIES_MAX


class SpillingStore:
    """A store that ends with the process, in memory until that would be too much: for replays.

    Then all of it moves to another store, on disk, and stays there.
    """

    def __init__(self, other: Callable[[], Store], budget: MemoryBudget) -> None:
        self._make_other = other
        self._budget = budget
        self._memory: MemoryStore | None = MemoryStore()
        self._store: Store = self._memory

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None where there's none."""
        return self._store.get_many(keys)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix`, in the order of the keys."""
        return self._store.scan(prefix)

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none."""
        if self._memory is None:
            self._store.write(changes)
            return
        self._budget.entries -= len(self._memory)
        self._memory.write(changes)
        self._budget.entries += len(self._memory)
        if self._budget.entries > self._budget.entries_max:
            self._spill(self._memory)

    def size_bytes(self) -> int | None:
        """Return about how much room it takes, None where nobody counts."""
        return self._store.size_bytes()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _spill(self, memory: MemoryStore) -> None:
        self._budget.entries -= len(memory)
        self._store, self._memory = self._make_other(), None
        entries = memory.scan(b"")
        while some := list(islice(entries, SPILLED_TOGETHER)):
            self._store.write(some)
