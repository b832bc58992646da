"""What master data adds to a record for the ERP, from what is known when it leaves.

It is no part of a posting key. What isn't known is absent.
"""

from typing import Any, Final

from streams.values import quantity, writer
from tables.known import looking
from tables.known.known import Known

BASE_MAX: Final = 10**18 * quantity.SCALE * quantity.SCALE
"""A base quantity, in units of 10^-18, is smaller than this."""

_BASE_MAX, _SCALE = BASE_MAX, quantity.SCALE


def adds(known: Known | None) -> bool:
    """Return whether anything is known that could be added to a record."""
    return known is not None and (known.places or known.items)


def put_more(
    to: writer.Writer, known: Known, plant: str, line: str, work_unit: str | None,
    item: str | None, uom: str | None, amount: int | None,
) -> None:  # fmt: skip
    """Append to the members of `data`: `cost_center`, `base_uom`, `base_quantity`, if known.

    `amount` is the quantity in billionths.
    """
    center = cost_center_of(known, plant, line, work_unit)
    if center is not None:
        writer.put(to, b',"cost_center":')
        writer.put_text(to, center)
    if not known.items or item is None or uom is None or amount is None:
        return
    told = looking.item_named(known, plant, item)
    factor = None if told is None else _factor(told, uom)
    if factor is None:
        return
    base = amount * factor
    if abs(base) < _BASE_MAX:
        writer.put(to, b',"base_uom":')
        writer.put_text(to, told.base_uom)
        writer.put(to, b',"base_quantity":"')
        writer.put_bare(to, quantity.fine_text(base))
        writer.put(to, b'"')


def cost_center_of(known: Known, plant: str, line: str, work_unit: str | None = None) -> str | None:
    """Return the cost centre: of the work unit, or where that has none of the line."""
    if not known.places:
        return None
    told = None
    if work_unit is not None:
        told = looking.work_unit_named(known, plant, line, work_unit)
    if told is None or told.cost_center is None:
        told = looking.line_named(known, plant, line)
    center: str | None = None if told is None else told.cost_center
    return center


def _factor(item: Any, uom: str) -> int | None:
    if uom == item.base_uom:
        return _SCALE
    conversions = item.conversions
    found: int | None = None if conversions is None else conversions.get(uom)
    return found
