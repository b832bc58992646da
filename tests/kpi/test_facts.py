"""Key figures against examples that were worked out by hand from the definitions of ISO 22400-2."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tables.kpi.cells import csv_text, guarded
from tables.kpi.facts import Facts, Ideal, Made, added, of_made, plain_kpis, plain_made, ratios
from tables.kpi.ratios import Ratio, percent

BILLION = 10**9


def billionths(text: str) -> int:
    return int(Decimal(text) * BILLION)


def a_shift() -> Facts:
    """480 min planned, 30 min of it planned stops, 45 min of breakdowns; 1,000 pieces at 22 s, 40 bad.

    PBT = 480 - 30 = 450 min = 27,000 s; APT = 450 - 45 = 405 min = 24,300 s; PQ = 1,000;
    GQ = 950, SQ = 40, RQ = 10. Availability = 24,300 / 27,000 = 90 %. Effectiveness = 22 x 1,000 /
    24,300 = 90.535 %. Quality ratio = 95 %. OEE = 0.9 x 0.90535 x 0.95 = 22 x 950 / 27,000 = 77.4074 %.
    """
    facts = Facts()
    made = facts.of("pc")
    made.good, made.scrap, made.rework = 950 * BILLION, 40 * BILLION, 10 * BILLION
    facts.add_unit(28_800 * BILLION, 2_700 * BILLION, 1_800 * BILLION, Ideal(22 * BILLION, made))
    return facts


def test_a_shift_worked_by_hand():
    figures = plain_kpis(a_shift())
    assert {name: each["value"] for name, each in figures.items()} == {
        "availability": "90",
        "effectiveness": "90.535",
        "quality_ratio": "95",
        "oee": "77.4074",
        "scrap_ratio": "4",
        "rework_ratio": "1",
    }
    assert figures["availability"] == {
        "numerator": "24300",
        "denominator": "27000",
        "value": "90",
        "unit": "%",
    }
    assert (figures["oee"]["numerator"], figures["oee"]["denominator"]) == ("20900", "27000")


def test_oee_is_the_product_of_availability_effectiveness_and_quality_ratio():
    each = ratios(a_shift())
    product = Ratio(1, 1)
    for name in ("availability", "effectiveness", "quality_ratio"):
        product = Ratio(
            product.numerator * each[name].numerator, product.denominator * each[name].denominator
        )
    oee = each["oee"]
    assert product.numerator * oee.denominator == product.denominator * oee.numerator


def test_a_ratio_of_two_shifts_is_no_average():
    """90 % of 27,000 s and 0 % of 3,000 s are 81 %, not 45 %."""
    short = Facts()
    short.add_unit(3_000 * BILLION, 3_000 * BILLION, 0, None)
    assert plain_kpis(added([a_shift(), short]))["availability"]["value"] == "81"


def test_of_nothing_all_values_are_null():
    assert {each["value"] for each in plain_kpis(Facts()).values()} == {None}


def test_a_shift_of_planned_stops_only_has_no_availability():
    facts = Facts()
    facts.add_unit(28_800 * BILLION, 0, 28_800 * BILLION, None)
    assert plain_kpis(facts)["availability"] == {
        "numerator": "0",
        "denominator": "0",
        "value": None,
        "unit": "%",
    }


def test_work_units_of_which_nothing_says_how_fast_they_are_dont_lower_oee():
    facts = a_shift()
    facts.add_unit(28_800 * BILLION, 0, 0, None)
    assert plain_kpis(facts)["oee"]["value"] == "77.4074"


def test_pieces_and_kilograms_have_ratios_of_their_own():
    facts = a_shift()
    facts.of("kg").good = billionths("12.5")
    assert plain_kpis(facts)["quality_ratio"]["value"] is None
    assert [(each["uom"], each["quality_ratio"]["value"]) for each in plain_made(facts)] == [
        ("kg", "100"),
        ("pc", "95"),
    ]


def test_percentages_are_rounded_half_to_even():
    assert percent(Ratio(1, 3)) == "33.3333"
    assert percent(Ratio(2, 3)) == "66.6667"
    assert percent(Ratio(5, 10_000_000)) == "0"
    assert percent(Ratio(15, 10_000_000)) == "0.0002"
    assert percent(Ratio(-1, 3)) == "-33.3333"
    assert percent(Ratio(1, -4)) == "-25"
    assert percent(Ratio(7, 7)) == "100"


MEASURES = st.integers(-(10**24), 10**24)
MADE = st.builds(Made, MEASURES, MEASURES, MEASURES)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    drawn = Facts(made=draw(st.dictionaries(st.sampled_from(["pc", "kg", None]), MADE)))
    for _ in range(draw(st.integers(0, 3))):
        ideal = draw(st.none() | st.builds(Ideal, st.integers(1, 10**15), MADE))
        drawn.add_unit(draw(MEASURES), draw(MEASURES), draw(MEASURES), ideal)
    return drawn


@given(st.lists(facts(), min_size=1, max_size=5))
def test_ratios_of_merged_rows_are_the_ratios_of_merged_sums(all_of: list[Facts]):
    merged = added(all_of)
    for name in ("availability", "effectiveness", "oee"):
        total = Ratio(0, 0)
        for each in all_of:
            total += ratios(each)[name]
        assert ratios(merged)[name] == total
    for uom, made in merged.made.items():
        for name, ratio in of_made(made).items():
            total = Ratio(0, 0)
            for each in all_of:
                total += of_made(each.made.get(uom, Made()))[name]
            assert ratio == total


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**30))
def test_a_percentage_is_off_by_half_of_its_last_place_at_most(numerator: int, denominator: int):
    shown = Fraction(percent(Ratio(numerator, denominator)) or "")
    assert abs(shown - Fraction(100 * numerator, denominator)) <= Fraction(1, 2 * 10**4)


def test_cells_are_no_formulas():
    assert [guarded(each) for each in ("=1+1", "+1", "-1+1", "@x", "\t=x", "-x")] == [
        "'=1+1",
        "'+1",
        "'-1+1",
        "'@x",
        "'\t=x",
        "'-x",
    ]


def test_a_plain_negative_number_stays_a_number():
    assert [guarded(each) for each in ("-1", "-0.25", -3, "5", None, True)] == [
        "-1",
        "-0.25",
        "-3",
        "5",
        "",
        "true",
    ]


def test_a_table_is_written_by_rfc_4180():
    assert (
        csv_text(["a", "=b"], [['x"y', "=HYPERLINK(1)"], [None, "l\nm"]])
        == 'a,\'=b\r\n"x""y",\'=HYPERLINK(1)\r\n,"l\nm"\r\n'
    )
