"""The store of one partition: its interface, and the stores that live in memory."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol

from msgspec import Struct

Change = tuple[bytes, bytes | None]
"""(key, new value), or (key, None) to delete the key."""

Changes = dict[bytes, bytes | None]
"""New values by key; None deletes the key."""

HEAD: Final = b"o"
"""The key of a state's head, which describes the state; it is last in every set of changes."""


class Store(Protocol):
    """Keys and values of one partition.

    `write` is atomic: after a crash all of its changes are there, or none.
    """

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None for a missing key."""
        ...

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix` behind `after`, in the order of the keys."""
        ...

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none."""
        ...

    def size_bytes(self) -> int | None:
        """Return the approximate size of the store, None if it isn't known."""
        ...

    def close(self) -> None:
        """Close the store; written values stay."""
        ...


class Scan(Protocol):
    """The scan of a store."""

    def __call__(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix` behind `after`, in the order of the keys."""
        ...


class MemoryStore:
    """A store that ends with the process.

    Keys are grouped by their first byte, so that a scan reads only one group. A scan sorts the keys
    of its group, and keeps the order until the keys change: a tick may scan for many lines.
    """

    def __init__(self) -> None:
        self._by_first_byte: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._sorted: dict[int, list[bytes]] = {}
        """The sorted keys of each group that was scanned since its keys changed."""

    def __len__(self) -> int:
        return sum(map(len, self._by_first_byte.values()))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None for a missing key."""
        by_first_byte = self._by_first_byte
        return [by_first_byte[key[0]].get(key) for key in keys]

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix` behind `after`, in the order of the keys."""
        for first in sorted(self._by_first_byte) if not prefix else [prefix[0]]:
            entries = self._by_first_byte[first]
            keys = self._sorted.get(first)
            if keys is None:
                keys = self._sorted[first] = sorted(entries)
            found = []
            begin = max(bisect_left(keys, prefix), bisect_right(keys, after))
            for at in range(begin, len(keys)):
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
        """Return None: the size isn't known."""

    def close(self) -> None:
        """Close the store."""


MEMORY_ENTRIES_MAX: Final = 600_000
"""Keys that `SpillingStore`s with one budget hold in memory together: some 120 MB."""

SPILLED_TOGETHER: Final = 10_000
"""Keys that a spill moves to the other store in one write."""


class MemoryBudget(Struct):
    """The number of keys that several `SpillingStore`s hold in memory together, and its maximum."""

    entries: int = 0
    entries_max: int = MEMORY_ENTRIES_MAX


class SpillingStore:
    """A store that ends with the process: in memory until the budget is spent. For replays.

    Then its content moves to another store, on disk, and stays there.
    """

    def __init__(self, other: Callable[[], Store], budget: MemoryBudget) -> None:
        self._make_other = other
        self._budget = budget
        self._memory: MemoryStore | None = MemoryStore()
        self._store: Store = self._memory

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None for a missing key."""
        return self._store.get_many(keys)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix` behind `after`, in the order of the keys."""
        return self._store.scan(prefix, after)

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
        """Return the approximate size of the store, None if it isn't known."""
        return self._store.size_bytes()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _spill(self, memory: MemoryStore) -> None:
        self._budget.entries -= len(memory)
        self._store, self._memory = self._make_other(), None
        entries = memory.scan(b"")
        while some := list(islice(entries, SPILLED_TOGETHER)):
            self._store.write(some)
