"""Measures are exact: what a decimal says is what it counts, and comes out as it should read."""

import json
import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.values import quantity
from streams.values.cache import CACHE_ENTRIES_MAX
from streams.values.quantity import SCALE, Number, parse, parse_text, text

digits = st.text("0123456789", min_size=1, max_size=20)
numbers = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.one_of(st.just("0"), st.integers(1, 10**18).map(str)),
    st.one_of(st.just(""), digits.map(".{}".format)),
    st.one_of(
        st.just(""),
        st.builds(
            "{}{}".format, st.sampled_from(["e", "E", "e+", "e-", "E-00"]), st.integers(0, 40)
        ),
    ),
)
"""Texts in the grammar of a JSON number."""

scaled = st.integers(-(10**24) + 1, 10**24 - 1)


# Laws.


@given(numbers)
@example("-0.000e5")
@example("999999999999999.999999999")
@example("-1000000000000000")
@example("0.0000000001")
@example("10e-10")
@example("0.10e-8")
@example("1e14")
@example("1e15")
@example("1000000000000000.0000000001")
def test_a_number_is_read_exactly_or_refused_for_its_size_or_its_fineness(number: str) -> None:
    exact = Fraction(number)
    large, fine = abs(exact) >= 10**15, (exact * SCALE).denominator != 1
    if large or fine:
        with pytest.raises(ValueError, match=r"10\^15|9 decimal places") as refusal:
            parse(number)
        assert large or "finer than 9 decimal places" in str(refusal.value)
        assert fine or "not smaller than 10^15" in str(refusal.value)
    else:
        assert Fraction(parse(number), SCALE) == exact
        assert parse(Number(number)) == parse_text(number) == parse(number)


@given(scaled)
def test_what_is_written_is_plain_and_reads_back(billionths: int) -> None:
    written = text(billionths)
    assert parse(written) == billionths
    assert Fraction(written) == Fraction(billionths, SCALE)
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", written)
    assert written != "-0"


@given(st.lists(st.decimals(-(10**14), 10**14, places=9), max_size=30))
def test_sums_are_exact(decimals: list[Decimal]) -> None:
    sum_ = sum(parse(f"{each:f}") for each in decimals)
    assert Fraction(sum_, SCALE) == sum(map(Fraction, decimals))


@given(st.text("0123456789+-.eE _xn\u0660\uff11\n", max_size=8))
def test_a_text_is_a_measure_only_if_json_calls_it_a_number(given_: str) -> None:
    try:
        number = isinstance(json.loads(given_), int | float) and given_ == given_.strip()
    except ValueError:
        number = False
    if number:
        assert isinstance(_parsed(given_), int | ValueError)
        assert "grammar" not in str(_parsed(given_))
    else:
        assert "grammar" in str(_parsed(given_))


def _parsed(given_: str) -> int | ValueError:
    try:
        return parse(given_)
    except ValueError as error:
        return error


@given(st.integers())
def test_an_integer_and_its_text_are_equal(whole: int) -> None:
    if abs(whole) < 10**15:
        assert parse(whole) == parse(str(whole)) == whole * SCALE
    else:
        with pytest.raises(ValueError, match="not smaller than 10\\^15"):
            parse(whole)


# Examples.


@pytest.mark.parametrize(
    "wrong",
    ["", " 1", "1 ", "+1", "1.", ".5", "01", "-", "--1", "1,5", "1_0", "0x1F", "NaN", "Infinity",
     "-Infinity", "1e", "1e+", "١", "１", "1\n", "null", "1/2", "½"],
)  # fmt: skip
def test_what_json_would_not_call_a_number_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="grammar"):
        parse(wrong)


@pytest.mark.parametrize("wrong", [True, False, None, 1.5, [], {}, b"1"])
def test_what_is_neither_number_nor_text_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="not a number"):
        parse(wrong)


@pytest.mark.parametrize(
    ("given_", "written"),
    [("12.50", "12.5"), ("0.750", "0.75"), ("-0", "0"), ("-0.0e9", "0"), ("1e2", "100"),
     ("3.000", "3"), ("-0.25", "-0.25"), ("1E-9", "0.000000001"), (7, "7"), (-7, "-7"),
     ("0e99999999999999999999", "0"), ("0.000001000e6", "1"), ("1e0000000000000002", "100"),
     ("100000000000000000e-5", "1000000000000")],
)  # fmt: skip
def test_equal_values_are_written_alike(given_: object, written: str) -> None:
    assert text(parse(given_)) == written


def test_an_exponent_may_have_any_number_of_leading_zeros() -> None:
    """The grammar of a JSON number allows them, and Python reads no integer of 4,301 digits."""
    assert text(parse("1e" + "0" * 5_000 + "2")) == "100"
    assert text(parse("1" + "0" * 3_000 + "e-3000")) == "1"


@pytest.mark.parametrize("huge", ["1e999999999", "9" * 60_000, "1e" + "9" * 60_000, "-1e400"])
def test_giant_numbers_are_refused_at_once(huge: str) -> None:
    with pytest.raises(ValueError, match="not smaller than 10\\^15"):
        parse(huge)


@pytest.mark.parametrize("tiny", ["1e-999999999", "0." + "0" * 60_000 + "1", "1e-" + "9" * 60_000])
def test_tiny_numbers_are_refused_at_once(tiny: str) -> None:
    with pytest.raises(ValueError, match="finer than 9"):
        parse(tiny)


def test_the_caches_stay_bounded_and_change_nothing() -> None:
    for whole in range(CACHE_ENTRIES_MAX + 10):
        assert parse(f"{whole}.5") == whole * SCALE + SCALE // 2
        assert text(whole) == text(whole)
    assert len(quantity.PARSED) <= CACHE_ENTRIES_MAX
    assert parse("0.5") == SCALE // 2
    assert parse("0." + "5" * 9 + "0" * 100) == 555_555_555
    assert all(len(known) <= 32 for known in quantity.PARSED)
