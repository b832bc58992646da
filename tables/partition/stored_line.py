"""A line as its record in a partition's store has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streams.values.sums import Sums
from tables.known.known import Known
from tables.line import closing
from tables.line.line import SIDES, Line, Unit, set_boundaries, sum_of
from tables.line.periods import Boundary, timings_of
from tables.line.rules import Kind, Rules

FIRST_LINE: Final = 10
"""Members of a line before contract v2, at most."""

_decode = msgspec.msgpack.Decoder().decode


def read_line(stored: bytes, rules: Rules, floors: list[tuple[int, int]], known: Known) -> Line:
    """Return a line of a format from 3 on, raised by the ticks that it hasn't been written since.

    `floors` are `tables.partition.partition.Partition.floors`.
    """
    plant, name, watermark, ticks, sums, forgotten_open, events, late, state, *more = _decode(
        stored
    )
    line = Line(plant, name, watermark, rules)
    line.known, line.timings = known, timings_of(rules, known, plant)
    if len(more) > 1:
        line.closed_to, line.furthest, retention, line.reach, boundaries, parked = more[:6]
        set_reach(line, watermark, retention)
        line.forgotten_open = forgotten_open
        put_parked(line, rules, parked)
        for short, *counts in more[6] if len(more) > 6 else ():
            put_singles(line, rules, short, counts)
        for uom, told in more[7] if len(more) > 7 else ():
            line.units[uom] = _read_unit(told, rules)
        if len(more) > 8:
            line.freed_from, line.freed_at = more[8:10]
        if boundaries:
            set_boundaries(line, [Boundary(*each) for each in boundaries])
    else:
        line.old_layout, line.furthest = True, watermark - line.timings.grace
        line.closed_to = more[0] if more else line.closed_to
    for number, time in floors:
        if number > ticks:
            if time - line.timings.idle_grace > watermark:
                closing.raise_to(line, time - line.timings.idle_grace)
            break  # those behind it are lower
    for kind in rules.kinds:
        if kind.short in sums:
            accepted, emitted = sums[kind.short]
            _put_sums(line.accepted, kind, accepted)
            _put_sums(line.emitted, kind, emitted)
    line.accepted_events, line.late_events, line.state = events, late, state
    return line


def put_parked(line: Line, rules: Rules, parked: list[tuple[str, int, str]]) -> None:
    """Put what is parked to a line."""
    for short, slot, amount in parked:
        kind = rules.kinds_by_short.get(short.encode())
        if kind is not None:
            line.parked[sum_of(kind, slot)] = int(amount)


def put_singles(line: Line, rules: Rules, short: str, counts: list[int]) -> None:
    """Put stored counts of what leaves singly to a line's."""
    kind = rules.kinds_by_short.get(short.encode())
    if kind is not None and kind.erp:
        for side, count in enumerate(counts):
            line.singles[SIDES * kind.index + side] = count


def _read_unit(told: Mapping[str, list[list[int | str]]], rules: Rules) -> Unit:
    unit = Unit(rules.unit_sums)
    for short, sides in told.items():
        kind = rules.kinds_by_short.get(short.encode())
        if kind is not None and kind.uom >= 0:
            for sums, stored in zip((unit.accepted, unit.emitted, unit.parked), sides, strict=True):
                for slot, number in enumerate(stored):
                    sums[kind.first_unit_sum + slot] = int(number)
    return unit


def set_reach(line: Line, watermark: int, retention: int) -> None:
    """Note how far back the ledger reaches of a line that was written with another retention."""
    if retention < line.rules.retention:
        line.reach = max(line.reach, watermark - retention)


def read_first_line(stored: bytes, rules: Rules, shorts: list[str], known: Known) -> Line:
    """Return a line of format 1 or 2: its sums lie in the order of `shorts`, its record types."""
    plant, name, watermark, accepted, emitted, _, events, late, state = _decode(stored)
    line = Line(plant, name, watermark, rules)
    line.known = known
    for short, one, other in zip(shorts, accepted, emitted, strict=True):
        kind = rules.kinds_by_short.get(short.encode())
        if kind is not None:
            _put_sums(line.accepted, kind, one)
            _put_sums(line.emitted, kind, other)
    line.accepted_events, line.late_events, line.state = events, late, state
    line.old_layout = True
    return line


def _put_sums(sums: Sums, kind: Kind, stored: list[int | str]) -> None:
    """Put the stored sums of a record type to a line's; a measure that is new since keeps zero."""
    for slot, number in enumerate(stored):
        sums[sum_of(kind, slot)] = int(number)
