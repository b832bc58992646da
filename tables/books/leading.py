"""What an accepted event can lead to, by the policy: posting keys, and rows of windows.

The job's own rules say it. Which windows there are depends on the rules of the plant, too; of these
all that hold an event's time are named, since a line goes over from one to the next by itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Any, Final, Literal, NamedTuple

from streams.codec.decode import read_original
from streams.contract.events import TYPES, AnyEvent, TransactionReversed
from streams.contract.reference_values import RULED
from streams.contract.structs import Data
from streams.contract.transactions import (
    at_once_key,
    place,
    reversal_key,
    row_text,
    windowed_key,
)
from tables.line import windows
from tables.line.rules import AtOnce, Kind, Rules
from tables.line.windows import Cadence

How = Literal["at_once", "window", "reversal", "notification"]

EVENT_TYPES: Final = {struct: name for name, struct in TYPES.items()}

_WINDOW_SECONDS: Final = "window_seconds"


class Told(NamedTuple):
    """What is posted: an event, or of a reversal its original; `reversal` says which."""

    type: str
    plant: str
    line: str
    source: str
    id: str
    time: int
    data: Data
    reversal: bool


def told_of(event: AnyEvent) -> Told | None:
    """Return what an event is about, None for a reversal whose original can't be read."""
    type_ = EVENT_TYPES[type(event)]
    if not isinstance(event, TransactionReversed):
        return Told(
            type_, event.plant, event.line, event.source, event.id, event.time, event.data, False
        )
    original = read_original(event.data.original)
    if isinstance(original, str):
        return None
    return Told(
        original.type,
        event.plant,
        event.line,
        event.source,
        event.data.reverses,
        original.time,
        original.data,
        True,
    )


def singly(rules: Rules, told: Told) -> list[AtOnce]:
    """Return the records that an event may leave as by itself."""
    records = rules.plans[TYPES[told.type]].singly
    return [each for each in records if _applies(each.where, told.data)]


def keys(rules: Rules, told: Told) -> dict[str, How]:
    """Return the posting keys of what may leave for an event by itself, or for its reversal."""
    where = place(told.plant, told.line)
    found: dict[str, How] = {}
    for each in singly(rules, told):
        key = at_once_key(each.short, where, told.source, told.id)
        if told.reversal:
            found[reversal_key(key)] = "reversal"
        else:
            found[key] = "at_once"
    return found


def rows(rules: Rules, told: Told, erp: bool) -> Iterator[tuple[Kind, str]]:
    """Yield the windowed records that an event may feed, and its row as posting keys spell it."""
    for each in rules.plans[TYPES[told.type]].contributions:
        if each.erp is erp and _applies(each.where, told.data):
            kind = rules.kinds[each.kind_index]
            yield kind, row_text(tuple(getattr(told.data, name) for name in kind.row))


def key_start(kind: Kind, told: Told, window_start: int, row: str) -> str:
    """Return the posting key of a window's row up to its revision."""
    return windowed_key(kind.short, place(told.plant, told.line), window_start, row, 0)[:-1]


def goes_alone(told: Told) -> bool:
    """Return whether an event leaves by itself though others like it go by window."""
    serial, final = (getattr(told.data, name, None) for name in ("serial", "final"))
    return serial is not None or final is True


def cadences(
    rules: Rules, record: str, said: Iterable[Mapping[str, Any]], zone: tzinfo | None
) -> list[Cadence]:
    """Return how windows of a record type may follow each other in a plant.

    `said` are the `data` of the plant's rules. By the settings comes first, if it goes by window.
    """
    found = [Cadence(rules.posting)] if record in rules.by_window else []
    for each in said:
        told = (each.get("transactions") or {}).get(record) if record in RULED else None
        when = told.get("when") if isinstance(told, Mapping) else None
        if when == "window":
            length = told.get(_WINDOW_SECONDS) if told else None
            seconds = int(length) if isinstance(length, int) else 0
            found.append(Cadence(seconds * 1_000_000 or rules.posting))
        elif when in ("hour", "day"):
            found.append(Cadence(0, zone=zone, daily=when == "day"))
    return found


def window_of(cadence: Cadence, at: int) -> tuple[int, int]:
    """Return where the window that holds an instant starts and ends."""
    start = windows.start_of(cadence, at)
    return start, windows.end_of(cadence, start)


def _applies(where: Mapping[str, str], data: Data) -> bool:
    return all(getattr(data, name, None) == value for name, value in where.items())
