"""What else is asked of the books: Pareto, consumption, WIP, schedule, integration, lateness, totals."""

import json
import zlib
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from kpi.kpi_rows import MINUTE, Filled, at
from streams.contract.topics import MES_EVENTS
from tables.books import (
    kpi_asked,
    kpi_consumption,
    kpi_integration,
    kpi_late,
    kpi_pareto,
    kpi_schedule,
    kpi_totals,
    kpi_wip,
)
from tables.books.schema import (
    ACCEPTED,
    COPIES,
    EXCEPTIONS,
    FLOWS,
    INPUTS,
    POSTED,
    TRANSACTIONS,
)
from tables.line.rules import rules_for

NOW = at("2026-11-21T12:00:00Z")
PERIOD = {"from": "2026-11-21", "to": "2026-11-22"}
QUESTIONS = {
    "pareto": (kpi_pareto.pareto, kpi_asked.ParetoAsked),
    "consumption": (kpi_consumption.consumption, kpi_asked.ConsumptionAsked),
    "wip": (kpi_wip.wip, kpi_asked.WipAsked),
    "schedule": (kpi_schedule.schedule, kpi_asked.ScheduleAsked),
    "integration": (kpi_integration.integration, kpi_asked.IntegrationAsked),
    "late": (kpi_late.late, kpi_asked.LateAsked),
    "totals": (kpi_totals.totals, kpi_asked.TotalsAsked),
}


def asked(
    engine: Engine,
    what: str,
    plants: Any = None,
    now: int = NOW,
    more: tuple[Any, ...] = (),
    **members: Any,
) -> dict[str, Any]:
    function, struct = QUESTIONS[what]
    with engine.connect() as connection:
        answer: dict[str, Any] = function(
            connection, plants, msgspec.convert(members, struct), now, *more
        )  # type: ignore[operator]
    return answer


@pytest.fixture
def fill(books: Engine) -> Filled:
    filled = Filled(books)
    filled.line("DE01", "L3", "2026-11-21T11:58:00Z", mes_at=NOW, arrived_at=NOW)
    return filled


def stop(
    fill: Filled, start: str, reason: str, planned: bool, unit: str = "PRESS-1", **measures: Any
) -> None:
    fill.summary(
        "summary.downtime.v1", start, work_unit=unit, reason=reason, planned=planned, **measures
    )


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


def flow(outcome: str, records: int, lag: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "quarter": at("2026-11-21T06:00:00Z"),
        "topic": "mes.events.v1",
        "plant": "DE01",
        "line": "L3",
        "source": "/mes",
        "outcome": outcome,
        "records": records,
        "lag": lag,
        "lag_max": lag,
    } | more


def refused(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"mes.events.v1/0/{number}",
        "class": "data",
        "code": "invalid",
        "reason": "x",
        "raised_at": at("2026-11-21T06:01:00Z"),
        "plant": "DE01",
        "line": "L3",
        "topic": "mes.events.v1",
        "number": 0,
        "position": number,
        "source": "/mes",
        "status": "open",
        "version": 0,
        "headers": b"",
        "cut": False,
    } | more


def test_integration_is_counted_by_source(fill: Filled):
    fill.rows(
        FLOWS,
        flow("accepted", 80, 800_000_000), flow("telemetry", 10, 100_000_000), flow("duplicate", 5), flow("invalid", 2), flow("key_conflict", 2), flow("episode_conflict", 1),
        flow("tick", 1_000, source="", plant="", line=""), flow("malformed", 3, source="", plant="", line=""),
        flow("accepted", 7, quarter=at("2026-11-20T23:45:00Z")), flow("accepted", 7, plant="US01"),
    )  # fmt: skip
    fill.rows(
        EXCEPTIONS,
        refused(1),
        refused(2, status="dismissed"),
        refused(3, raised_at=at("2026-11-01T00:00:00Z")),
        refused(4, plant=None, line=None, source=None),
    )
    unread, us, mes = sorted(
        asked(fill.engine, "integration", **PERIOD)["items"], key=lambda each: each["records"]
    )
    assert (unread["plant"], unread["source"], unread["exceptions"], unread["open_exceptions"]) == (
        None,
        None,
        3,
        1,
    )
    assert (us["plant"], us["accepted"]) == ("US01", 7)
    assert (
        mes["plant"],
        mes["source"],
        mes["records"],
        mes["accepted"],
        mes["duplicates"],
        mes["exceptions"],
        mes["conflicts"],
    ) == ("DE01", "/mes", 100, 90, 5, 5, 3)
    assert [
        mes[name]["value"] for name in ("duplicate_rate", "exception_rate", "conflict_rate")
    ] == ["5", "5", "3"]
    assert (
        mes["open_exceptions"],
        mes["completeness"]["numerator"],
        mes["completeness"]["denominator"],
    ) == (2, "90", "91")
    assert mes["latency"] == {
        "source_to_topic_ms": 10_000,
        "source_to_topic_max_ms": 800_000,
        "topic_to_posting_ms": None,
    }
    assert [
        each["plant"]
        for each in asked(fill.engine, "integration", frozenset({"DE01"}), **PERIOD)["items"]
    ] == ["DE01"]
    assert asked(fill.engine, "integration", source="/other", **PERIOD)["items"] == []


