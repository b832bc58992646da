"""What is known on a partition: reference records by kind, plant and id, as its log has them.

The store has all of it. In memory are the ones used lately, so that any number may be known, and
all that is looked at for a plant as a whole: what it requires, its timing, rules and active holds.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from streams.contract import reference as contract
from streams.contract.reference import ANYWHERE, KINDS, Id, Reference
from streams.contract.reference_values import Cadence
from streams.values import lookup

FACT: Final = b"k"
"""The prefix of the store's keys: then a letter for the kind, the plant, and the id's members."""

FACTS_CACHED_MAX: Final = 65_536
"""Reference records, and names that aren't known, that a partition has in memory: some 30 MB."""

LETTERS: Final = {
    "plant": b"p", "line": b"l", "work_unit": b"u", "item": b"i", "reason": b"r", "order": b"o",
    "hold": b"h", "hold_release": b"f", "rules": b"w", "timing": b"t",
}  # fmt: skip

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

Changes = dict[bytes, bytes | None]
Scan = Callable[[bytes], Iterator[tuple[bytes, bytes]]]
Get = Callable[[bytes], bytes | None]


class Fact:
    """A reference record that is known, or was: then `data` is None. `seq` is None without one."""

    def __init__(self, seq: int | None, data: Any, touched: bool = False) -> None:
        self.seq = seq
        self.data = data
        self.touched = touched
        """Of a hold: whether it has kept an event from the ERP."""


UNKNOWN: Final = Fact(None, None)


class OfPlant:
    """What is looked at for a plant as a whole."""

    def __init__(self) -> None:
        self.require: frozenset[str] = frozenset()
        self.timing: contract.Timing | None = None
        self.rules: dict[int, contract.Rules] = {}
        """By `valid_from`."""
        self.boundaries: list[Any] | None = None
        """Those of a line that is seen now; None: they haven't been worked out."""
        self.holds: dict[tuple[str, str], dict[str, str | None]] = {}
        """The active ones, by (scope, value): the item that they name, by hold."""
        self.placed: dict[str, tuple[str, str]] = {}
        """The (scope, value) of each active hold."""
        self.idle: set[str] = set()
        """Holds that have touched nothing, released ones too."""
        self.unplaced: set[str] = set()
        """Releases of which no hold is known."""


