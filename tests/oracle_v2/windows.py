"""Windows: what is folded into rows, and what carries it (sections 4, 5)."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .rules import Cadence, Window
from .tables import ORDER, WINDOWED

if TYPE_CHECKING:
    from .line import Line

CAUSES_MAX = 20

Close = tuple[int, int]
"""(end of the window that carries, place in the order of equal ends)."""


@dataclass
class Sums:
    """One row of one close."""

    measures: list[int]
    count: int = 0
    causes: list[str] = field(default_factory=list)
    cause_count: int = 0


@dataclass(frozen=True)
class RowKey:
    """Under which window a row leaves, as which revision, carried from where."""

    window: Window
    revision: int
    carrier_start: int
    members: tuple[Any, ...]


Rows = dict[RowKey, Sums]


def summary_cadence(line: "Line") -> Cadence:
    return Cadence("window", line.task.settings.summary, "UTC", None)


def is_closed(line: "Line", end: int) -> bool:
    """Section 12: "decided by the furthest that watermark - grace has ever been"."""
    return line.furthest is not None and end <= line.furthest


def carrier(line: "Line", cadence: Cadence, window: Window) -> Window:
    """Section 5: a late event "is carried by the window (of the same kind and length) that holds
    the watermark at the moment of its folding"."""
    assert line.watermark is not None
    return cadence.window(line.watermark) if is_closed(line, window.end) else window


def row(
    line: "Line", short: str, cadence: Cadence, window: Window, members: tuple[Any, ...]
) -> Sums:
    """Return the open row to which something of this window is added now."""
    held = carrier(line, cadence, window)
    key = RowKey(window, cadence.revision(window, held), held.start, members)
    rows = line.open.setdefault((held.end, ORDER.index(short)), {})
    return rows.setdefault(key, Sums([0] * len(WINDOWED[short].measures)))


def fold(
    line: "Line",
    short: str,
    cadence: Cadence,
    time: int,
    data: dict[str, Any],
    measures: dict[str, int],
    cause: str,
    sign: int = 1,
) -> None:
    """Add an event to its row of the window that holds its time; sign -1 takes it back."""
    windowed = WINDOWED[short]
    members = tuple(data.get(name) for name in windowed.row)
    sums = row(line, short, cadence, cadence.window(time), members)
    for index, name in enumerate(windowed.measures):
        sums.measures[index] += sign * measures.get(name, 0)
    sums.count += sign
    sums.cause_count += 1
    if len(sums.causes) < CAUSES_MAX:
        sums.causes.append(cause)


def summarize(line: "Line", type_: str, time: int, data: dict[str, Any], sign: int) -> None:
    """Section 4, column "summary": rows and measures of one event."""
    fed: list[tuple[str, dict[str, int]]] = []
    if type_ == "production.confirmed.v1":
        fed = [("su", {"good": data["quantity"]})]
    elif type_ == "material.consumed.v1":
        fed = [("sc", {"quantity": data["quantity"]})]
    elif type_ == "scrap.declared.v1":
        fed = [("ss", {"quantity": data["quantity"]})]
        if data["kind"] == "operation":
            fed.append(("su", {"scrap": data["quantity"]}))
    elif type_ == "rework.declared.v1":
        fed = [("su", {"rework": data["quantity"]})]
    elif type_ == "machine.count.v1":
        fed = [("sm", {"good": data["good"], "scrap": data["scrap"]})]
    for short, measures in fed:
        cadence = summary_cadence(line)
        fold(line, short, cadence, time, data, measures, "", sign)
        members = tuple(data.get(name) for name in WINDOWED[short].row)
        line.tally.accept(short, members, measures, sign)


def add(line: "Line", short: str, start: int, members: tuple[Any, ...], more: Counter[str]) -> None:
    """Add what was learnt of a closed summary window: the difference, carried like a late event."""
    cadence = summary_cadence(line)
    add_to(row(line, short, cadence, cadence.window(start), members), line, short, members, more)


def add_to(
    sums: Sums, line: "Line", short: str, members: tuple[Any, ...], more: Counter[str]
) -> None:
    for index, name in enumerate(WINDOWED[short].measures):
        sums.measures[index] += more[name]
    line.tally.accept(short, members, dict(more), 1)
