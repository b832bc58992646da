"""A line in MessagePack, as a store of format 4 keeps it: sums by the short name of their type."""

from typing import Any, Final

import msgspec

from streams.contract.policy import MEASURES_MAX
from streams.values import sums as sums_
from streams.values import writer
from tables.line import packed
from tables.line.line import SIDES, Line, Unit, sum_of
from tables.line.rules import Kind, Rules
from tables.line.windows import LONG_AGO

MEMBERS: Final = 17
"""Of a line; two more where events that holds kept have gone on, or were taken out."""

_MEMBERS, _SIDES, _LONG_AGO = MEMBERS, SIDES, LONG_AGO
_encode = msgspec.msgpack.Encoder().encode
_to = writer.Writer()


class Spot:
    """Where the sums of a record type are in those of a line; -1: it has none there."""

    def __init__(self, kind: Kind) -> None:
        self.name = kind.short
        self.first = kind.index * MEASURES_MAX
        self.count = len(kind.measures)
        self.in_unit = kind.first_unit_sum if kind.uom >= 0 else -1
        self.singly = SIDES * kind.index if kind.erp else -1


def spots_of(rules: Rules) -> list[Spot]:
    """Return the spots of all record types, in their order."""
    found: list[Spot] | None = rules.made.get("spots")
    if found is None:
        found = rules.made["spots"] = [Spot(kind) for kind in rules.kinds]
    return found


def line_bytes(line: Line, ticks: int, rules: Rules) -> bytes:
    """Return a line. `ticks` is how many it has seen; sums that are all zero are left out."""
    to, spots = _to, spots_of(rules)
    freed = line.freed_at != _LONG_AGO
    writer.begin(to)
    writer.pack_list(to, _MEMBERS + 2 if freed else _MEMBERS)
    writer.pack_text(to, line.plant)
    writer.pack_text(to, line.line)
    writer.pack_number(to, line.watermark)
    writer.pack_number(to, ticks)
    _pack_sums(to, spots, line.accepted, line.emitted)
    writer.pack_number(to, line.forgotten_open)
    writer.pack_number(to, line.accepted_events)
    writer.pack_number(to, line.late_events)
    writer.pack_text(to, line.state)
    writer.pack_number(to, line.closed_to)
    writer.pack_number(to, line.furthest)
    writer.pack_number(to, rules.retention)
    writer.pack_number(to, line.reach)
    writer.put(to, _boundaries_bytes(line) if line.boundaries else b"\x90")
    writer.put(to, _encode(parked_told(line, rules)) if line.parked else b"\x90")
    _pack_singles(to, spots, line.singles)
    writer.pack_list(to, len(line.units))
    for uom, unit in line.units.items():
        writer.pack_list(to, 2)
        writer.pack_text(to, uom)
        _pack_unit(to, spots, unit)
    if freed:
        writer.pack_number(to, line.freed_from)
        writer.pack_number(to, line.freed_at)
    return writer.taken(to)


def parked_told(line: Line, rules: Rules) -> list[list[str | int]]:
    """Return what is parked of each measure: [short, place of the measure, billionths as text]."""
    told: list[list[str | int]] = []
    for kind in rules.kinds:
        for slot in range(len(kind.measures)):
            amount = line.parked.get(sum_of(kind, slot))
            if amount:
                told.append([kind.short, slot, str(amount)])
    return told


def _boundaries_bytes(line: Line) -> bytes:
    told: list[Any] = [
        [each.begin, each.valid_from, each.zone, each.cadences] for each in line.boundaries
    ]
    return _encode(told)


def _pack_sums(
    to: writer.Writer, spots: list[Spot], accepted: sums_.Sums, emitted: sums_.Sums
) -> None:
    """Pack {short name: [accepted, emitted]}; a record type whose sums are zero is left out."""
    some = 0
    for spot in spots:
        some += _is_some(accepted, spot.first, spot.count) or _is_some(
            emitted, spot.first, spot.count
        )
    writer.pack_map(to, some)
    for spot in spots:
        if _is_some(accepted, spot.first, spot.count) or _is_some(emitted, spot.first, spot.count):
            writer.pack_text(to, spot.name)
            writer.pack_list(to, 2)
            _pack_numbers(to, accepted, spot.first, spot.count)
            _pack_numbers(to, emitted, spot.first, spot.count)


def _pack_singles(to: writer.Writer, spots: list[Spot], singles: sums_.Sums) -> None:
    """Pack what a line counts of what leaves singly: [short, count, ...] of each record type."""
    some = 0
    for spot in spots:
        some += spot.singly >= 0 and _is_some(singles, spot.singly, _SIDES)
    writer.pack_list(to, some)
    for spot in spots:
        if spot.singly >= 0 and _is_some(singles, spot.singly, _SIDES):
            writer.pack_list(to, _SIDES + 1)
            writer.pack_text(to, spot.name)
            for side in range(_SIDES):
                packed.pack_sum(to, sums_.at(singles, spot.singly + side))


def _pack_unit(to: writer.Writer, spots: list[Spot], unit: Unit) -> None:
    """Pack {short name: [accepted, emitted, parked]} of the record types that name a unit."""
    some = 0
    for spot in spots:
        some += spot.in_unit >= 0
    writer.pack_map(to, some)
    for spot in spots:
        if spot.in_unit >= 0:
            writer.pack_text(to, spot.name)
            writer.pack_list(to, 3)
            _pack_numbers(to, unit.accepted, spot.in_unit, spot.count)
            _pack_numbers(to, unit.emitted, spot.in_unit, spot.count)
            _pack_numbers(to, unit.parked, spot.in_unit, spot.count)


def _is_some(sums: sums_.Sums, begin: int, count: int) -> bool:
    """Return whether one of so many sums isn't zero."""
    for place in range(begin, begin + count):  # noqa: SIM110  # no closure in compiled code
        if sums_.at(sums, place):
            return True
    return False


def _pack_numbers(to: writer.Writer, sums: sums_.Sums, begin: int, count: int) -> None:
    writer.pack_list(to, count)
    for place in range(begin, begin + count):
        packed.pack_sum(to, sums_.at(sums, place))
