"""Exact decimals, held as integers of a billionth (10^-9) of a unit."""

import re
from typing import Final

from streams.values.cache import keep

SCALE: Final = 10**9
"""Billionths in one unit: contract, 9 decimal places at most."""

WHOLE_MAX: Final = 10**15
"""A measure is smaller than this in size."""

CACHED_CHARACTERS_MAX: Final = 32
"""A number longer than this isn't kept in a cache."""

_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?\Z")


class Number(str):
    """The text of a JSON number that isn't an integer; a plain `str` was quoted on the wire."""

    __slots__ = ()


def parse(value: object) -> int:
    """Return a measure in billionths.

    `value` is what JSON gave: an `int`, a `Number`, or a `str` in the grammar of a JSON number.
    Raises `ValueError` with a sentence fit for a reader if it isn't a measure.
    """
    if value.__class__ is int:
        if -WHOLE_MAX < value < WHOLE_MAX:
            return value * SCALE
        raise ValueError("not smaller than 10^15 in size")
    if not isinstance(value, str):
        raise ValueError("not a number")
    scaled = PARSED.get(value)
    if scaled is None:
        scaled = parse_text(value)
        if len(value) <= CACHED_CHARACTERS_MAX:
            keep(PARSED, value, scaled)
    return scaled


def parse_text(text: str) -> int:
    """Return the billionths that `text` (JSON number grammar) stands for, or raise `ValueError`."""
    match = _NUMBER.match(text)
    if match is None:
        raise ValueError("not in the grammar of a JSON number")
    sign, whole, fraction, exponent_text = match.groups()
    digits = (whole + (fraction or "")).lstrip("0")
    if not digits:
        return 0
    significant = digits.rstrip("0")
    shift = (exponent_text or "").lstrip("+-").lstrip("0")
    down = exponent_text is not None and exponent_text.startswith("-")
    if len(shift) > 9:
        raise ValueError(_out_of_range(small=down))
    exponent = (
        int(shift or 0) * (-1 if down else 1) - len(fraction or "") + len(digits) - len(significant)
    )
    if exponent < -9:
        raise ValueError(_out_of_range(small=True))
    if len(significant) + exponent > 15:
        raise ValueError(_out_of_range(small=False))
    scaled: int = int(significant) * 10 ** (9 + exponent)
    return -scaled if sign else scaled


def text(scaled: int) -> str:
    """Return `scaled` billionths in plain notation without trailing zeros: "12.5", "3", "-0.25"."""
    written = _written.get(scaled)
    if written is None:
        written = keep(_written, scaled, _text(scaled))
    return written


def _text(scaled: int) -> str:
    whole, fraction = divmod(abs(scaled), SCALE)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}.{fraction:09d}".rstrip("0") if fraction else f"{sign}{whole}"


def fine_text(scaled: int) -> str:
    """Return `scaled` units of 10^-18, the product of two measures, as `text` spells them."""
    whole, fraction = divmod(abs(scaled), SCALE * SCALE)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}.{fraction:018d}".rstrip("0") if fraction else f"{sign}{whole}"


def _out_of_range(small: bool) -> str:
    return "finer than 9 decimal places" if small else "not smaller than 10^15 in size"


PARSED: dict[str, int] = {}
"""Billionths by text, for those seen lately."""
_written: dict[int, str] = {}
