"""What `reference.v1` says: each record by its key, as the system's own copy has it."""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Mapping
from struct import Struct as Place
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from streams.contract.reference import ANYWHERE
from streams.contract.reference_key import PROGRESS, SEEN, key_of, read_key
from streams.values import instant

OPEN: Final = frozenset({"released", "held"})
"""Orders of these statuses need their items."""


_RULES: Final = b"rules|"
_NOTES: Final = (f"{SEEN}|".encode(), f"{PROGRESS}|".encode())

_PLACE: Final = Place(">q")
UNPLACED: Final = -1
"""The offset of a record that was learnt before it was written."""


class _Record(Struct):
    data: Raw


class _Told(Struct):
    deleted: bool = False
    item: str | None = None
    status: str | None = None


_record = msgspec.json.Decoder(_Record).decode
_told = msgspec.json.Decoder(_Told).decode


class Known:
    """Master data in memory: some 400 bytes a record."""

    def __init__(self) -> None:
        self._data: dict[bytes, bytes] = {}
        """Offset and `data` in JSON by key, of what isn't deleted: bytes, as there may be many."""
        self._needed: Counter[bytes] = Counter()
        """How many records need another one: work units their line, open orders their item."""
        self._rules: dict[str, list[int]] = {}
        """When the rules of each plant begin, in order."""

    def __len__(self) -> int:
        return len(self._data)

    def learn(self, key: bytes, value: bytes | None, offset: int = UNPLACED) -> None:
        """Take up a record of `reference.v1`; None is a tombstone."""
        if key.startswith(_NOTES):
            return
        before = self._data.pop(key, None)
        if before is not None:
            self._count(key, before[_PLACE.size :], -1)
            self._note_rules(key, known=False)
        data = None if value is None else bytes(_record(value).data)
        if data is not None and not _is_deleted(data):
            self._data[key] = _PLACE.pack(offset) + data
            self._count(key, data, 1)
            self._note_rules(key, known=True)

    def _note_rules(self, key: bytes, *, known: bool) -> None:
        if key.startswith(_RULES):
            _, plant, (begin,) = read_key(key)
            begins, at = self._rules.setdefault(plant, []), instant.parse(begin)
            if known:
                insort(begins, at)
            else:
                del begins[bisect_left(begins, at)]

    def _count(self, key: bytes, data: bytes, by: int) -> None:
        for needed in _needs(key, data):
            self._needed[needed] += by
            if not self._needed[needed]:
                del self._needed[needed]

    def at(self, key: bytes) -> dict[str, Any] | None:
        """Return the `data` under a key, None where nothing is known."""
        data = self._data.get(key)
        if data is None:
            return None
        found: dict[str, Any] = msgspec.json.decode(memoryview(data)[_PLACE.size :])
        return found

    def offset(self, key: bytes) -> int | None:
        """Return where a record lies in `reference.v1`, None where nothing is known.

        `UNPLACED` is the offset of what was learnt without one.
        """
        data = self._data.get(key)
        return None if data is None else int(_PLACE.unpack_from(data)[0])

    def of(self, kind: str, plant: str, *parts: str) -> dict[str, Any] | None:
        """Return the `data` of a record."""
        return self.at(key_of(kind, plant, parts))

    def has(self, kind: str, plant: str, *parts: str) -> bool:
        """Return whether a record is known."""
        return key_of(kind, plant, parts) in self._data

    def rules_ahead(self, plant: str, now: int) -> int:
        """Return how many rules of a plant begin after a time."""
        begins = self._rules.get(plant, [])
        return len(begins) - bisect_right(begins, now)

    def item(self, plant: str, item: str) -> dict[str, Any] | None:
        """Return the `data` of an item: the plant's own goes before that of all plants."""
        own = self.of("item", plant, item)
        return self.of("item", ANYWHERE, item) if own is None else own

    def needed_by(self, key: bytes) -> int:
        """Return how many records need the one under a key."""
        return self._needed[key]

    def items(self) -> Iterable[tuple[bytes, Mapping[str, Any]]]:
        """Yield key and `data` of all that is known, by key."""
        for key in sorted(self._data):
            found = self.at(key)
            assert found is not None
            yield key, found


def units_of(item: Mapping[str, Any]) -> list[str]:
    """Return the units that an item is counted in, the base unit first."""
    return [item["base_uom"], *item.get("conversions", {})]


def _is_deleted(data: bytes) -> bool:
    try:
        return _told(data).deleted
    except msgspec.ValidationError:  # a kind of its own members, which may have these names
        return msgspec.json.decode(data).get("deleted") is True


def _needs(key: bytes, data: bytes) -> list[bytes]:
    kind = key[: key.index(b"|")]
    if kind == b"work_unit":
        _, plant, (line, _) = read_key(key)
        return [key_of("line", plant, [line])]
    if kind != b"order":
        return []
    told = _told(data)
    if told.item is None or told.status not in OPEN:
        return []
    _, plant, _ = read_key(key)
    return [key_of("item", plant, [told.item]), key_of("item", ANYWHERE, [told.item])]
