"""The keys of a partition's store, and what a line keeps under several of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from tables.line.episodes import Episode
from tables.line.kept import Kept
from tables.line.line import Line
from tables.line.rows import Row
from tables.line.rules import PAGE_ROWS, SHARED_PAGES, Kind, Rules
from tables.line.timeline import Block, Timeline, Timelines
from tables.store.store import Change

LINE: Final = b"h"
EPISODE: Final = b"e"
WINDOW: Final = b"w"
FINAL: Final = b"a"
EXPIRY: Final = b"x"
POINTS: Final = b"m"
"""Prefixes: lines, episodes, windows, final confirmations that wait, which ledger entries expire
when, and points of machine states. A line's keys go on with its Kafka key and a zero byte. The head
has a key, the ledger a prefix of its own. No key begins as another's do, those of a changelog
(`streams.kafka.writer`) included."""

PAGE_BYTES: Final = 6
"""Of a page's number in a key."""

FIRST_EPISODE: Final = 7
"""Members of an episode before contract v2."""

Earlier = Mapping[tuple[str, int], tuple[str, ...]]
"""The names of the rows that a record type had before, by its short and their number."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_UNTOLD = astuple(Episode(""))


def episode_changes(line: Line, names: Iterable[str]) -> Iterator[Change]:
    """Yield what is to be stored of these episodes; one that is forgotten has no value."""
    prefix = EPISODE + line.key + b"\0"
    for name in names:
        episode = line.episodes.get(name)
        yield prefix + name.encode(), None if episode is None else _episode_bytes(episode)


def read_episode(key: bytes, stored: bytes) -> tuple[bytes, str, Episode]:
    """Return the line's key, the episode's name, and the episode."""
    line_key, name = key[1:].split(b"\0")
    return line_key, name.decode(), Episode(*_decode(stored))


def page_place(short: str, carrier: int, number: int) -> bytes:
    """Return the end of a page's key: what follows its line's key and the zero byte."""
    return short.encode() + b"\0" + instant_bytes(carrier) + number.to_bytes(PAGE_BYTES, "big")


def final_changes(line: Line) -> Iterator[Change]:
    """Yield what is to be stored of the final confirmations that have changed."""
    prefix = FINAL + line.key + b"\0"
    for end, key in line.changed_finals:
        waiting = line.finals.get(end, {}).get(key)
        value = None if waiting is None else _encode(waiting)
        yield prefix + instant_bytes(end) + key.encode(), value


def read_final(line: Line, key: bytes, stored: bytes) -> None:
    """Put a final confirmation that waits into its line; `key` follows the line's and its zero."""
    end = instant_of(key[:8])
    waiting = msgspec.msgpack.decode(stored, type=Kept)
    line.finals.setdefault(end, {})[key[8:].decode()] = waiting


def read_points(line: Line, key: bytes, stored: bytes, rules: Rules) -> None:
    """Put a block of points into its line; they come in order.

    `key` is what follows the line's key and its zero byte.
    """
    distances, codes, *told = _decode(stored)
    if line.timelines is None:
        line.timelines = Timelines()
    unit = key[:-9].decode()
    timeline = line.timelines.units.setdefault(unit, Timeline())
    times = array("q", accumulate(distances))
    # Earlier versions could write what was told of points of which nothing was late.
    late = bytearray(told[0]) if told and told[0] != codes else None
    timeline.blocks.append(Block(instant_of(key[-8:]), times, bytearray(codes), late))
    if late is not None:
        pending = [at for at, one, other in zip(times, late, codes, strict=True) if one != other]
        line.timelines.note_late(unit, pending[0], pending[-1])
    line.timelines.until = max(line.timelines.until, times[-1] + rules.state_limit)


def read_rows(
    line: Line, key: bytes, stored: bytes, kinds: Mapping[bytes, Kind], earlier: Earlier
) -> None:
    """Put the rows of a stored page, or of a whole window, into their line; pages come in order.

    `key` is what follows the line's key and its zero byte.
    """
    short, place = key.split(b"\0", 1)
    kind, carrier = kinds[short], instant_of(place[:8])
    if line.old_layout:  # by the start of the window
        carrier += kind.length
    paged = len(place) > 8
    page = int.from_bytes(place[8:], "big")
    rows = line.windows[kind.index].setdefault(carrier, {})
    for start, members, measures, count, causes in _decode(stored):
        if len(members) != len(kind.row):
            members = _with_new(members, kind, earlier)
        row = Row(_grown(measures, kind), count, causes)
        if paged:
            row.page = page
        elif len(rows) < SHARED_PAGES * PAGE_ROWS:
            row.page = len(rows) // PAGE_ROWS
        else:
            row.page = line.next_page
        line.next_page = max(line.next_page, row.page + 1)
        rows[start, tuple(members)] = row


def _with_new(members: list[Any], kind: Kind, earlier: Earlier) -> list[Any]:
    """Return the members of a row that was written before its type had gained some: absent ones."""
    names = earlier[kind.short, len(members)]
    told = dict(zip(names, members, strict=True))
    return [told.get(name) for name in kind.row]


def window_short(key: bytes) -> str:
    """Return the short name of the record type that a stored window is of."""
    return key.split(b"\0", 2)[1].decode()


def _grown(sums: list[int | str], kind: Kind) -> list[int]:
    """Return stored sums of a record type; a measure that is new since begins at nothing."""
    return [*map(int, sums), *[0] * (len(kind.measures) - len(sums))]


def read_expiry(line: Line, key: bytes) -> int:
    """Return the begin of the bucket of time that such a note is on."""
    at = len(EXPIRY) + len(line.key) + 1
    return instant_of(key[at : at + 8])


def read_expiring(stored: bytes) -> list[bytes]:
    """Return the ledger keys of such a note."""
    keys: list[bytes] = _decode(stored)
    return keys


def _episode_bytes(episode: Episode) -> bytes:
    """Return an episode: as earlier versions have it, and what else there is to say of it."""
    told = list(astuple(episode))
    while len(told) > FIRST_EPISODE and told[-1] == _UNTOLD[len(told) - 1]:
        del told[-1]
    return _encode(told)


def instant_bytes(instant: int) -> bytes:
    """Return 8 bytes that sort as instants do."""
    return (instant + 2**63).to_bytes(8, "big")


def instant_of(stored: bytes) -> int:
    """Return the instant of 8 bytes."""
    return int.from_bytes(stored, "big") - 2**63
