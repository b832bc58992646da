"""A ratio by its numerator and denominator, both exact: ratios are added up, never averaged."""

from typing import Any, Final

from msgspec import Struct

from streams.values import quantity

FINE: Final = 10**9
"""Units of 10^-18 in a billionth: the product of two measures is in these units."""

PLACES: Final = 4
"""Of a percentage; what is exact are numerator and denominator."""


class Ratio(Struct, frozen=True):
    """Both in units of 10^-18, so that a product of two measures is exact."""

    numerator: int
    denominator: int

    def __add__(self, other: "Ratio") -> "Ratio":
        """Return the ratio of both together."""
        return Ratio(self.numerator + other.numerator, self.denominator + other.denominator)


def of_billionths(numerator: int, denominator: int) -> Ratio:
    """Return the ratio of two measures."""
    return Ratio(numerator * FINE, denominator * FINE)


def of_counts(numerator: int, denominator: int) -> Ratio:
    """Return the ratio of two whole numbers."""
    return Ratio(numerator * FINE * FINE, denominator * FINE * FINE)


def percent(ratio: Ratio) -> str | None:
    """Return a ratio in percent with at most 4 places, rounded half to even; None of nothing."""
    if ratio.denominator == 0:
        return None
    sign = -1 if ratio.denominator < 0 else 1
    scaled = sign * ratio.numerator * 100 * 10**PLACES
    whole, rest = divmod(scaled, abs(ratio.denominator))
    twice = 2 * rest
    if twice > abs(ratio.denominator) or (twice == abs(ratio.denominator) and whole % 2):
        whole += 1
    units, fraction = divmod(abs(whole), 10**PLACES)
    shown = f"{units}.{fraction:0{PLACES}d}".rstrip("0").rstrip(".") if fraction else f"{units}"
    return f"-{shown}" if whole < 0 else shown


def plain(ratio: Ratio) -> dict[str, Any]:
    """Return a ratio as the API gives it."""
    return {
        "numerator": quantity.fine_text(ratio.numerator),
        "denominator": quantity.fine_text(ratio.denominator),
        "value": percent(ratio),
        "unit": "%",
    }
