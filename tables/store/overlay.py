"""A store with changes on top that aren't written yet, so that a partition can compute ahead."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from streams.core import loaded
from tables.store.store import Change, Changes, Store


class Overlay:
    """Holds sets of changes on top of a store; `settle` writes the oldest of them to the store.

    Reads see the held changes. So the next batch can be computed while outputs and states of the
    previous ones are still being sent and written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: deque[Changes] = deque()
        self._keys: deque[list[bytes] | None] = deque()
        """The sorted keys of each held set, None until a scan needs them."""

    def hold(self, changes: Changes) -> None:
        """Put a set of changes on top of the held ones; the caller mustn't use the set any more."""
        self._held.append(changes)
        self._keys.append(None)

    def add(self, changes: Changes) -> None:
        """Add changes to the set that was held last."""
        self._held[-1].update(changes)
        self._keys[-1] = None

    def merged(self, count: int) -> Changes:
        """Return the `count` oldest held sets merged into one."""
        if count == 1 and self._held:
            return self._held[0]
        merged = self._held[0].copy() if self._held and count else {}
        last = None
        for held in islice(self._held, 1, count):
            merged.update(held)
            last = next(reversed(held), last)
        if last is not None:  # the head, which ends the latest set, must end the merged one
            merged[last] = merged.pop(last)
        return merged

    def settle(self, count: int, changes: Changes, more: Iterable[Change] = ()) -> None:
        """Write `changes`, which are the `count` oldest sets merged, and `more`, all or none."""
        self._store.write(chain(changes.items(), more))
        for _ in range(count):
            self._held.popleft()
            self._keys.popleft()

    def _sorted(self) -> Iterator[list[bytes]]:
        for index, held in enumerate(self._held):
            keys = self._keys[index]
            if keys is None:
                keys = self._keys[index] = sorted(held)
            yield keys

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None for a missing key."""
        found = self._store.get_many(keys)
        for held in self._held:
            lay_over(found, list(keys), held)
        return found

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix` behind `after`, in the order of the keys."""
        over: Changes = {}
        for held, keys_held in zip(self._held, self._sorted(), strict=True):
            begin = max(bisect_left(keys_held, prefix), bisect_right(keys_held, after))
            for index in range(begin, len(keys_held)):
                if not keys_held[index].startswith(prefix):
                    break
                over[keys_held[index]] = held[keys_held[index]]
        keys = deque(sorted(over))
        for key, stored in self._store.scan(prefix, after):
            while keys and keys[0] < key:
                yield from _pair(keys.popleft(), over)
            if keys and keys[0] == key:
                yield from _pair(keys.popleft(), over)
            else:
                yield key, stored
        for key in keys:
            yield from _pair(key, over)

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes in the store, below the held ones."""
        self._store.write(changes)

    def size_bytes(self) -> int | None:
        """Return the approximate size of the store, without the held changes."""
        return self._store.size_bytes()

    def close(self) -> None:
        """Close the store, and drop the held changes."""
        self._store.close()


def _pair(key: bytes, over: Mapping[bytes, bytes | None]) -> Iterator[tuple[bytes, bytes]]:
    value = over[key]
    if value is not None:
        yield key, value


def lay_over_plain(found: list[bytes | None], keys: list[bytes], held: Changes) -> None:
    """Replace values in `found`, the values of `keys`, by those in `held`."""
    if not held.keys().isdisjoint(keys):
        found[:] = [held.get(key, value) for key, value in zip(keys, found, strict=True)]


if loaded("tables.store.held"):
    from tables.store.held import lay_over
else:
    lay_over = lay_over_plain
