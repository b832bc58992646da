"""The differences that an audit finds: each has a sentence, and the law that it refutes."""

from collections import Counter
from typing import Any, Final, Literal, NamedTuple, get_args

from msgspec import Struct

from agents.audit.content import Mismatch, quoted
from streams.contract.topics import INPUTS, OUTPUTS, REFERENCE

Law = Literal["conservation", "idempotence", "determinism", "order", "no loss", "relevance"]
"""The laws of docs/contract.md, in their order."""

LAWS: Final[tuple[Law, ...]] = get_args(Law)

Kind = Literal[
    "totals", "reused", "twice", "changed", "extra", "repeated", "reordered", "scattered",
    "missing", "counts", "single", "state", "ledger",
]  # fmt: skip

LAW_OF: Final[dict[Kind, Law]] = {
    "totals": "conservation",
    "state": "conservation",
    "ledger": "idempotence",
    "reused": "idempotence",
    "twice": "idempotence",
    "changed": "determinism",
    "extra": "determinism",
    "repeated": "determinism",
    "reordered": "order",
    "scattered": "order",
    "missing": "no loss",
    "counts": "no loss",
    "single": "relevance",
}


class Place(NamedTuple):
    """Where a record is or should be, and its Kafka key; no offset: the end of the partition."""

    topic: str
    partition: int | None = None
    offset: int | None = None
    key: bytes | None = None


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mismatch that the audit found; `says` is a sentence that names it.

    `expected` and `found` are the two values of `member`; `id` means that the record itself is
    wrong.
    """

    kind: Kind
    says: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    line: str | None = None
    member: str | None = None
    expected: Any = None
    found: Any = None


class Differences:
    """Counts differences, and keeps the first of each law: by topic, partition and offset.

    Inputs come before outputs, since a wrong input makes outputs wrong; totals come last.
    """

    def __init__(self) -> None:
        self.counts: Counter[Kind] = Counter()
        self._first: dict[Law, Difference] = {}

    def note(self, difference: Difference, count: int = 1) -> None:
        """Count a difference, or `count` of its kind."""
        self.counts[difference.kind] += count
        if self.is_first(difference):
            self._first[LAW_OF[difference.kind]] = difference

    def is_first(self, difference: Difference) -> bool:
        """Return whether a difference would be the first of its law so far."""
        first = self.first_of(LAW_OF[difference.kind])
        return first is None or _order(difference) < _order(first)

    def of(self, law: Law) -> int:
        """Return how many differences refute a law."""
        return sum(count for kind, count in self.counts.items() if LAW_OF[kind] == law)

    def first_of(self, law: Law) -> Difference | None:
        """Return the first difference that refutes a law."""
        return self._first.get(law)

    def first(self) -> Difference | None:
        """Return the first difference of all."""
        return min(self._first.values(), key=_order, default=None)


def changed(place: Place, id: str, mismatch: Mismatch) -> Difference:
    """A record has another content than the input produces."""
    says = f"{id} has another content than the input gives: {mismatch}"
    return _difference("changed", place, says, *mismatch[:3])


def forged(place: Place, id: str, mismatch: Mismatch) -> Difference:
    """A record has a form that lineside doesn't write."""
    says = f"{id} isn't what lineside writes: {mismatch}"
    return _difference("changed", place, says, *mismatch[:3])


def reused(place: Place, id: str, mismatch: Mismatch) -> Difference:
    """A posting key comes again with another content."""
    says = f"{id} is there again with another content: {mismatch}"
    return _difference("reused", place, says, *mismatch[:3])


def twice(place: Place, id: str) -> Difference:
    """The input itself produces two records with one posting key."""
    return _difference("twice", place, f"{id} is the posting key of two records", "id", None, id)


def repeated(place: Place, id: str) -> Difference:
    """A record is repeated although the guarantee is exactly_once."""
    says = f"{id} is there again: exactly_once puts each record there once"
    return _difference("repeated", place, says, "id", None, id)


def surplus(place: Place, id: str, next_id: str | None, owner: Place | None) -> Difference:
    """A record isn't expected here; `owner` is where it is expected, if anywhere."""
    if owner is None:
        return _difference("extra", place, f"{id} follows from no input", "id", next_id, id)
    own, given = line_of(owner.key), line_of(place.key)
    says = f"{id} has the key {quoted(given)}, not {quoted(own)}"
    return _difference("extra", place, says, "key", own, given)


def unreadable(place: Place) -> Difference:
    """A record has no id or no type."""
    says = "a record has no id and type, so that lineside can't have written it"
    return _difference("extra", place, says, "value", None, None)


def reordered(place: Place, id: str, before: str) -> Difference:
    """A record comes after another one that should follow it."""
    says = f"{id} comes after {before}, but belongs before it"
    return _difference("reordered", place, says, "id", id, before)


def scattered(place: Place, id: str, before: int) -> Difference:
    """The records of a line are in two partitions of a topic."""
    says = (
        f"{id} is in partition {place.partition}, and earlier records of its line are in partition "
        f"{before}: nobody reads them in order"
    )
    return _difference("scattered", place, says, "partition", before, place.partition)


def missing(place: Place, id: str, instead: str | None) -> Difference:
    """A record is missing; `instead` is the id of the record in its place, if any."""
    why = f"{instead} is in its place" if instead else "the state has counted its cause"
    return _difference("missing", place, f"{id} is missing: {why}", "id", id, instead)


def miscounted(place: Place, member: str, expected: int, found: int, says: str) -> Difference:
    """A count of a state differs from the count of its records."""
    return _difference("counts", place, says, member, expected, found)


def misstated(
    kind: Literal["state", "ledger"], place: Place, member: str, expected: object, found: object
) -> Difference:
    """A state holds another value for a line than its records give."""
    of = "the state" if place.key is None else f"the state of {line_of(place.key)}"
    says = (
        f"{of} holds another {member} than the records give: "
        f"{quoted(found)}, not {quoted(expected)}"
    )
    return _difference(kind, place, says, member, expected, found)


def single(place: Place, id: str) -> Difference:
    """A single machine event leads to a record on an ERP topic."""
    says = f"{id} comes from a single machine event"
    return _difference("single", place, says, "id", None, id)


def totals(kind: str, measure: str, expected: str, found: str) -> Difference:
    """The two sides of the conservation of a measure differ."""
    says = f"{measure} of {kind}: the input leads to {expected}, and the records add up to {found}"
    return Difference(
        kind="totals", says=says, member=f"{kind} {measure}", expected=expected, found=found
    )


def line_of(key: bytes | None) -> str | None:
    """Return a Kafka key as readable text."""
    return None if key is None else key.decode("utf-8", "backslashreplace")


def _difference(
    kind: Kind, place: Place, says: str, member: str, expected: object, found: object
) -> Difference:
    topic, partition, offset, key = place
    return Difference(
        kind=kind, says=says, topic=topic, partition=partition, offset=offset, line=line_of(key),
        member=member, expected=expected, found=found,
    )  # fmt: skip


_TOPICS: Final = (*INPUTS, *OUTPUTS, REFERENCE, None)
_LAST: Final = float("inf")


def _order(difference: Difference) -> tuple[float, float, float]:
    partition, offset = difference.partition, difference.offset
    return (
        _TOPICS.index(difference.topic),
        _LAST if partition is None else partition,
        _LAST if offset is None else offset,
    )
