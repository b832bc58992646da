"""Decimals as two whole numbers of one sign, exact in sums of SQL: units and billionths."""

import re
from decimal import Decimal
from typing import Final

from streams.values import quantity

NANO: Final = 10**9
"""Billionths in a unit."""

SUM: Final = re.compile(r"-?\d{1,40}(\.\d{1,9})?")
"""As lineside writes a sum: plain notation."""

Amount = tuple[int, int]
"""(whole, nano): units and billionths of a unit; a sum's `nano` may be more than a unit."""


def split(value: Decimal | str | int) -> Amount:
    """Return a decimal of at most 9 places. Raises `ValueError` if it is none, or a finer one."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("not a number")
        above, below = value.as_integer_ratio()
        scaled, rest = divmod(above * NANO, below)
        if rest:
            raise ValueError("finer than 9 decimal places")
        return of_billionths(scaled)
    return of_billionths(quantity.parse(value))


def sum_billionths(given: str | int) -> int:
    """Return a sum of lineside's in billionths: it may be larger than a measure of one event.

    Raises `ValueError` if it is none.
    """
    try:
        return quantity.parse(given)
    except ValueError:
        if isinstance(given, str) and SUM.fullmatch(given):
            return billionths(*split(Decimal(given)))
        raise


def of_billionths(scaled: int) -> Amount:
    """Return so many billionths."""
    if scaled < 0:
        whole, nano = divmod(-scaled, NANO)
        return -whole, -nano
    return divmod(scaled, NANO)


def billionths(whole: int, nano: int) -> int:
    """Return an amount, or a sum of amounts, in billionths; the two may differ in sign."""
    return int(whole) * NANO + int(nano)


def decimal(whole: int, nano: int) -> Decimal:
    """Return an amount, or a sum of amounts, exactly."""
    return Decimal(f"{billionths(whole, nano)}e-9")


def text(whole: int, nano: int) -> str:
    """Return an amount, or a sum of amounts, in plain notation: "12.5", "3", "-0.25"."""
    scaled = billionths(whole, nano)
    units, fraction = divmod(abs(scaled), NANO)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{units}.{fraction:09d}".rstrip("0") if fraction else f"{sign}{units}"
