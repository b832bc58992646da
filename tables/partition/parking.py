"""Events that holds keep from the ERP: parked as they came, and found again when they are freed.

The store has them by line and by what a hold can name of them, and numbered in the order in which
they were accepted. In memory is how many there are of each.
"""

from collections.abc import Iterable, Iterator, Sequence
from sys import intern
from typing import Final

import msgspec

from tables.known.known import Changes, Get, Known
from tables.line.kept import Kept
from tables.partition.holds import Touchable, is_touched
from tables.partition.released import GROUP, PARKED, Freed, Group
from tables.partition.stored import instant_bytes, instant_of
from tables.store.store import Scan

GROUPS_AT_ONCE: Final = 500
"""Read between two pauses: some thousandths of a second."""

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
        self.named: dict[Named, Group | dict[Group, None]] = {}
        """The groups that a hold of that could touch, or the only one."""
        self.freeing: list[Freed] = []
        """What goes on by and by: see `tables.partition.freeing`. The last line is first."""
        self.count = 0
        self.next = 0
        """The number of the next event that is parked."""
        self._since: int | None = None
        """The earliest time of all, None if that has to be looked for."""

    def loading(self, known: Known) -> Iterator[None]:
        """Take up what the store has, and find what was going on when it was written.

        Yields now and then, for whoever has something else to do: there may be any number of lots.
        """
        free = []
        for nth, (key, value) in enumerate(self._scan(GROUP), 1):
            if nth % GROUPS_AT_ONCE == 0:
                yield
            number, touchable, count, *since = _decode(value)
            group = Group(key[1:-9], number, _shared(touchable), count, *since)
            self._add(group)
            self.count += count
            if not _is_kept(known, group):
                free.append(group)
        self._go_on(free)

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
        if not self.count:
            self._since = at
        elif self._since is not None:
            self._since = min(self._since, at)
        group = self.groups.get(line, {}).get(touchable)
        if group is None:
            group = Group(line, number, _shared(touchable), since=at)
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
        if self._since == at:
            self._since = None
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

    def free(self, known: Known, named: Iterable[Named]) -> None:
        """Find what nothing keeps from the ERP any more; `named` is what may have kept it."""
        groups: dict[Group, None] = {}
        for each in named:
            there = self.named.get(each, {})
            groups.update({there: None} if isinstance(there, Group) else there)
        self._go_on([group for group in groups if not _is_kept(known, group)])

    def _go_on(self, free: list[Group]) -> None:
        by_line: dict[bytes, list[Group]] = {}
        for group in free:
            by_line.setdefault(group.line, []).append(group)
        for line in sorted(by_line, reverse=True):
            self.freeing.append(Freed(line, by_line[line], self._scan, self.changed))

    def since(self) -> int | None:
        """Return the earliest time of all parked events, None if there are none."""
        if self.count and self._since is None:
            self._since = min(self._since_of(each.values()) for each in self.groups.values())
        return self._since if self.count else None

    def since_of(self, line: bytes) -> int | None:
        """Return the earliest time of a line's parked events, None if there are none."""
        groups = self.groups.get(line)
        return None if groups is None else self._since_of(groups.values())

    def _since_of(self, groups: Iterable[Group]) -> int:
        return min(group.since or self._look_for_since(group) for group in groups)

    def _look_for_since(self, group: Group) -> int:
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
            there = self.named.setdefault(named, group)
            if isinstance(there, dict):
                there[group] = None
            elif there is not group:
                self.named[named] = {there: None, group: None}

    def _count(self, group: Group, more: int) -> None:
        self.count += more
        group.count += more
        self._changed_groups[group.key(GROUP)] = group
        if not group.count:
            self._remove(group)

    def _remove(self, group: Group) -> None:
        if group.since is None or group.since == self._since:
            self._since = None
        del self.groups[group.line][group.touchable]
        if not self.groups[group.line]:
            del self.groups[group.line]
        for named in _named_by(group):
            there = self.named[named]
            if isinstance(there, dict):
                del there[group]
            if not isinstance(there, dict) or not there:
                del self.named[named]


def _is_kept(known: Known, group: Group) -> bool:
    return is_touched(known, _plant_of(group), group.touchable)


def _shared(touchable: Sequence[str | None]) -> Touchable:
    """Return it with texts that are in memory once: lots have items and orders in common."""
    lot, item, order = touchable
    assert item is not None  # an event that can be held has both
    assert order is not None
    return lot, intern(item), intern(order)


def _plant_of(group: Group) -> str:
    return intern(group.line.decode().split("/")[0])


def _named_by(group: Group) -> list[Named]:
    plant = _plant_of(group)
    lot, item, order = group.touchable
    named = [(plant, "item", item), (plant, "order", order)]
    return named if lot is None else [*named, (plant, "lot", lot)]
