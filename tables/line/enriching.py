"""What master data adds to a record for the ERP, from what is known when it leaves.

It is no part of a posting key. What isn't known is absent.
"""

from typing import Any, Final

from streams.values import quantity
from tables.known.known import Known

BASE_MAX: Final = 10**18 * quantity.SCALE * quantity.SCALE
"""A base quantity, in units of 10^-18, is smaller than this."""


def more_of(
    known: Known, plant: str, line: str, work_unit: str | None, item: str | None,
    uom: str | None, amount: int | None,
) -> dict[str, str]:  # fmt: skip
    """Return the members to add: `cost_center`, `base_uom` and `base_quantity`, as far as known.

    `amount` is the quantity in billionths.
    """
    more = cost_center_of(known, plant, line, work_unit)
    if item is None or uom is None or amount is None:
        return more
    told = known.of_all("item", plant, item)
    factor = None if told is None else _factor(told, uom)
    if factor is not None and abs(amount * factor) < BASE_MAX:
        more["base_uom"] = told.base_uom
        more["base_quantity"] = quantity.fine_text(amount * factor)
    return more


def cost_center_of(
    known: Known, plant: str, line: str, work_unit: str | None = None
) -> dict[str, str]:
    """Return the cost centre: of the work unit, or where that has none of the line."""
    center = None
    if work_unit is not None:
        unit = known.data("work_unit", plant, line, work_unit)
        center = None if unit is None else unit.cost_center
    if center is None:
        told = known.data("line", plant, line)
        center = None if told is None else told.cost_center
    return {} if center is None else {"cost_center": center}


def _factor(item: Any, uom: str) -> int | None:
    if uom == item.base_uom:
        return quantity.SCALE
    found: int | None = (item.conversions or {}).get(uom)
    return found
