"""Conversions of an item: how many base units one of a unit is, from what a source says of it.

A source may tell them in steps (a pallet is 40 boxes, a box 12 pieces). Cyclic and contradictory
ones are refused.
"""

from collections.abc import Mapping
from typing import Final

from streams.codec.master import Step
from streams.contract.reference_values import FACTOR_MAX
from streams.contract.rejection import shown
from streams.values import quantity
from streams.values.quantity import SCALE

SIZES: Final[tuple[Mapping[str, int], ...]] = (
    {
        "kg": 10**6, "KGM": 10**6, "g": 10**3, "GRM": 10**3, "mg": 1, "MGM": 1, "TNE": 10**9,
    },
    {"l": 10**3, "L": 10**3, "LTR": 10**3, "ml": 1, "mL": 1, "MLT": 1},
    {"m": 10**3, "MTR": 10**3, "cm": 10, "CMT": 10, "mm": 1, "MMT": 1},
)  # fmt: skip
"""How large units of mass, volume and length are to one another: symbols of the SI and codes of
UN/ECE recommendation 20 that mean nothing else. A factor the wrong way round is found by them."""


def resolved(base: str, steps: Mapping[str, Step]) -> dict[str, str]:
    """Return how many base units one of each unit is, as decimals, by unit.

    Raises `ValueError` with what is wrong.
    """
    found: dict[str, int] = {}
    for uom in sorted(steps):
        factor = _factor(base, uom, steps)
        if uom == base:
            if factor != SCALE:
                raise ValueError(f"contradictory: {shown(base)} is the base unit, and 1 of it is 1")
            continue
        if not 0 < factor < FACTOR_MAX * SCALE:
            raise ValueError(
                f"{shown(uom)} is {quantity.text(factor)} {base}: not above 0 and below 10^6"
            )
        _compare(base, uom, factor)
        found[uom] = factor
    return {uom: quantity.text(factor) for uom, factor in found.items()}


def _factor(base: str, uom: str, steps: Mapping[str, Step]) -> int:
    """Return how many billionths of the base unit one `uom` is."""
    factor, passed = SCALE, [uom]
    while True:
        step = steps.get(uom)
        if step is None:
            raise ValueError(f"{shown(uom)} is no unit of the item: {_way(passed)}")
        factor, rest = divmod(factor * step.factor, SCALE)
        if rest:
            raise ValueError(f"{_way(passed)} {base} is finer than 9 decimal places")
        if step.of is None or step.of == base:
            return factor
        uom = step.of
        if uom in passed:
            raise ValueError(f"cyclic: {_way([*passed, uom])}")
        passed.append(uom)


def _way(passed: list[str]) -> str:
    return " -> ".join(passed)


def _compare(base: str, uom: str, factor: int) -> None:
    for sizes in SIZES:
        if base in sizes and uom in sizes and factor * sizes[base] != sizes[uom] * SCALE:
            right = f"{sizes[uom] / sizes[base]:.9f}".rstrip("0").rstrip(".")
            raise ValueError(
                f"contradictory: 1 {uom} is {right} {base}, not {quantity.text(factor)}"
            )
