"""What became of this: the answer for each fate that an event can have, in words too."""

import base64
import json
from typing import Any

import pytest
from sqlalchemy import Engine

from reading.worlds import ALL, RULES, asked, at, happened, job_of, known, master, printed, text
from runs import confirmed, consumed, event, reversed_, started
from tables.books import double_bookings, pasted, tracing
from tables.books.asked import AskedError

NOW = at(1_100)


def traced(engine: Engine, q: str, **more: Any) -> dict[str, Any]:
    """Return the answer about a text."""
    with engine.connect() as connection:
        query = asked(tracing.TraceAsked, q=q, **more)
        return tracing.trace(connection, ALL, query, NOW, RULES)


def codes(answer: dict[str, Any]) -> list[str]:
    """Return what the sentences of an answer say."""
    return [each["code"] for each in answer["sentence"]]


@pytest.fixture
def world(books: Engine) -> Engine:
    """An event of each fate; the line's watermark is 06:16:46."""
    serial, window = consumed(1_003, id="s1", serial="SN1"), consumed(20, "12.5", id="c1")
    final = confirmed(1_004, "2", id="f2", final=True)
    happened(
        books,
        confirmed(10, "40", id="p1"),
        window,
        started(30),
        confirmed(700, "5", id="p2"),
        consumed(1_000, id="c2"),
        confirmed(10, "40", id="p1"),
        consumed(1_001, "x", id="c3"),
        confirmed(1_002, "3", id="f1", final=True),
        serial,
        reversed_(serial, 1_005, id="r1"),
        reversed_(window, 1_006, id="r2"),
        final,
        reversed_(final, 1_006, id="r3"),
        event(
            "quality.hold_placed.v1", 1_006, id="h1", hold="H1", scope="lot", value="LOT9",
            reason="bad",
        ),
        consumed(1_006, "2", id="k1", lot="LOT9"),
        event("machine.count.v1", 1_006, id="m1", work_unit="U1", good="1", scrap="0"),
        confirmed(10, "40", id="p1", line="L2"),
    )  # fmt: skip
    return books


FATES: list[tuple[str, list[str], str | None, list[str]]] = [
    ("p2", ["at_once"], None, ["left_at_once"]),
    ("c1", ["window"], None, ["left_by_window", "reversed"]),
    ("EP1 started@30", ["notification"], None, ["notified"]),
    ("s1", ["at_once"], None, ["left_at_once", "reversed"]),
    ("r1", ["reversal"], None, ["taken_back_at_erp"]),
    ("c2", [], "window", ["waits_for_window"]),
    ("r2", [], "window", ["waits_for_window"]),
    ("f1", [], "final", ["waits_for_final"]),
    ("f2", [], None, ["taken_back_before"]),
    ("r3", [], None, ["sends_nothing"]),
    ("k1", [], "hold", ["waits_for_hold"]),
    ("h1", ["at_once", "at_once"], None, ["left_at_once", "left_at_once"]),
    ("m1", [], None, ["sends_nothing"]),
]
"""An event, how its records left, what it waits for, and what is said of it."""


def test_each_fate_of_an_event(world: Engine) -> None:
    for q, how, waits, told in FATES:
        answer = traced(world, q, kind="event")
        (found,) = answer["events"]
        assert [each["how"] for each in found["became"]] == how, q
        assert (found["waits_for"] or {}).get("what") == waits, q
        assert codes(answer) == told, q
        assert all(check["passed"] for check in found["checks"]), q


def test_what_is_waited_for_says_until_when_and_which_hold(world: Engine) -> None:
    assert traced(world, "c2")["events"][0]["waits_for"]["until"] == text(1_230)
    assert traced(world, "k1")["events"][0]["waits_for"] == {
        "what": "hold",
        "until": None,
        "hold": "H1",
    }


def test_an_order_shows_first_what_somebody_has_to_mend(world: Engine) -> None:
    answer = traced(world, "O1")
    assert answer["kind"] == "order"
    assert codes(answer)[:4] == ["double_booking", "counts", "refused", "status_open"]
    refused = answer["sentence"][2]
    assert refused["values"]["id"] == "c3"
    assert "data.quantity is 'x'" in refused["text"]
    (checked,) = [each for each in answer["events"] if each["outcome"] == "refused"]
    assert checked["checks"][-1] == {"check": 5, "code": "invalid", "passed": False}
    assert [each["id"] for each in answer["exceptions"]] == ["mes.events.v1/0/6"]


