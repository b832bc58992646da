"""What of `reference.v1` goes into which partition of `mes.events.v1`, and how far that has come.

A partition holds a plant once a `line` record names a line of the plant that is on it, or the
partition's owner has seen one there (a `seen` record). It gets all that is known of the plant, and
what is known of all plants, in the order of `reference.v1`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from streams.contract.reference import ANYWHERE
from streams.contract.reference_key import COPIED, SEEN, key_of, read_key
from streams.contract.transactions import SOURCE
from streams.log.record import Record, partition_of

_COPIED: Final = frozenset(kind.encode() for kind in COPIED)
_NAMING: Final = (b"line|", f"{SEEN}|".encode())
_ANYWHERE: Final = ANYWHERE.encode()


class Noted(Struct, frozen=True):
    """How far the copying into a partition has come: it has all of these plants before `offset`."""

    offset: int = 0
    plants: frozenset[str] = frozenset()
    topic: str = ""
    """The id of `reference.v1`, empty where it isn't known: a topic made anew has another."""


class Copy(NamedTuple):
    """A copy that is to be written."""

    key: bytes
    value: bytes


class _Need(Struct, frozen=True):
    """What a partition needs: all from an offset on, and before it what it hadn't wanted."""

    offset: int
    had: frozenset[str]
    wanted: frozenset[str]

    def has(self, plant: str | None, offset: int) -> bool:
        """Return whether it needs a record of a plant; None is all plants."""
        if plant is None:
            return offset >= self.offset
        return plant in self.wanted and (offset >= self.offset or plant not in self.had)


class Spreading:
    """Copies `reference.v1` in rounds: `learn` what is new in it, then `copy` from `begin()` on.

    A round ends at `end`, the next offset of `reference.v1` when it began. To copy again does no
    harm, so that a round that was cut off is simply done anew from what was noted.
    """

    def __init__(self, partitions: int, noted: Mapping[int, Noted], topic: str = "") -> None:
        self.partitions = partitions
        self.topic = topic
        self.end = 0
        """All before this offset has been learnt."""
        self.at = 0
        """All before this offset has been copied in this round."""
        self._had = [noted.get(number, Noted()) for number in range(partitions)]
        self._wanted = [frozenset(had.plants) for had in self._had]

    @property
    def seen(self) -> int:
        """The offset before which something has been copied, ever: `reference.v1` isn't shorter."""
        return max(had.offset for had in self._had)

    def is_another(self, end: int) -> bool:
        """Return whether what ends at `end` isn't what was copied, but a topic made anew."""
        ids = {had.topic for had in self._had} | {self.topic}
        return end < max(self.seen, self.end) or len(ids - {""}) > 1

    def learn(self, records: Iterable[Record], end: int) -> None:
        """Learn which partitions hold lines of which plants; all before `end` has been given."""
        for record in records:
            key = record.key
            if key is not None and key.startswith(_NAMING) and record.value is not None:
                kind, plant, parts = read_key(key)
                number = int(parts[0]) if kind == SEEN else self._home(plant, parts[0])
                if number < self.partitions:
                    self._wanted[number] |= {plant}
        self.end = end

    def _home(self, plant: str, line: str) -> int:
        return partition_of(f"{plant}/{line}".encode(), self.partitions)

    def begin(self) -> int:
        """Begin to copy; return the offset from which on records have to be given."""
        self.at = min(
            had.offset if wanted <= had.plants else 0
            for had, wanted in zip(self._had, self._wanted, strict=True)
        )
        return self.at

    def copy(self, records: Sequence[Record], end: int) -> dict[int, list[Copy]]:
        """Return what the next records lead to, by partition; all before `end` has been given.

        Partitions that get the same share a list.
        """
        copies: dict[int, list[Copy]] = {}
        told = self._told(records)
        for need, numbers in self._alike(told).items():
            found = [copy for plant, offset, copy in told if need.has(plant, offset)]
            if found:
                copies.update(dict.fromkeys(numbers, found))
        self.at = end
        return copies

    def _told(self, records: Sequence[Record]) -> list[tuple[str | None, int, Copy]]:
        """Return plant, offset and copy of the records that go anywhere."""
        anywhere = frozenset().union(*self._wanted)
        plants: dict[bytes, str | None] = {_ANYWHERE: None}
        told = []
        for offset, key, value in [(each.offset, each.key, each.value) for each in records]:
            if key is None or value is None:
                continue
            kind, name, _ = key.split(b"|", 2)
            if kind not in _COPIED:
                continue
            if name not in plants:
                plants[name] = read_key(key)[1]
            plant = plants[name]
            if plant is None or plant in anywhere:
                told.append((plant, offset, Copy(key, with_seq(value, offset))))
        return told

    def _alike(self, told: Sequence[tuple[str | None, int, Copy]]) -> dict["_Need", list[int]]:
        """Return the partitions by what they need of these records."""
        plants = frozenset(plant for plant, _, _ in told if plant is not None)
        first = told[0][1] if told else 0
        alike: dict[_Need, list[int]] = {}
        for number, (had, wanted) in enumerate(zip(self._had, self._wanted, strict=True)):
            need = _Need(max(had.offset, first), had.plants & plants, wanted & plants)
            alike.setdefault(need, []).append(number)
        return alike

    def noted(self) -> dict[int, Noted]:
        """Return how far each partition has come, once what `copy` gave has been written."""
        found = {}
        for number, (had, wanted) in enumerate(zip(self._had, self._wanted, strict=True)):
            offset = max(had.offset, self.at) if wanted <= had.plants else self.at
            found[number] = Noted(offset, wanted, self.topic)
        return found

    def finish(self) -> None:
        """End the round: all of it has been copied."""
        self._had = [Noted(self.end, wanted, self.topic) for wanted in self._wanted]


def with_seq(value: bytes, offset: int) -> bytes:
    """Return a record of `reference.v1` as it lies in a partition: with its offset there."""
    return b'%b,"seq":%d}' % (value.rstrip()[:-1], offset)


def seen_record(plant: str, number: int) -> tuple[bytes, bytes]:
    """Return key and value of the record that says: this partition holds lines of this plant."""
    event = {
        "specversion": "1.0",
        "type": f"reference.{SEEN}.v1",
        "source": SOURCE,
        "id": f"rf:{SEEN}:{plant}/{number}",
        "plant": plant,
        "line": ANYWHERE,
        "data": {"partition": number},
    }
    return key_of(SEEN, plant, [str(number)]), msgspec.json.encode(event)
