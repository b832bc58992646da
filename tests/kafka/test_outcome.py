"""What the chaos suite compares: each kind of difference is seen, and counted right."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcome import Difference, Outcome, difference
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, REFERENCE, SUMMARY_SCRAP

Record = tuple[str, bytes]


def record(number: int, topic: str = ERP_TRANSACTIONS, line: str = "L1", **data: Any) -> Record:
    event = {
        "id": f"gi:{number}",
        "type": "erp.goods_issue.v1",
        "plant": "DE01",
        "line": line,
        "data": {"quantity": "0.1", "revision": 0, **data},
    }
    return topic, json.dumps(event).encode()


def outcome(records: list[Record]) -> Outcome:
    made = Outcome()
    for topic, value in records:
        made.add(topic, value)
    return made


RIGHT = [
    *(record(number) for number in range(10)),
    *(record(number, SUMMARY_SCRAP, quantity="7", scrap="2.5") for number in range(4)),
    *(record(number, EXCEPTIONS) for number in range(5)),
]


def test_the_same_differs_in_nothing() -> None:
    assert difference(outcome(RIGHT), outcome(RIGHT)) == Difference()
    assert difference(outcome(RIGHT), outcome(RIGHT)).none


def test_lines_may_be_interleaved_in_any_way() -> None:
    one = [record(number, line="L1") for number in range(5)]
    two = [record(number, line="L2") for number in range(5)]
    mixed = [each for pair in zip(one, two, strict=True) for each in pair]
    assert difference(outcome(one + two), outcome(mixed)).none


def test_exceptions_of_a_line_may_come_in_any_order() -> None:
    turned = [*RIGHT[:-5], *reversed(RIGHT[-5:])]
    assert difference(outcome(RIGHT), outcome(turned)).none


def test_what_is_known_of_a_plant_may_come_in_any_order_and_adds_nothing_up() -> None:
    told = [record(number, REFERENCE, line="*") for number in range(5)]
    assert outcome(told).totals == {}
    assert difference(outcome(told), outcome(told[::-1])).none
    assert difference(outcome(told), outcome(told[1:])).lost == 1


def test_kilograms_that_are_missing_arent_made_up_for_by_pieces() -> None:
    one = outcome([record(0, uom="kg"), record(1, uom="pcs", quantity="2")])
    other = outcome([record(0, uom="kg", quantity="2"), record(1, uom="pcs")])
    assert difference(one, other).totals_error == "3.8"
    assert difference(one, other).altered == 2


def test_repeats_are_counted_and_add_nothing() -> None:
    found = outcome([*RIGHT, *RIGHT[:3], RIGHT[0]])
    assert found.repeated == 4
    assert found.records == len(RIGHT)
    assert difference(outcome(RIGHT), found).none


CHANGES: list[tuple[Callable[[list[Record]], list[Record]], Difference]] = [
    (
        lambda records: records[1:],
        Difference(lost=1, totals_error="0.1", first=f"gi:0 isn't on {ERP_TRANSACTIONS}"),
    ),
    (
        lambda records: [*records, record(99)],
        Difference(extra=1, totals_error="0.1", first=f"gi:99 on {ERP_TRANSACTIONS} is one too many"),
    ),
    (
        lambda records: [record(0, quantity="0.100000001"), *records[1:]],
        Difference(altered=1, totals_error="0.000000001", first=f"gi:0 on {ERP_TRANSACTIONS} has other content"),
    ),
    (
        lambda records: [record(0, lot="another"), *records[1:]],
        Difference(altered=1, first=f"gi:0 on {ERP_TRANSACTIONS} has other content"),
    ),
    (
        lambda records: [*records, record(0, lot="another")],
        Difference(altered=1, first="gi:0 is there twice, with different content"),
    ),
    (
        lambda records: [*records[1:6], records[0], *records[6:]],
        Difference(disordered=1, first=f"{(ERP_TRANSACTIONS, 'DE01', 'L1')} isn't in order"),
    ),
    (
        lambda records: records[:-1],
        Difference(lost=1, totals_error="0.1", first=f"gi:4 isn't on {EXCEPTIONS}"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_each_kind_of_difference_is_reported(
    change: Callable[[list[Record]], list[Record]], expected: Difference
) -> None:
    assert difference(outcome(RIGHT), outcome(change(RIGHT))) == expected


def test_a_record_on_another_topic_is_lost_there_and_too_many_here() -> None:
    found = difference(outcome([record(1)]), outcome([record(1, SUMMARY_SCRAP)]))
    assert (found.lost, found.extra) == (1, 1)


def test_totals_are_exact_where_floats_arent() -> None:
    large = "999999999999999.999999999"
    wanted = outcome([record(number, quantity=large) for number in range(1_000)])
    there = outcome(
        [record(number, quantity=large) for number in range(999)]
        + [record(999, quantity="999999999999999.999999998")]
    )
    assert difference(wanted, there).totals_error == "0.000000001"


@given(st.permutations(range(12)))
def test_what_is_out_of_order_is_what_would_have_to_be_moved(order: list[int]) -> None:
    wanted = outcome([record(number) for number in range(12)])
    found = difference(wanted, outcome([record(number) for number in order]))
    assert (found.disordered == 0) == (list(order) == sorted(order))
    assert 0 <= found.disordered < 12
    assert (found.lost, found.extra, found.altered) == (0, 0, 0)
