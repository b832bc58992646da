"""Pareto, consumption, WIP and schedule; and what all questions have in common."""

from typing import Any

import pytest
from sqlalchemy import Engine

from kpi.asking import NOW, PERIOD, QUESTIONS, asked
from kpi.kpi_rows import MINUTE, Filled, at, flow, stop, worked
from tables.books.schema import FLOWS, INPUTS


@pytest.fixture
def fill(books: Engine) -> Filled:
    filled = Filled(books)
    filled.line("DE01", "L3", "2026-11-21T11:58:00Z", mes_at=NOW, arrived_at=NOW)
    return filled


def test_pareto_has_the_longest_cause_first(fill: Filled):
    stop(fill, "2026-11-21T06:00:00Z", "CLEANING", True, seconds=60, stops=1)
    stop(fill, "2026-11-21T07:00:00Z", "JAM", False, seconds="59.5", stops=1)
    stop(fill, "2026-11-21T08:00:00Z", "JAM", False, seconds="30.5", stops=1)
    stop(fill, "2026-11-20T08:00:00Z", "JAM", False, seconds=60, stops=1)
    items = asked(fill.engine, "pareto", **PERIOD)["items"]
    assert [(each["reason"], each["planned"], each["seconds"], each["stops"], each["share"]["value"]) for each in items] == [
        ("JAM", False, "90", 2, "60"), ("CLEANING", True, "60", 1, "40"),
    ]  # fmt: skip


def test_a_stop_that_was_classified_later_is_in_no_row_of_its_old_reason(fill: Filled):
    stop(fill, "2026-11-21T07:00:00Z", "JAM", False, seconds=60, stops=1)
    stop(fill, "2026-11-21T07:00:00Z", "JAM", False, seconds=-60, stops=-1, revision=8)
    stop(fill, "2026-11-21T07:00:00Z", "CLEANING", True, seconds=60, stops=1, revision=8)
    assert [each["reason"] for each in asked(fill.engine, "pareto", **PERIOD)["items"]] == [
        "CLEANING"
    ]


def test_consumption_is_by_item_lot_and_unit(fill: Filled):
    for start, order, lot, uom, amount in (
        ("2026-11-21T06:00:00Z", "1", "LOT7", "kg", "12.5"),
        ("2026-11-21T07:00:00Z", "2", "LOT7", "kg", "4"),
        ("2026-11-21T07:00:00Z", "2", None, "pc", "3"),
    ):
        fill.summary(
            "summary.consumption.v1",
            start,
            order=order,
            operation="0010",
            item="M-100",
            lot=lot,
            uom=uom,
            quantity=amount,
        )
    items = asked(fill.engine, "consumption", **PERIOD)["items"]
    assert [(each["lot"], each["uom"], each["quantity"]) for each in items] == [
        (None, "pc", "3"),
        ("LOT7", "kg", "16.5"),
    ]
    items = asked(fill.engine, "consumption", by="hour", order="2", **PERIOD)["items"]
    assert [(each["from"], each["quantity"]) for each in items] == [
        ("2026-11-21T07:00:00Z", "3"),
        ("2026-11-21T07:00:00Z", "4"),
    ]


def test_work_in_process_is_what_one_operation_made_and_the_next_didnt_take(fill: Filled):
    """Of 100 pieces of operation 0010, operation 0020 confirmed 60 and scrapped 5: 35 lie between."""
    fill.made("2026-11-21T06:00:00Z", order="1", operation="0010", good=100, scrap=3)
    fill.made("2026-11-21T07:00:00Z", order="1", operation="0020", line="L4", good=60, scrap=5)
    fill.made("2026-11-21T07:00:00Z", order="1", operation="0030", line="L4", good=60)
    fill.made("2026-11-21T06:00:00Z", order="2", operation="0010", good=10)
    fill.rows(
        INPUTS,
        {
            "topic": "mes.events.v1",
            "number": 0,
            "position": 1,
            "day": 0,
            "outcome": "accepted",
            "type": "operation.started.v1",
            "plant": "DE01",
            "line": "L5",
            "order_id": "2",
            "operation": "0020",
            "happened_at": 5,
        },
    )
    fill.made("2026-11-21T06:00:00Z", order="3", operation="0010", good=10)
    fill.made("2026-11-21T06:00:00Z", order="3", operation="0020", good=1)
    fill.reference("order", "DE01", "3", order="3", status="closed")

    def rows(by: str) -> list[tuple[Any, ...]]:
        return [
            (each[by], each["uom"], each["quantity"])
            for each in asked(fill.engine, "wip", by=by)["items"]
        ]

    assert rows("order") == [("1", "pc", "35"), ("2", "pc", "10")]
    assert rows("operation") == [("0020", "pc", "45")]
    assert rows("line") == [("L4", "pc", "35"), ("L5", "pc", "10")]


