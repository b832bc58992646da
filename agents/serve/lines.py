"""What the page shows of each line: of the listed ones, and of those that are searched for."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, Final, Literal

from msgspec import Struct

from agents.serve.turns import SLICE_SECONDS, Work
from streams.contract.topics import MES_EVENTS
from streams.values import instant
from tables.line import conservation
from tables.line.line import Line
from tables.partition.partition import Partition

LINES_LISTED_MAX: Final = 500
"""Lines of a status or an answer: 150 KB of JSON. The page shows 200, and searches for others."""

STATES: Final = ("down", "planned", "silent", "running")
"""`down`: in an unplanned stop; `planned`: in planned stops only; `silent`: its watermark is behind
the newest one by more than the idle grace."""

State = Literal["down", "planned", "silent", "running"]

Half = tuple[Line, Partition]
"""A line on one of the two input topics."""

Name = tuple[str, str]
Order = tuple[int, Name]


def lines_of(partition: Partition) -> Mapping[bytes, Line]:
    """Return the lines of a partition by their keys; the page reads lines by this function only.

    Reading them takes many turns of the event loop, and new lines may come meanwhile.
    """
    return partition.lines


class Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search for lines: of a plant, a line, with these words, after one in the order."""

    plant: str = ""
    line: str = ""
    text: str = ""
    """Words that all occur in plant, line, state or detail; upper or lower case doesn't matter."""
    after: str = ""
    """`plant/line` of the last line of the previous answer."""


class Shortlist:
    """Keeps the first of the lines that it is shown, in a bounded memory."""

    def __init__(self) -> None:
        self._kept: list[tuple[Order, bytes, list[Half]]] = []
        self._last: Order | None = None
        """A line after this one isn't among the first."""

    def show(self, order: Order, key: bytes, halves: list[Half]) -> None:
        """Show a line."""
        if self._last is not None and order >= self._last:
            return
        self._kept.append((order, key, halves))
        if len(self._kept) >= 2 * LINES_LISTED_MAX:
            self._cut()

    def first(self) -> list[tuple[Order, bytes, list[Half]]]:
        """Return the first ones, in order."""
        self._cut()
        return self._kept

    def _cut(self) -> None:
        self._kept.sort(key=lambda kept: kept[0])
        if len(self._kept) > LINES_LISTED_MAX:
            del self._kept[LINES_LISTED_MAX:]
            self._last = self._kept[-1][0]


def walk(
    partitions: Sequence[Partition], wanted: Callable[[bytes], bool] = lambda _: True
) -> Iterator[tuple[bytes, list[Half]] | None]:
    """Yield every line with its halves, once, and None now and then, to let other work run."""
    until = perf_counter() + SLICE_SECONDS
    for number, partition in enumerate(partitions):
        for key in list(lines_of(partition)):
            if wanted(key):
                if any(key in lines_of(before) for before in partitions[:number]):
                    continue
                halves = halves_of(key, partitions[number:])
                if halves:
                    yield key, halves
            if perf_counter() > until:
                yield None
                until = perf_counter() + SLICE_SECONDS


def halves_of(key: bytes, partitions: Sequence[Partition]) -> list[Half]:
    """Return a line's halves: one for each input topic on which it was seen."""
    return [(line, one) for one in partitions if (line := lines_of(one).get(key)) is not None]


def newest_watermark(partitions: Sequence[Partition]) -> Work[int]:
    """Return the highest watermark of all lines."""
    newest = 0
    for found in walk(partitions):
        if found is None:
            yield
        else:
            newest = max(newest, *(line.watermark for line, _ in found[1]))
    return newest


def find(query: Query, partitions: Sequence[Partition], newest: int) -> Work[dict[str, Any]]:
    """Return the lines that a search finds, sorted by name, and how many there are."""
    words, after = query.text.lower().split(), natural(query.after)
    shortlist, matching = Shortlist(), 0
    candidates: Iterator[tuple[bytes, list[Half]] | None]
    if query.plant and query.line:
        key = f"{query.plant}/{query.line}".encode()
        halves = halves_of(key, partitions)
        candidates = iter([(key, halves)] if halves else [])
    else:
        candidates = walk(partitions, _wanted(query))
    for found in candidates:
        if found is None:
            yield
            continue
        key, halves = found
        name = natural(key.decode())
        if query.after and name <= after:
            continue
        if words:
            state, detail = state_of(halves, newest)
            text = f"{key.decode()} {state} {detail}".lower()
            if not all(word in text for word in words):
                continue
        matching += 1
        shortlist.show((0, name), key, halves)
    first = shortlist.first()
    return {
        "lines": [entry(halves, newest, None) for _, _, halves in first],
        "matching": matching,
        "next": first[-1][1].decode() if matching > len(first) else None,
    }


def _wanted(query: Query) -> Callable[[bytes], bool]:
    begin, end = f"{query.plant}/".encode(), f"/{query.line}".encode()
    if query.plant:
        return lambda key: key.startswith(begin)
    if query.line:
        return lambda key: key.endswith(end)
    return lambda _: True


def natural(name: str) -> Name:
    """Return a sort key by which L2 comes before L10."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(12), name), name


def state_of(halves: Sequence[Half], newest: int) -> tuple[State, str]:
    """Return the state of a line, and the detail shown with it."""
    open_ = [
        episode
        for line, _ in halves
        for name in sorted(line.live)
        if (episode := line.episodes[name]).end is None
    ]
    detail = ", ".join(f"{episode.work_unit}: {episode.reason}" for episode in open_)
    if open_:
        return "planned" if all(episode.planned for episode in open_) else "down", detail
    detail = next((line.state for line, _ in halves if line.state), "")
    idle_grace = halves[0][1].rules.idle_grace
    if max(line.watermark for line, _ in halves) <= newest - idle_grace:
        return "silent", detail
    return "running", detail


def entry(halves: Sequence[Half], newest: int, rate: float | None) -> dict[str, Any]:
    """Return the page's entry for a line."""
    watermarks = {one.topic: instant.text(line.watermark) for line, one in halves}
    state, detail = state_of(halves, newest)
    first = halves[0][0]
    return {
        "plant": first.plant,
        "line": first.line,
        "state": state,
        "detail": detail,
        "rate": None if rate is None else round(rate, 1),
        "accepted": sum(line.accepted_events for line, _ in halves),
        "late": sum(line.late_events for line, _ in halves),
        "mes_watermark": watermarks.pop(MES_EVENTS, None),
        "machine_watermark": next(iter(watermarks.values()), None),
        "open_windows": sum(conservation.open_windows(line) for line, _ in halves),
    }