def test_a_record_leads_to_its_events_and_a_row_of_a_summary_too(world: Engine) -> None:
    key = "gi:DE01/L1:1795240800:O1|0010|I1|||kg:0"
    answer = traced(world, key)
    assert answer["kind"] == "posting_key"
    assert [each["id"] for each in answer["events"]] == ["c1"]
    assert [each["id"] for each in answer["transactions"]] == [key]
    summary = traced(world, "sc:DE01/L1:1795240800:O1|0010|I1|||kg:0")
    assert [each["id"] for each in summary["events"]] == ["c1"]
    assert summary["events"][0]["summaries"] == [
        {
            "type": "summary.consumption.v1",
            "window_start": text(0),
            "row": {"order": "O1", "operation": "0010", "item": "I1", "uom": "kg"},
            "values": {"quantity": "12.5"},
        }
    ]


def test_repetitions_are_told_with_what_they_repeat(world: Engine) -> None:
    events = traced(world, "p1", source="/mes")["events"]
    (first,) = [each for each in events if each["line"] == "L1" and each["outcome"] == "accepted"]
    assert first["duplicates"] == [
        {"topic": "mes.events.v1", "partition": 0, "offset": 5, "at": text(11)}
    ]
    (again,) = [each for each in events if each["outcome"] == "duplicate"]
    assert again["checks"][-1] == {"check": 9, "code": "duplicate", "passed": False}


def test_a_booking_on_two_lines_is_told_with_the_reversal_that_mends_it(world: Engine) -> None:
    with world.connect() as connection:
        query = double_bookings.DoublesAsked()
        (double,) = double_bookings.double_bookings(connection, ALL, query, NOW, RULES)["items"]
    assert (double["source"], double["id"], double["same_data"]) == ("/mes", "p1", True)
    assert [each["line"] for each in double["events"]] == ["L1", "L2"]
    reversal = double["suggested_reversal"]
    assert (reversal["line"], reversal["data"]["reverses"]) == ("L1", "p1")
    assert reversal["data"]["original"]["data"]["quantity"] == "40"
    happened_to = happened_job(reversal)
    assert happened_to == ["accepted", "accepted", "accepted"]


def happened_job(reversal: dict[str, Any]) -> list[str]:
    """Return what the job makes of both bookings and the reversal."""
    mended = confirmed(10, "40", id="p1", line="L2")
    lines = printed([confirmed(10, "40", id="p1"), mended, json.dumps(reversal).encode()])
    return list(job_of(lines).outcomes.values())


def test_pasted_bytes_are_an_event_a_record_or_a_name(world: Engine) -> None:
    def answer(value: bytes) -> dict[str, Any]:
        query = pasted.Pasted(bytes=base64.b64encode(value).decode())
        with world.connect() as connection:
            return pasted.trace_bytes(connection, ALL, query, NOW, RULES)

    assert codes(answer(consumed(1_000, id="c2"))) == ["waits_for_window"]
    assert codes(answer(b'{"topic":"mes.events.v1","payload":"{\\"id\\":\\"c2\\"}"}')) == [
        "waits_for_window"
    ]
    record = b'{"source":"/lineside","type":"erp.goods_issue.v1","id":"gi:DE01/L1:/mes|s1"}'
    assert answer(record)["kind"] == "posting_key"
    assert answer(b"O1")["kind"] == "order"
    assert codes(answer(b"{broken")) == ["unreadable"]
    with world.connect() as connection, pytest.raises(AskedError, match="no base64"):
        pasted.trace_bytes(connection, ALL, pasted.Pasted(bytes="?"), NOW, RULES)


def test_what_is_nowhere_says_so_and_an_order_that_nothing_came_of_is_known(
    world: Engine,
) -> None:
    known(world, ("order|DE01|O9", master("order", order="O9", status="released")))
    assert codes(traced(world, "nowhere")) == ["nothing_found"]
    answer = traced(world, "O9")
    assert codes(answer) == ["known_order"]
    assert answer["found"] == [
        {"kind": "order", "label": "O9", "plant": "DE01", "line": None, "count": 0}
    ]


def test_a_name_of_several_things_is_taken_as_one_and_the_others_are_named(books: Engine) -> None:
    happened(books, consumed(10, id="same", lot="same"), consumed(11, id="other", order="same"))
    answer = traced(books, "same")
    assert answer["kind"] == "event"
    assert [(each["kind"], each["count"]) for each in answer["found"]] == [
        ("event", 1),
        ("order", 1),
        ("lot", 1),
    ]
    assert [each["id"] for each in traced(books, "same", kind="order")["events"]] == ["other"]