def test_attainment_counts_no_order_for_more_than_was_planned(fill: Filled):
    """Order 1: 120 of 100; order 2: 30 of 100. Attained are 100 + 30 of 200, one order of two in full."""
    for order, good, status in (
        ("1", 120, "completed"),
        ("2", 30, "closed"),
        ("3", 25, "released"),
    ):
        fill.made("2026-11-21T06:00:00Z", order=order, operation="0010", good=500)
        fill.made("2026-11-21T06:00:00Z", order=order, operation="0020", good=good)
        fill.reference("order", "DE01", order, order=order, status=status, quantity="100", uom="pc")
    fill.reference("order", "DE01", "4", order="4", status="released", quantity="10", uom="pc")
    answer = asked(fill.engine, "schedule")
    (attainment,) = answer["attainment"]
    assert (
        attainment["uom"],
        attainment["numerator"],
        attainment["denominator"],
        attainment["value"],
        attainment["orders"],
    ) == ("pc", "130", "200", "65", 2)
    assert attainment["orders_in_full"]["value"] == "50"
    (ageing,) = answer["ageing"]
    assert (ageing["open"], ageing["not_started"], ageing["buckets"]["1d"]) == (2, 1, 1)
    (oldest,) = ageing["oldest"]
    assert (
        oldest["order"],
        oldest["age_seconds"],
        oldest["done"],
        oldest["progress"]["value"],
    ) == ("3", 6 * 3_600, "25", "25")
    assert answer["throughput"][0]["made"] == [{"uom": "pc", "1d": "175", "7d": "175"}]


@pytest.mark.parametrize("what", sorted(QUESTIONS))
def test_who_sees_no_plant_is_told_of_none(fill: Filled, what: str):
    worked(fill)
    fill.made("2026-11-21T08:00:00Z", good=300)
    fill.rows(FLOWS, flow("accepted", 80), flow("malformed", 1, plant="", line="", source=""))
    for plants in (frozenset({"US01"}), frozenset[str]()):
        for members in ({}, {"plant": "DE01"}):
            answer = asked(fill.engine, what, plants, **members)
            assert "DE01" not in str(answer)
            assert not any(answer.get("items", ()))
            assert not any(answer.get("records", ()))


@pytest.mark.parametrize("what", sorted(QUESTIONS))
def test_books_without_rows_have_an_answer(books: Engine, what: str):
    answer = asked(books, what)
    assert not any(each for each in answer.values() if isinstance(each, list))


def test_quarters_that_a_shift_divides_are_added_up_by_the_minute(fill: Filled):
    fill.shifts({"name": "early", "start": "06:05", "end": "14:00"})
    for minute in (
        at("2026-11-21T06:04:00Z"),
        at("2026-11-21T06:05:00Z"),
        at("2026-11-21T06:05:00Z") + MINUTE,
    ):
        stop(fill, "2026-11-21T06:00:00Z", "X", False, seconds=0)
        fill.summary(
            "summary.downtime.v1",
            minute,
            work_unit="P",
            reason="JAM",
            planned=False,
            seconds=10,
            stops=1,
        )
    (item,) = asked(fill.engine, "pareto", **PERIOD)["items"]
    assert (item["seconds"], item["stops"]) == ("20", 2)
