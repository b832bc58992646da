"""A line's rows and sums in MessagePack, as a store keeps them; past 64 bits as decimal text."""

from streams.contract.policy import MEASURES_MAX
from streams.values import sums as sums_
from streams.values import wide, writer
from tables.line.line import Unit
from tables.line.rows import Row
from tables.line.rules import Kind
from tables.line.windows import RowKey

_to = writer.Writer()


def rows_bytes(rows: dict[RowKey, Row]) -> bytes:
    """Return rows: [start, members, sums, count, causes] of each."""
    writer.begin(_to)
    writer.pack_list(_to, len(rows))
    for (start, members), row in rows.items():
        writer.pack_list(_to, 5)
        writer.pack_number(_to, start)
        writer.pack_list(_to, len(members))
        for member in members:
            if member is None or member is True or member is False:
                writer.pack_constant(_to, member)
            else:
                writer.pack_text(_to, member)
        writer.pack_list(_to, row.width)
        for slot in range(row.width):
            if wide.is_small(row.sums[slot]):
                writer.pack_number(_to, row.sums[slot])
            else:
                writer.pack_text(_to, str(wide.number_of(row.sums[slot])))
        writer.pack_number(_to, row.count)
        writer.pack_list(_to, len(row.causes))
        for cause in row.causes:
            writer.pack_text(_to, cause)
    return writer.taken(_to)


def sums_bytes(kinds: tuple[Kind, ...], accepted: sums_.Sums, emitted: sums_.Sums) -> bytes:
    """Return {short name: [accepted, emitted]}; a record type whose sums are zero is left out."""
    some = []
    for kind in kinds:
        begin = kind.index * MEASURES_MAX
        for place in range(begin, begin + len(kind.measures)):
            if sums_.at(accepted, place) or sums_.at(emitted, place):
                some.append(kind)
                break
    writer.begin(_to)
    writer.pack_map(_to, len(some))
    for kind in some:
        writer.pack_text(_to, kind.short)
        writer.pack_list(_to, 2)
        _pack_sums(kind, accepted)
        _pack_sums(kind, emitted)
    return writer.taken(_to)


def unit_bytes(kinds: tuple[Kind, ...], unit: Unit) -> bytes:
    """Return {short name: [accepted, emitted, parked]} of a unit, of record types that name it."""
    some = [kind for kind in kinds if kind.uom >= 0]
    writer.begin(_to)
    writer.pack_map(_to, len(some))
    for kind in some:
        writer.pack_text(_to, kind.short)
        writer.pack_list(_to, 3)
        for sums in (unit.accepted, unit.emitted, unit.parked):
            _pack_numbers(sums, kind.first_unit_sum, len(kind.measures))
    return writer.taken(_to)


def numbers_bytes(kinds: tuple[Kind, ...], sums: sums_.Sums) -> bytes:
    """Return the sums of all record types, a list of each."""
    writer.begin(_to)
    writer.pack_list(_to, len(kinds))
    for kind in kinds:
        _pack_sums(kind, sums)
    return writer.taken(_to)


def _pack_sums(kind: Kind, sums: sums_.Sums) -> None:
    _pack_numbers(sums, kind.index * MEASURES_MAX, len(kind.measures))


def _pack_numbers(sums: sums_.Sums, begin: int, count: int) -> None:
    writer.pack_list(_to, count)
    for place in range(begin, begin + count):
        number = sums_.at(sums, place)
        if wide.is_small(number):
            writer.pack_wide(_to, number)
        else:
            writer.pack_text(_to, str(wide.number_of(number)))