def test_the_way_from_topic_to_posting_is_the_middle_one_of_what_left_at_once(fill: Filled):
    begin = at("2026-11-21T06:00:00Z")
    for number, took in enumerate((100_000, 250_000, 86_400_000_000)):
        event = f"p%{number}"
        fill.rows(
            INPUTS,
            {
                "topic": "mes.events.v1",
                "number": 0,
                "position": number,
                "day": 0,
                "outcome": "accepted",
                "plant": "DE01",
                "line": "L3",
                "source": "/a|b",
                "event_id": event,
                "arrived_at": begin,
            },
        )
        fill.rows(
            TRANSACTIONS,
            {
                "id": f"pc:DE01/L3:/a%7Cb|p%25{number}",
                "day": 0,
                "type": "erp.production_confirmation.v1",
                "plant": "DE01",
                "line": "L3",
                "happened_at": begin + number,
                "written_at": begin + took,
                "posting_date": "2026-11-21",
                "value": b"",
            },
        )
    fill.rows(FLOWS, flow("accepted", 3, source="/a|b"))
    (item,) = asked(fill.engine, "integration", **PERIOD)["items"]
    assert item["latency"]["topic_to_posting_ms"] == 250


def test_what_is_parked_is_counted_by_source(fill: Filled):
    held = zlib.compress(
        json.dumps(
            {"data": {"hold": "H1", "scope": "lot", "value": "LOT7", "reason": "x"}}
        ).encode()
    )
    fill.rows(
        COPIES,
        {"number": 0, "position": 0, "kind": "hold", "plant": "DE01", "name": "H1", "value": held},
    )
    fill.rows(
        INPUTS,
        {
            "topic": "mes.events.v1",
            "number": 0,
            "position": 5,
            "day": 0,
            "outcome": "accepted",
            "type": "material.consumed.v1",
            "plant": "DE01",
            "line": "L3",
            "source": "/mes",
            "event_id": "c1",
            "happened_at": NOW,
            "item": "M-100",
            "lot": "LOT7",
        },
    )
    (item,) = asked(fill.engine, "integration", more=(rules_for(MES_EVENTS),), **PERIOD)["items"]
    assert (item["source"], item["parked"]) == ("/mes", 1)


def late_line(fill: Filled) -> dict[str, Any]:
    (item,) = asked(fill.engine, "late")["items"]
    return dict(item)


def worked(fill: Filled) -> None:
    """Six hours of the shift from 06:00 to 14:00, of which 5:58 are complete; a piece takes 60 s."""
    fill.shifts({"name": "early", "start": "06:00", "end": "14:00"})
    fill.work_unit("L3", "PRESS-1", ideal_seconds="60")
    fill.work_unit("L3", "OVEN", ideal_seconds="20")


def test_a_line_that_made_what_it_could_isnt_late(fill: Filled):
    worked(fill)
    fill.made("2026-11-21T08:00:00Z", good=358)
    item = late_line(fill)
    assert (item["shift"], item["late_seconds"], item["why"], item["from"], item["to"]) == (
        "early",
        "0",
        "none",
        "2026-11-21T06:00:00Z",
        "2026-11-21T12:00:00Z",
    )


@pytest.mark.parametrize(
    ("reason", "planned", "group", "why"),
    [
        ("JAM", False, None, "machine"),
        ("NO_MATERIAL", False, None, "material"),
        ("R17", False, "Supply", "material"),
        ("R18", False, "quality gate", "quality"),
        ("CLEANING", True, None, "planned"),
    ],
)
def test_a_line_is_late_for_what_took_the_most_time(
    fill: Filled, reason: str, planned: bool, group: str | None, why: str
):
    """298 pieces of 358 s are an hour late; the stop took 50 min of it."""
    worked(fill)
    if group is not None:
        fill.reference("reason", "DE01", reason, reason=reason, group=group)
    fill.made("2026-11-21T08:00:00Z", good=298)
    for minute in range(50):
        stop(fill, f"2026-11-21T09:{minute:02d}:00Z", reason, planned, seconds=60)
    item = late_line(fill)
    assert (item["late_seconds"], item["why"]) == ("3600", why)
    assert [(each["why"], each["what"], each["seconds"]) for each in item["evidence"]] == [
        (why, f"PRESS-1: {reason}", "3000"),
        ("machine", "slower than ideal", "600"),
    ]


