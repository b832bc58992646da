"""Decimals in two whole numbers are exact, both ways and in sums."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.values import quantity
from tables.books import amounts

SCALED = st.integers(-(10**24) + 1, 10**24 - 1)


@given(SCALED)
def test_a_decimal_comes_back_as_it_was(scaled: int) -> None:
    written = quantity.text(scaled)
    assert amounts.split(written) == amounts.split(Decimal(written))
    assert amounts.text(*amounts.split(written)) == written
    assert amounts.decimal(*amounts.split(written)) == Decimal(written)


@given(SCALED)
def test_both_numbers_have_one_sign_and_the_second_is_less_than_a_unit(scaled: int) -> None:
    whole, nano = amounts.of_billionths(scaled)
    assert abs(nano) < amounts.NANO
    assert whole * nano >= 0
    assert amounts.billionths(whole, nano) == scaled


@given(st.lists(SCALED, max_size=20))
def test_a_sum_of_parts_is_the_sum(several: list[int]) -> None:
    parts = [amounts.of_billionths(scaled) for scaled in several]
    whole, nano = sum(part[0] for part in parts), sum(part[1] for part in parts)
    assert amounts.billionths(whole, nano) == sum(several)
    assert amounts.text(whole, nano) == quantity.text(sum(several))


@pytest.mark.parametrize("value", ["1e-10", "x", "", Decimal("NaN"), Decimal("1e-10")])
def test_what_is_no_decimal_of_nine_places_is_refused(value: Decimal | str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        amounts.split(value)


def test_a_sum_may_be_larger_than_a_measure_and_what_is_none_is_refused() -> None:
    assert amounts.sum_billionths("12.5") == 12_500_000_000
    assert amounts.sum_billionths("1000000000000000.5") == 10**24 + 500_000_000
    assert amounts.sum_billionths("-25000000000000000") == -25 * 10**24
    for odd in ("1e999999999", "NaN", "", "1" * 50, "0.0000000001"):
        with pytest.raises(ValueError, match=r"decimal|number|finer|JSON|size"):
            amounts.sum_billionths(odd)