class Known:
    """Reference records known on a partition; `changed` is what its store doesn't have yet."""

    def __init__(self, get: Get) -> None:
        self.get_stored = get
        self.changed: dict[bytes, bytes | None] = {}
        self.cached = lookup.Lookup()
        self.plants: dict[str, OfPlant] = {}
        """Plants of which anything is known; `*` is one."""
        self.orders = self.items = self.places = False
        """Whether any order, item, and line or work unit is known."""
        self.requires = False
        """Whether any plant requires anything to be known."""
        self.holds = False
        """Whether any hold is active."""

    def load(self, scan: Scan) -> None:
        """Take up what the store has."""
        for kind in ("order", "item", "line", "work_unit"):
            if next(scan(FACT + LETTERS[kind]), None) is not None:
                self._note_kind(kind)
        for kind in ("plant", "timing", "rules", "hold", "hold_release"):
            for key, value in scan(FACT + LETTERS[kind]):
                self._note(key, read_fact(kind, value))

    def fact(self, kind: str, plant: str, id: Id) -> Fact:
        """Return what is known under a key."""
        return self.found(kind, fact_key(kind, plant, id))

    def found(self, kind: str, key: bytes) -> Fact:
        """Return what is known under a key of the store."""
        known: Fact | None = self.cached.items.get(key)
        if known is None:
            stored = self.changed.get(key)
            if stored is None:
                stored = self.get_stored(key)
            known = UNKNOWN if stored is None else read_fact(kind, stored)
            lookup.keep(self.cached, key, known)
        return known

    def data(self, kind: str, plant: str, *id: str | int) -> Any:
        """Return the data that is known under a key, None if none is."""
        return self.fact(kind, plant, id).data

    def of_all(self, kind: str, plant: str, name: str) -> Any:
        """Return the data of an item or a reason: the plant's own goes before that of all."""
        own = self.data(kind, plant, name)
        return own if own is not None else self.data(kind, ANYWHERE, name)

    def is_news(self, told: Reference) -> bool:
        """Return whether a reference record changes what is known under its key."""
        before = self.found(told.kind, fact_key(told.kind, told.plant, told.id))
        return not _is_old(before, told) and bool(before.data != told.data)

    def learn(self, told: Reference) -> bool:
        """Take in a reference record; return whether what is known under its key changes.

        A copy whose `seq` isn't higher than that of the last one does nothing.
        """
        key = fact_key(told.kind, told.plant, told.id)
        before = self.found(told.kind, key)
        if _is_old(before, told):
            return False
        seq = before.seq if told.seq is None else told.seq
        fact = Fact(seq, told.data, before.touched)
        lookup.keep(self.cached, key, fact)
        self.changed[key] = fact_bytes(fact)
        self._note(key, fact)
        return bool(before.data != fact.data)

    def touch(self, plant: str, hold: str) -> None:
        """Note that a known hold has kept an event from the ERP."""
        key = fact_key("hold", plant, (hold,))
        fact = self.found("hold", key)
        fact.touched = True
        self.changed[key] = fact_bytes(fact)
        self.plants[plant].idle.discard(hold)

    def written(self) -> Changes:
        """Return what is to be written; of what the store has, too much is dropped from memory."""
        changed, self.changed = self.changed, {}
        if not changed and len(self.cached) > FACTS_CACHED_MAX:
            self.cached = lookup.Lookup()
        return changed

    def _note(self, key: bytes, fact: Fact) -> None:
        """Keep what is looked at for a plant as a whole."""
        kind, plant, id = read_key(key)
        self._note_kind(kind)
        own = self.plants.get(plant)
        if own is None:
            own = self.plants[plant] = OfPlant()
        data = fact.data
        if kind == "plant":
            own.require = frozenset() if data is None or data.require is None else data.require
            self.requires = any(each.require for each in self.plants.values())
        elif kind == "timing":
            own.timing = data
        elif kind == "rules":
            if data is None:
                own.rules.pop(int(id[0]), None)
            else:
                own.rules[int(id[0])] = data
            own.boundaries = None
        elif kind in ("hold", "hold_release"):
            self._note_hold(own, plant, str(id[0]))

    def _note_kind(self, kind: str) -> None:
        if kind == "order":
            self.orders = True
        elif kind == "item":
            self.items = True
        elif kind in ("line", "work_unit"):
            self.places = True

    def _note_hold(self, own: OfPlant, plant: str, name: str) -> None:
        before = own.placed.pop(name, None)
        if before is not None:
            del own.holds[before][name]
            if not own.holds[before]:
                del own.holds[before]
        fact, release = self.fact("hold", plant, (name,)), self.data("hold_release", plant, name)
        hold = fact.data
        own.idle.discard(name)
        own.unplaced.discard(name)
        if hold is None:
            own.unplaced.add(name)
        elif not fact.touched:
            own.idle.add(name)
        if hold is not None and release is None:
            own.placed[name] = hold.scope, hold.value
            own.holds.setdefault(own.placed[name], {})[name] = hold.item
        self.holds = any(each.holds for each in self.plants.values())


def _is_old(before: Fact, told: Reference) -> bool:
    return told.seq is not None and before.seq is not None and told.seq <= before.seq


def fact_key(kind: str, plant: str, id: Id) -> bytes:
    """Return the store's key of a reference record."""
    parts = [each.to_bytes(8, "big", signed=True).hex() if isinstance(each, int) else each
             for each in id]  # fmt: skip
    return FACT + LETTERS[kind] + "\0".join([plant, *parts]).encode()


def read_key(key: bytes) -> tuple[str, str, Id]:
    """Return (kind, plant, id) of a key of the store."""
    kind = _KINDS[key[1:2]]
    plant, *parts = key[2:].decode().split("\0")
    if kind == "rules":
        return kind, plant, (int.from_bytes(bytes.fromhex(parts[0]), "big", signed=True),)
    return kind, plant, tuple(parts)


MEASURES: Final = ("quantity", "ideal_seconds")
"""Members whose billionths are kept as digits."""

_KINDS: Final = {letter: kind for kind, letter in LETTERS.items()}


def fact_bytes(fact: Fact) -> bytes:
    """Return a fact as the store has it."""
    if fact.data is None:
        return _encode([fact.seq, None])
    touched = [True] if fact.touched else []
    return _encode([fact.seq, _plain(fact.data), *touched])


def read_fact(kind: str, stored: bytes) -> Fact:
    """Return a stored fact."""
    seq, data, *touched = _decode(stored)
    told = None if data is None else KINDS[kind](**_typed(kind, data))
    return Fact(seq, told, bool(touched))


def _plain(data: Any) -> dict[str, Any]:
    told = {
        name: value for name in data.__struct_fields__ if (value := getattr(data, name)) is not None
    }
    for name in MEASURES:
        if name in told:
            told[name] = str(told[name])  # it may be past 64 bits
    return {name: sorted(v) if isinstance(v, frozenset) else v for name, v in told.items()}


def _typed(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    for name in MEASURES:
        if name in data:
            data[name] = int(data[name])
    if "require" in data:
        data["require"] = frozenset(data["require"])
    if kind == "rules" and "transactions" in data:
        data["transactions"] = {
            record: Cadence(each["when"], each["window_seconds"])
            for record, each in data["transactions"].items()
        }
    return data