def test_scrap_makes_a_line_late_for_quality(fill: Filled):
    worked(fill)
    fill.made("2026-11-21T08:00:00Z", good=300, scrap=50, rework=8)
    item = late_line(fill)
    assert (item["late_seconds"], item["why"], item["evidence"][0]["seconds"]) == (
        "3480",
        "quality",
        "3480",
    )


def test_a_line_of_which_nothing_comes_is_late_for_integration(books: Engine):
    fill = Filled(books)
    fill.line(
        "DE01",
        "L3",
        "2026-11-21T08:00:00Z",
        mes_at=at("2026-11-21T08:02:00Z"),
        arrived_at=at("2026-11-21T08:02:00Z"),
    )
    worked(fill)
    fill.made("2026-11-21T07:00:00Z", good=120)
    fill.rows(EXCEPTIONS, refused(1))
    item = late_line(fill)
    assert (item["late_seconds"], item["why"]) == (str(4 * 3_600), "integration")
    assert item["evidence"][-1] == {
        "why": "integration",
        "what": "refused events are open",
        "seconds": "0",
        "count": 1,
    }


def test_totals_compare_what_was_accepted_with_what_has_left(fill: Filled):
    def accepted(
        type_: str,
        uom: str,
        records: int,
        whole: int,
        nano: int = 0,
        measure: str = "quantity",
        quarter: int = 0,
    ) -> dict[str, Any]:
        return {
            "plant": "DE01",
            "line": "L3",
            "quarter": quarter,
            "type": type_,
            "measure": measure,
            "uom": uom,
            "records": records,
            "whole": whole,
            "nano": nano,
        }

    def posted(
        type_: str, uom: str, whole: int, nano: int = 0, measure: str = "quantity", line: str = "L3"
    ) -> dict[str, Any]:
        return {
            "plant": "DE01",
            "line": line,
            "posting_date": "2026-11-21",
            "type": type_,
            "measure": measure,
            "uom": uom,
            "records": 1,
            "whole": whole,
            "nano": nano,
        }

    fill.rows(
        ACCEPTED,
        accepted("material.consumed.v1", "kg", 2, 16, 500_000_000), accepted("material.consumed.v1", "kg", 1, 7, 500_000_000, quarter=900), accepted("material.consumed.v1", "pc", 1, 3),
        accepted("operation.started.v1", "", 4, 0, measure=""), accepted("rework.declared.v1", "pc", 1, 2), accepted("labor.booked.v1", "", 1, 600, measure="seconds"),
    )  # fmt: skip
    fill.rows(
        POSTED,
        posted("erp.goods_issue.v1", "kg", 22),
        posted("erp.labor_confirmation.v1", "", 600, measure="seconds"),
        posted("erp.goods_issue.v1", "kg", 5, line="L4"),
    )
    fill.rows(
        FLOWS,
        flow("accepted", 80),
        flow("telemetry", 10),
        flow("duplicate", 5),
        flow("invalid", 2),
        flow("key_conflict", 2),
        flow("tick", 1_000, plant="", line="", source=""),
        flow("accepted", 4, topic="machine.events.v1"),
    )
    answer = asked(fill.engine, "totals", line="L3")
    assert [(each["type"], each["becomes"], each["measure"], each["uom"], each["accepted"], each["left"], each["not_left"]) for each in answer["items"]] == [
        ("labor.booked.v1", "erp.labor_confirmation.v1", "seconds", None, "600", "600", "0"),
        ("material.consumed.v1", "erp.goods_issue.v1", "quantity", "kg", "24", "22", "2"),
        ("material.consumed.v1", "erp.goods_issue.v1", "quantity", "pc", "3", "0", "3"),
        ("operation.started.v1", None, "records", None, "4", None, None),
        ("rework.declared.v1", None, "quantity", "pc", "2", None, None),
    ]  # fmt: skip
    assert asked(fill.engine, "totals")["records"] == [
        {"topic": "machine.events.v1", "in": 4, "accepted": 4, "duplicate": 0, "exception": 0, "tick": 0},
        {"topic": "mes.events.v1", "in": 1_099, "accepted": 90, "duplicate": 5, "exception": 4, "tick": 1_000},
    ]  # fmt: skip


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
