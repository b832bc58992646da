"""How well data come, by source; and whether totals add up."""

import json
import zlib
from typing import Any

import pytest
from sqlalchemy import Engine

from kpi.asking import NOW, PERIOD, asked
from kpi.kpi_rows import Filled, at, flow, refused
from streams.contract.topics import MES_EVENTS
from tables.books.schema import ACCEPTED, COPIES, EXCEPTIONS, FLOWS, INPUTS, POSTED, TRANSACTIONS
from tables.line.rules import rules_for


@pytest.fixture
def fill(books: Engine) -> Filled:
    filled = Filled(books)
    filled.line("DE01", "L3", "2026-11-21T11:58:00Z", mes_at=NOW, arrived_at=NOW)
    return filled


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
