"""Sums of billionths: Python's integers here, of 128 bits in compiled code (`wide.pxd`)."""


def is_small(number: int) -> bool:
    """Return whether a sum fits 64 bits."""
    return -(2**63) <= number < 2**63


def number_of(number: int) -> int:
    """Return a sum as Python has integers."""
    return number


def wide_of(number: int) -> int:
    """Return an integer as a sum."""
    return number
