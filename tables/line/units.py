"""The sums of a line by unit of measure: kilograms and pieces aren't added up.

`Line.accepted` and its like are over all units. What isn't told apart by unit is the rest of them:
what an earlier version has counted, and units past `UNITS_MAX`.
"""

from typing import Final

from tables.line.line import Line, Unit
from tables.line.rules import Rules

UNITS_MAX: Final = 64
"""So many units of a line are told apart: its record in the store stays short, whatever comes."""

_UNITS_MAX = UNITS_MAX


def unit_of(line: Line, uom: str) -> Unit | None:
    """Return the sums of a unit of a line, made anew if need be; None past `UNITS_MAX`."""
    unit = line.units.get(uom)
    if unit is None and len(line.units) < _UNITS_MAX:
        unit = line.units[uom] = Unit(line.rules.unit_sums)
    return unit


def take_over_units(line: Line, rules: Rules) -> None:
    """Tell the units of open rows apart that were written before units were."""
    for kind, carried in zip(rules.kinds, line.windows, strict=True):
        if kind.uom < 0:
            continue
        for rows in carried.values():
            for (_, members), row in rows.items():
                unit = unit_of(line, str(members[kind.uom]))
                if unit is not None:
                    for slot, amount in enumerate(row.measures):
                        unit.accepted[kind.first_unit_sum + slot] += amount
