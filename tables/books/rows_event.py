"""What an event says, by the columns that the books have for it."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from streams.codec.decode import Decoded
from streams.codec.document import read_envelope
from streams.contract.events import NAMES, TYPES, HoldPlaced, TransactionReversed
from streams.contract.members import members
from streams.values import instant
from tables.books import texts

Headers = Sequence[tuple[str, bytes | None]]

NAMED: Final = ("order", "operation", "item", "lot", "serial", "work_unit")
"""Members of `data` that have a column each."""

SUBJECTS: Final = ("hold", "episode", "nonconformance", "inspection", "reverses")
"""What an event is about, beside these: an event has one of them at most."""

Named = tuple[str | None, ...]
"""The members of `NAMED`, then the subject."""


class Told(NamedTuple):
    """What a record tells, as far as it can be read."""

    type: str | None
    plant: str | None
    line: str | None
    source: str | None
    id: str | None
    time: int | None
    named: Named


NOTHING: Final = Told(None, None, None, None, None, None, (None,) * (len(NAMED) + 1))


def told_of(event: Any) -> Told:
    """Return what an event of the contract tells."""
    kind = event.__class__
    return Told(
        NAMES[kind],
        event.plant,
        event.line,
        event.source,
        event.id,
        event.time,
        _NAMED[kind](event.data),
    )


def told_anyway(value: bytes | None, headers: Headers, decoded: Decoded | None) -> Told:
    """Return what a refused record tells: of one that is no event the members that are texts."""
    if decoded is not None and decoded.__class__ in NAMES:
        return told_of(decoded)
    try:
        envelope = read_envelope(value, headers)
    except RecursionError:
        return NOTHING
    if isinstance(envelope, str):
        return NOTHING
    data = envelope.get("data")
    kind, plant, line, source, id = (
        texts.name(envelope.get(each)) for each in ("type", "plant", "line", "source", "id")
    )
    try:
        time = instant.parse(envelope.get("time"))
    except ValueError:
        time = None
    named = named_in(data) if isinstance(data, dict) else NOTHING.named
    return Told(kind, plant, line, source, id, time, named)


def named_in(data: Mapping[str, Any]) -> Named:
    """Return what an object names that anybody may have written."""
    subject = next((found for each in SUBJECTS if (found := texts.name(data.get(each)))), None)
    return (*(texts.name(data.get(each)) for each in NAMED), subject)


class Measured(NamedTuple):
    """What counts of an event type: its measures, and whether they have a unit."""

    measures: tuple[str, ...]
    uom: bool


def _named(struct: Any) -> Callable[[Any], Named]:
    """Return what gives the names of a type's `data`."""
    there = {member.name for member in members(struct.__annotations__["data"])}
    subject = next((each for each in SUBJECTS if each in there), None)
    wanted = [each if each in there else None for each in (*NAMED, subject)]
    found = [each for each in wanted if each is not None]
    if len(found) < 2:
        return lambda data: tuple(each and getattr(data, each) for each in wanted)
    get = attrgetter(*found)
    places = [found.index(each) if each is not None else len(found) for each in wanted]
    a, b, c, d, e, f, g = places

    def named(data: Any) -> Named:
        values = (*get(data), None)
        return (values[a], values[b], values[c], values[d], values[e], values[f], values[g])

    return named


def _reversed(data: Any) -> Named:
    """Return what the original names: so a reversal is found by its order."""
    original = data.original.get("data")
    named = named_in(original) if isinstance(original, dict) else NOTHING.named
    return (*named[:-1], data.reverses)


def _held(data: Any) -> Named:
    """Return what a hold is on: so it is found by its lot."""
    order, item, lot = (
        data.value if data.scope == each else None for each in ("order", "item", "lot")
    )
    return (order, None, item or data.item, lot, None, None, data.hold)


def _measured(struct: Any) -> Measured:
    told = members(struct.__annotations__["data"])
    measures = tuple(each.name for each in told if each.kind == "measure")
    return Measured(measures, any(each.name == "uom" for each in told))


_NAMED: Final[dict[Any, Callable[[Any], Named]]] = {
    struct: _named(struct) for struct in TYPES.values()
} | {TransactionReversed: _reversed, HoldPlaced: _held}

MEASURED: Final[Mapping[Any, Measured]] = {
    struct.__annotations__["data"]: _measured(struct) for struct in TYPES.values()
}
"""What is added up of each event type, by the struct of its `data`."""
