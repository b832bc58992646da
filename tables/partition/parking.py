"""Events that holds keep from the ERP: parked as they came, and found again when they are freed.

The store has them by line and by what a hold can name of them, and numbered in the order in which
they were accepted. In memory is how many there are of each.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from tables.known.known import Changes, Get, Known
from tables.line.kept import Kept
from tables.partition.holds import Touchable, is_touched
from tables.partition.released import GROUP, PARKED, Freed, Group
from tables.partition.stored import instant_bytes, instant_of
from tables.store.store import Scan

AT_BYTES: Final = 8
"""Of a parked event's time, before the event."""

Named = tuple[str, str, str]
"""(plant, scope, value): what a hold names, or an order's status is of."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_read = msgspec.msgpack.Decoder(Kept).decode


class Parking:
    """All that is parked on a partition; `changed` is what its store doesn't have yet."""

    def __init__(self, get: Get, scan: Scan) -> None:
        self._get, self._scan = get, scan
        self.changed: dict[bytes, bytes | None] = {}
        self._changed_groups: dict[bytes, Group] = {}
        """By their keys of the store."""
        self.groups: dict[bytes, dict[Touchable, Group]] = {}
        """By line."""
        self.named: dict[Named, dict[bytes, int]] = {}
        """How many groups of which lines a hold of that could touch."""
        self.freeing: list[Freed] = []
        """What goes on by and by: see `tables.partition.freeing`. The last line is first."""
        self.count = 0
        self.next = 0
        """The number of the next event that is parked."""

    def load(self, known: Known) -> None:
        """Take up what the store has, and find what was going on when it was written."""
        for key, value in self._scan(GROUP):
            line = key[1:-9]
            number, touchable, count, *since = _decode(value)
            self._add(Group(line, number, tuple(touchable), count, *since))
            self.count += count
        self.free(known)

    def written(self) -> Changes:
        """Return what is to be written."""
        for key, group in self._changed_groups.items():
            told = [group.number, group.touchable, group.count, group.since]
            self.changed[key] = _encode(told) if group.count else None
        self._changed_groups.clear()
        changed, self.changed = self.changed, {}
        return changed

    def park(self, line: bytes, touchable: Touchable, at: int, kept: Kept) -> int:
        """Park an event of a line and an instant; return its number."""
        number = self.next
        self.next += 1
        group = self.groups.get(line, {}).get(touchable)
        if group is None:
            group = Group(line, number, touchable, since=at)
            self._add(group)
        elif group.since is not None:
            group.since = min(group.since, at)
        self.changed[group.key(PARKED, number)] = instant_bytes(at) + _encode(kept)
        self._count(group, 1)
        return number

    def take_out(self, line: bytes, touchable: Touchable, at: int, number: int) -> None:
        """Let go of one event of an instant, by the number that `park` gave."""
        group = self.groups[line][touchable]
        if group.since == at:
            group.since = None
        self.let_go(group, number)

    def let_go(self, group: Group, number: int) -> Kept:
        """Return an event, which is parked no longer."""
        key = group.key(PARKED, number)
        found = self.changed.get(key) or self._get(key)
        if found is None:
            raise RuntimeError(f"the parked event {number} of {group.line!r} isn't in the store")
        self.changed[key] = None
        self._count(group, -1)
        return _read(found[AT_BYTES:])

    def free(self, known: Known, named: list[Named] | None = None) -> None:
        """Find what nothing keeps from the ERP any more; `named` is what may free (None: all)."""
        lines = self.groups.keys() if named is None else {
            line for each in named for line in self.named.get(each, ())
        }  # fmt: skip
        for line in sorted(lines, reverse=True):
            plant = line.decode().split("/")[0]
            free = [
                group
                for group in self.groups[line].values()
                if not is_touched(known, plant, group.touchable)
            ]
            if free:
                self.freeing.append(Freed(line, free, self._scan, self.changed))

    def since(self) -> int | None:
        """Return the earliest time of all parked events, None if there are none."""
        groups = [group for each in self.groups.values() for group in each.values()]
        return min([self._since(group) for group in groups], default=None)

    def since_of(self, line: bytes) -> int | None:
        """Return the earliest time of a line's parked events, None if there are none."""
        return min(map(self._since, self.groups.get(line, {}).values()), default=None)

    def _since(self, group: Group) -> int:
        if group.since is None:
            times = (instant_of(told[:AT_BYTES]) for _, told in self._seen(group.key(PARKED)))
            group.since = min(times)
        return group.since

    def _seen(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield what the store will have under a prefix, unordered."""
        fresh = {key: value for key, value in self.changed.items() if key.startswith(prefix)}
        for key, value in self._scan(prefix):
            if key not in fresh:
                yield key, value
        for key, changed in fresh.items():
            if changed is not None:
                yield key, changed

    def _add(self, group: Group) -> None:
        self.groups.setdefault(group.line, {})[group.touchable] = group
        for named in _named_by(group):
            lines = self.named.setdefault(named, {})
            lines[group.line] = lines.get(group.line, 0) + 1

    def _count(self, group: Group, more: int) -> None:
        self.count += more
        group.count += more
        self._changed_groups[group.key(GROUP)] = group
        if group.count:
            return
        del self.groups[group.line][group.touchable]
        if not self.groups[group.line]:
            del self.groups[group.line]
        for named in _named_by(group):
            lines = self.named[named]
            lines[group.line] -= 1
            if not lines[group.line]:
                del lines[group.line]
                if not lines:
                    del self.named[named]


def _named_by(group: Group) -> list[Named]:
    plant = group.line.decode().split("/")[0]
    lot, item, order = group.touchable
    named = [(plant, "item", item), (plant, "order", order)]
    return named if lot is None else [*named, (plant, "lot", lot)]
